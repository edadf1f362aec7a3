#pragma once

#include <optional>

#include "application/option_problem.h"
#include "application/program.h"
#include "master/identity.h"

namespace gatehouse {

/// Makes the files of GatewayOptions::access_log, where they are not there, for processes that are somebody else and may not be
/// able to, and gives them to `identity`, if any. What is wrong with the first that cannot be had.
std::optional<OptionProblem> make_access_logs(const Program& program, const std::optional<master::Identity>& identity);

}  // namespace gatehouse
