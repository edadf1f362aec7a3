#include "master/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "master/signals.h"
#include "net/socket.h"

namespace gatehouse::master {
namespace {

/// Everything the new process needs, allocated before the fork: between fork and exec only async-signal-safe calls are allowed.
struct Prepared {
  std::vector<char*> argv;
  std::vector<char*> envp;
  std::vector<int> descriptors;
  int null_input = -1;
  int report = -1;
  int program_fd = -1;
  int error_fd = -1;
  const Identity* identity = nullptr;
};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

/// Returns 0, or the errno.
int place_descriptors(Prepared& prepared) {
  // First out of the way, as one of them may stand where another belongs.
  const int count = static_cast<int>(prepared.descriptors.size());
  const int above = kFirstDescriptor + count;
  prepared.report = fcntl(prepared.report, F_DUPFD_CLOEXEC, above);
  if (prepared.report < 0) return errno;
  if (prepared.error_fd >= 0) {
    prepared.error_fd = fcntl(prepared.error_fd, F_DUPFD_CLOEXEC, above);
    if (prepared.error_fd < 0) return errno;
  }
  if (prepared.program_fd >= 0) {
    prepared.program_fd = fcntl(prepared.program_fd, F_DUPFD_CLOEXEC, above);
    if (prepared.program_fd < 0) return errno;
  }
  for (int& fd : prepared.descriptors) {
    fd = fcntl(fd, F_DUPFD_CLOEXEC, above);
    if (fd < 0) return errno;
  }
  for (int i = 0; i < count; ++i) {
    if (dup2(prepared.descriptors[static_cast<std::size_t>(i)], kFirstDescriptor + i) < 0) return errno;
  }
  if (dup2(prepared.null_input, STDIN_FILENO) < 0) return errno;
  if (prepared.error_fd >= 0 && dup2(prepared.error_fd, STDERR_FILENO) < 0) return errno;
  // What the master itself inherited without close-on-exec must not pass on either.
  if (close_range(static_cast<unsigned>(above), ~0U, CLOSE_RANGE_CLOEXEC) != 0) return errno;
  return 0;
}

[[noreturn]] void become(const char* program, Prepared& prepared) {
  const int unmoved_report = prepared.report;
  int error = place_descriptors(prepared);
  if (error == 0 && prepared.identity != nullptr) error = become_identity(*prepared.identity);
  if (error == 0) {
    set_signals_for_exec();
    if (prepared.program_fd >= 0) {
      fexecve(prepared.program_fd, prepared.argv.data(), prepared.envp.data());
    } else {
      execve(program, prepared.argv.data(), prepared.envp.data());
    }
    error = errno;
  }
  const int report = prepared.report >= 0 ? prepared.report : unmoved_report;
  [[maybe_unused]] const ssize_t written = write(report, &error, sizeof error);
  _exit(127);
}

/// The errno with which the child failed to execute the file; 0 when the pipe was closed by a successful exec.
int read_report(int fd) {
  int error = 0;
  ssize_t got = 0;
  do {
    got = read(fd, &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(sizeof error) ? error : 0;
}

}  // namespace

Result<pid_t> spawn(const SpawnRequest& request) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return os_failure("cannot make a pipe", errno);
  const net::Socket reading(ends[0]);
  net::Socket writing(ends[1]);
  const net::Socket null_input(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null_input.valid()) return os_failure("cannot open /dev/null", errno);
  Prepared prepared{.argv = pointers(request.arguments),
                    .envp = pointers(request.environment),
                    .descriptors = request.descriptors,
                    .null_input = null_input.fd(),
                    .report = writing.fd(),
                    .program_fd = request.program_fd,
                    .error_fd = request.error_fd,
                    .identity = request.identity ? &*request.identity : nullptr};

  const pid_t pid = fork();
  if (pid < 0) return os_failure("cannot start a process", errno);
  if (pid == 0) become(request.program.c_str(), prepared);

  writing = net::Socket();
  if (const int error = read_report(reading.fd()); error != 0) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return os_failure("cannot execute " + request.program, error);
  }
  return pid;
}

}  // namespace gatehouse::master
