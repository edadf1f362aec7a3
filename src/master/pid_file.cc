#include "master/pid_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>

namespace gatehouse::master {
namespace {

constexpr int kAttempts = 10;
constexpr std::chrono::milliseconds kPause{5};

/// The holder may have removed the file between our open and our lock; then the lock is on a file that nobody else will find.
bool is_still_at(const std::string& path, int fd) {
  struct stat by_path{};
  struct stat by_fd{};
  return stat(path.c_str(), &by_path) == 0 && fstat(fd, &by_fd) == 0 && by_path.st_ino == by_fd.st_ino &&
         by_path.st_dev == by_fd.st_dev;
}

/// Empty, or a number: whoever names a file by mistake is to keep what is in it.
bool is_pid_file(int fd) {
  struct stat file{};
  std::array<char, 32> text{};
  if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) return false;
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  return size >= 0 && static_cast<std::size_t>(size) < text.size() &&
         std::all_of(text.data(), text.data() + size, [](char c) { return (c >= '0' && c <= '9') || c == '\n'; });
}

}  // namespace

Result<std::optional<PidFile>> PidFile::lock(const std::string& path) {
  for (int attempt = 0;;) {
    net::Socket file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file.valid()) return os_failure("cannot write the pid file " + path, errno);
    if (flock(file.fd(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return os_failure("cannot lock the pid file " + path, errno);
      // It may be somebody who only asks: locked_by() holds a shared lock for a moment.
      if (++attempt == kAttempts) return std::nullopt;
      std::this_thread::sleep_for(kPause);
      continue;
    }
    if (!is_still_at(path, file.fd())) continue;
    if (!is_pid_file(file.fd())) {
      return failure("the pid file " + path +
                     " has something else than a pid in it and is left alone; remove it, or choose another name with --pid-file");
    }
    // Emptied at once: while it is locked, whatever pid it holds is the holder's.
    if (ftruncate(file.fd(), 0) != 0) return os_failure("cannot write the pid file " + path, errno);
    return PidFile(path, std::move(file));
  }
}

std::optional<pid_t> PidFile::locked_by(const std::string& path) {
  const net::Socket file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return std::nullopt;
  // Shared, so that two who ask at the same time do not take each other for the holder.
  if (flock(file.fd(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  std::array<char, 32> text{};
  const ssize_t size = pread(file.fd(), text.data(), text.size() - 1, 0);
  if (size <= 0) return 0;
  return static_cast<pid_t>(std::strtol(text.data(), nullptr, 10));
}

Result<void> PidFile::write(pid_t pid) {
  const std::string text = std::to_string(pid) + "\n";
  if (pwrite(file_.fd(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return os_failure("cannot write the pid file " + path_, errno);
  }
  return {};
}

Result<bool> PidFile::restore(pid_t pid) {
  if (is_still_at(path_, file_.fd())) return false;
  auto again = lock(path_);
  if (!again) return tl::unexpected(again.error());
  if (!*again) return false;
  if (const auto written = (*again)->write(pid); !written) return tl::unexpected(written.error());
  std::swap(file_, (*again)->file_);
  (*again)->file_ = net::Socket();  // the old lock, and no file to be removed with it
  return true;
}

PidFile::~PidFile() {
  if (file_.valid() && is_still_at(path_, file_.fd())) unlink(path_.c_str());
}

}  // namespace gatehouse::master
