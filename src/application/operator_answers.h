#pragma once

#include <functional>

#include "application/role_process.h"
#include "base/log.h"
#include "master/child_control.h"

namespace gatehouse {

/// From now on the process does as its master says when an operator changes something (OperatorQuestions):
///
///   {"ask":"log level","level":"debug"}                what is logged from now on
///   {"ask":"deny","ranges":[["1.2.3.0/24",3600000]]}   with milliseconds, or null for good; the answer is {"cut":3}, clients
///   {"ask":"allow","ranges":["1.2.3.0/24"]}
///   {"ask":"leave","siblings":true}                    `leave` is called, when the role takes nothing new any more
void answer_operator(master::ChildControl& control, RoleProcess& role, const Log& log, std::function<void()> leave);

/// Only the first of them, for a process that is no role.
void answer_log_level(master::ChildControl& control, const Log& log);

}  // namespace gatehouse
