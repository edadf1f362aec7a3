#include "base/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace gatehouse {
namespace {

/// Looked at after the file has been opened, so that the name may change meanwhile as it likes: what is open is either what the
/// name itself means now, or was reached by a link of root's.
bool is_reached_safely(const std::string& path, int fd) {
  struct stat name{};
  struct stat file{};
  if (lstat(path.c_str(), &name) != 0 || fstat(fd, &file) != 0) return false;
  if (S_ISLNK(name.st_mode)) return name.st_uid == 0;
  return name.st_dev == file.st_dev && name.st_ino == file.st_ino;
}

}  // namespace

Result<int> open_log_file(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd < 0) return os_failure("cannot write the log file " + path, errno);
  if (geteuid() != 0 || is_reached_safely(path, fd)) return fd;
  close(fd);
  return failure("the log file " + path + " is a symbolic link that root has not made, and is not followed as root");
}

}  // namespace gatehouse
