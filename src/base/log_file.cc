#include "base/log_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <string_view>
#include <utility>

namespace gatehouse {
namespace {

constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
constexpr mode_t kMode = 0640;
constexpr int kPart = O_PATH | O_NOFOLLOW | O_CLOEXEC;
constexpr int kMostLinks = 40;  // the kernel's own limit

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

/// The path to a log, walked part by part, so that every link is looked at before it is followed, and is the one that was looked
/// at.
class Walk {
 public:
  explicit Walk(const std::string& path) : rest_(path), directory_(top()) {}

  /// The descriptor of the file; -1 with errno, or a link that is not followed in the way (met_foreign_link()).
  int open_file() {
    while (directory_.get() >= 0) {
      const std::string name = next_part();
      const bool is_last = rest_.empty();
      if (is_last) {
        const int fd = openat(directory_.get(), name.c_str(), kFlags | O_NOFOLLOW, kMode);
        if (fd >= 0 || errno != ELOOP) return fd;
      }
      Descriptor part(openat(directory_.get(), name.c_str(), kPart));
      struct stat info{};
      if (part.get() < 0 || fstat(part.get(), &info) != 0) return -1;
      if (!S_ISLNK(info.st_mode)) {
        if (is_last) return fail(ELOOP);  // a link a moment ago
        directory_ = std::move(part);
        continue;
      }
      if (is_of_proc(part.get())) {  // as /dev/stdout is in the end: not text, but a way to a file that is open
        if (is_last) return openat(directory_.get(), name.c_str(), kFlags, kMode);
        directory_ = Descriptor(openat(directory_.get(), name.c_str(), O_PATH | O_CLOEXEC));
        continue;
      }
      if (info.st_uid != 0) {
        met_foreign_link_ = true;
        return fail(EACCES);
      }
      if (++links_ > kMostLinks) return fail(ELOOP);
      if (!follow(part.get())) return -1;
    }
    return -1;
  }
  [[nodiscard]] bool met_foreign_link() const { return met_foreign_link_; }

 private:
  static int fail(int error) {
    errno = error;
    return -1;
  }
  static bool is_of_proc(int fd) {
    struct statfs file_system{};
    return fstatfs(fd, &file_system) == 0 && file_system.f_type == PROC_SUPER_MAGIC;
  }
  /// Where what is left begins.
  [[nodiscard]] Descriptor top() const { return Descriptor(open(rest_.starts_with('/') ? "/" : ".", O_PATH | O_CLOEXEC)); }

  std::string next_part() {
    rest_.erase(0, rest_.find_first_not_of('/'));
    std::string name = rest_.substr(0, rest_.find('/'));
    rest_.erase(0, name.size());
    // A slash at the end names a directory, which no log is.
    if (rest_.find_first_not_of('/') == std::string::npos && !rest_.empty()) rest_ = "/.";
    return name.empty() ? "." : name;
  }
  bool follow(int link) {
    std::array<char, PATH_MAX> target{};
    const ssize_t size = readlinkat(link, "", target.data(), target.size());
    if (size <= 0 || size == static_cast<ssize_t>(target.size())) return false;
    rest_ = std::string(target.data(), static_cast<std::size_t>(size)) + rest_;
    if (rest_.starts_with('/')) directory_ = top();
    return true;
  }

  std::string rest_;
  Descriptor directory_;
  int links_ = 0;
  bool met_foreign_link_ = false;
};

/// Why a file that is open, or could not be opened for its kind, is no log; empty when it is one.
std::string problem_of(const struct stat& file, bool opened) {
  if (S_ISREG(file.st_mode) || S_ISCHR(file.st_mode)) return "";
  if (S_ISFIFO(file.st_mode)) return opened ? "" : "it is a named pipe, and nobody reads from it";
  if (S_ISDIR(file.st_mode)) return "it is a directory";
  if (S_ISBLK(file.st_mode)) return "it is a disk";
  return S_ISSOCK(file.st_mode) ? "it is a socket" : "it is no file";
}

}  // namespace

Result<int> open_log_file(const std::string& path) {
  Walk walk(path);
  const int fd = geteuid() == 0 ? walk.open_file() : open(path.c_str(), kFlags, kMode);
  const int error = errno;
  if (walk.met_foreign_link()) {
    return failure("the log file " + path +
                   " is reached by a symbolic link that root has not made, and that is not followed as root");
  }
  struct stat file{};
  if ((fd >= 0 ? fstat(fd, &file) : stat(path.c_str(), &file)) == 0) {
    if (const std::string problem = problem_of(file, fd >= 0); !problem.empty()) {
      if (fd >= 0) close(fd);
      return failure("cannot write the log file " + path + ": " + problem);
    }
  }
  if (fd < 0) return os_failure("cannot write the log file " + path, error);
  // Only a pipe is not to be waited for: a terminal takes what it is given in the end.
  if (!S_ISFIFO(file.st_mode)) (void)fcntl(fd, F_SETFL, O_APPEND);
  return fd;
}

}  // namespace gatehouse
