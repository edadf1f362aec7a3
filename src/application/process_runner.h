#pragma once

#include <gatehouse/options.h>

#include <chrono>

#include "base/log.h"

namespace gatehouse {

/// Runs a process of the user's own: its function on this thread, and beside it a second thread with a loop for the master's
/// control channel and SIGTERM. Returns the process's exit status.
int run_process(const ProcessOptions& options, int control_fd, std::chrono::milliseconds stop_timeout, const Log& log);

}  // namespace gatehouse
