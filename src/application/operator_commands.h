#pragma once

#include "application/settings.h"

namespace gatehouse {

/// The commands that change something while an instance runs. Each asks the master (OperatorQuestions) and says how it went; they
/// return the exit status.

/// `log-level [LEVEL [--for TIME]]`: without a level says which one it is.
int set_log_level(const Settings& settings);

/// `deny RANGE [TIME]`, `deny --list`.
int deny_addresses(const Settings& settings);

/// `allow RANGE`.
int allow_addresses(const Settings& settings);

/// `stop [-g] PROCESS`: comes back when it has ended.
int stop_process(const Settings& settings);

/// `start PROCESS`: comes back when it is ready.
int start_process(const Settings& settings);

}  // namespace gatehouse
