#pragma once

#include "application/settings.h"

namespace gatehouse {

/// `connections`: prints every connection of the running instance that settings.filter lets through, as they come. Returns the
/// exit status.
int show_connections(const Settings& settings);

}  // namespace gatehouse
