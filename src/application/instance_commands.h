#pragma once

#include "application/settings.h"

namespace gatehouse {

/// `stop`: ends the running instance and waits until it is gone. Returns the exit status.
int stop_instance(const Settings& settings);

/// Whether the instance runs.
bool is_running(const Settings& settings);

/// `status`: asks the running instance and prints what it says.
int show_status(const Settings& settings);

}  // namespace gatehouse
