#pragma once

#include "application/settings.h"

namespace gatehouse {

/// `stop`, `stop -g`: ends the running instance and waits until it is gone. Returns the exit status.
int stop_instance(const Settings& settings);

/// `reload`, `reload -g`: has the running instance replace its workers, and says how it went. Returns the exit status: 1 when the
/// old ones are still there.
int reload_instance(const Settings& settings);

/// Whether the instance runs.
bool is_running(const Settings& settings);

}  // namespace gatehouse
