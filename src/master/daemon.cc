#include "master/daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>

#include "base/log_file.h"

namespace gatehouse::master {
namespace {

// On the pipe: text, and at the end this byte and the exit status. A daemon that dies says nothing of the kind.
constexpr char kEnd = '\0';

// The master's own limit for a start is shorter; this one is for a daemon that hangs or is suspended.
constexpr std::chrono::seconds kMostStartTime{60};

[[noreturn]] void wait_for_report(int fd) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + kMostStartTime;
  std::string report;
  std::array<char, 4096> piece{};
  bool late = false;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd reading{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = left > 0 ? poll(&reading, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    late = ready == 0;
    if (late) break;
    const ssize_t got = read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    report.append(piece.data(), static_cast<std::size_t>(got));
  }
  int exit_status = 1;
  const std::size_t end = report.find(kEnd);
  if (end != std::string::npos && end + 1 < report.size()) {
    exit_status = static_cast<unsigned char>(report[end + 1]);
    report.resize(end);
  } else if (late) {
    report += "the daemon has not started within " + std::to_string(kMostStartTime.count()) +
              " s, and goes on trying; see its log file\n";
  } else {
    report += "the daemon ended while it was starting; see its log file\n";
  }
  std::fputs(report.c_str(), exit_status == 0 ? stdout : stderr);
  std::fflush(nullptr);
  // Not exit(): what main() has made belongs to the daemon now.
  _exit(exit_status);
}

void become_output(const net::Socket& file) {
  dup2(file.fd(), STDOUT_FILENO);
  dup2(file.fd(), STDERR_FILENO);
}

}  // namespace

Result<void> redirect_output(const std::string& log_file) {
  const Result<int> fd = open_log_file(log_file);
  if (!fd) return tl::unexpected(fd.error());
  become_output(net::Socket(*fd));
  return {};
}

void StartReport::print(const std::string& text) {
  if (pipe_.valid()) (void)!::write(pipe_.fd(), text.data(), text.size());
}

void StartReport::finish(int exit_status) {
  if (!pipe_.valid()) return;
  const std::array<char, 2> end{kEnd, static_cast<char>(exit_status)};
  (void)!::write(pipe_.fd(), end.data(), end.size());
  pipe_ = net::Socket();
}

Result<StartReport> daemonize(const std::string& log_file) {
  const Result<int> log = open_log_file(log_file);
  if (!log) return tl::unexpected(log.error());
  const net::Socket output(*log);
  const net::Socket input(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!input.valid()) return os_failure("cannot open /dev/null", errno);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return os_failure("cannot make a pipe", errno);
  net::Socket reading(ends[0]);
  net::Socket writing(ends[1]);

  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return os_failure("cannot start a process", errno);
  if (pid > 0) {
    writing = net::Socket();
    wait_for_report(reading.fd());
  }
  setsid();
  dup2(input.fd(), STDIN_FILENO);
  become_output(output);
  return StartReport(std::move(writing));
}

}  // namespace gatehouse::master
