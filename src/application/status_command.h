#pragma once

#include "application/settings.h"

namespace gatehouse {

/// `status`: asks the running instance and prints what it says, once, or with settings.live_seconds again and again until Ctrl-C
/// or the instance's end. Returns the exit status.
int show_status(const Settings& settings);

}  // namespace gatehouse
