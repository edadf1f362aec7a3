#pragma once

#include <string>

#include "base/result.h"

namespace gatehouse {

/// A descriptor that appends to the file `path`, which is made with mode 0640 when it is not there; closed on exec.
///
/// Root follows a symbolic link only when root has made it. The directory of a log may be another user's, for whom this would
/// otherwise be a way to have root write anywhere.
Result<int> open_log_file(const std::string& path);

}  // namespace gatehouse
