#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"
#include "net/socket.h"

namespace gatehouse::master {

/// The pid file of a running program, locked (flock) for as long as its master lives. The lock is what counts: a file left behind
/// by a master that was killed is not locked, so it blocks nobody, and its pid is never believed.
class PidFile {
 public:
  PidFile(PidFile&&) = default;
  PidFile& operator=(PidFile&&) = delete;
  /// Removes the file, then gives up the lock.
  ~PidFile();

  /// Locks the file, creating it if need be. Nothing when another process holds it; see locked_by(). Fails when the file has
  /// anything else than a number in it, and leaves it as it is then.
  static Result<std::optional<PidFile>> lock(const std::string& path);
  /// The pid in `path` if that file is locked: 0 when its owner has not written it yet, nothing when nobody holds it.
  static std::optional<pid_t> locked_by(const std::string& path);

  /// REQUIRES: this object holds the lock.
  Result<void> write(pid_t pid);
  /// Makes the file again, with `pid` in it, when something has removed it, such as a cleaner of old files: true then. Nothing is
  /// done while another process holds the lock of a new one. REQUIRES: this object holds the lock.
  Result<bool> restore(pid_t pid);

 private:
  PidFile(std::string path, net::Socket file) : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  net::Socket file_;
};

}  // namespace gatehouse::master
