#pragma once

#include <string>

#include "base/result.h"

namespace gatehouse::master {

/// Where the pid file and the control socket of this user's programs stand: /run/gatehouse for root, else
/// $XDG_RUNTIME_DIR/gatehouse, else /tmp/gatehouse-UID.
std::string default_run_directory();

/// Makes `path` a directory that only this user can write to: creates it (mode 0755) when it is missing, and fails when it is a
/// symbolic link, somebody else's, or writable by others, who could otherwise choose which process `stop` ends.
Result<void> prepare_run_directory(const std::string& path);

}  // namespace gatehouse::master
