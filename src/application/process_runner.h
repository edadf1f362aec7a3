#pragma once

#include <gatehouse/options.h>

#include "application/settings.h"
#include "base/log.h"

namespace gatehouse {

/// Runs a process of the user's own: its function on this thread, and beside it a second thread with a loop for the master's
/// control channel and SIGTERM. Returns the process's exit status.
int run_process(const ProcessOptions& options, int control_fd, const Settings& settings, const Log& log);

}  // namespace gatehouse
