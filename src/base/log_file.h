#pragma once

#include <string>

#include "base/result.h"

namespace gatehouse {

/// A descriptor that appends to the file `path`, which is made with mode 0640 when it is not there; closed on exec. Never waits:
/// a named pipe is taken when somebody reads from it, and a line for which it has no room is lost then. Devices such as /dev/null
/// are taken, disks and sockets are not.
///
/// Root follows a symbolic link, in the middle of the path as at its end, only when root has made it. The directory of a log may
/// be another user's, for whom this would otherwise be a way to have root write, or make a file, anywhere.
Result<int> open_log_file(const std::string& path);

}  // namespace gatehouse
