#pragma once

#include <string>

#include "application/program.h"
#include "application/settings.h"
#include "master/child_environment.h"

namespace gatehouse {

/// The whole life of a child process: builds the one role that `child` names, tells the master when it serves, stops in order at
/// SIGTERM or when the master is gone. `live_settings` are what has been taken over since the configuration was read
/// (LiveSettings as text); may be empty. Returns the exit status.
int run_child(const Program& program, const Settings& settings, master::ChildEnvironment child, const std::string& live_settings);

}  // namespace gatehouse
