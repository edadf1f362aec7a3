#include "master/symbolizer.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include "master/backtrace.h"
#include "net/socket.h"

namespace gatehouse::master {

struct Symbolizer::Work {
  std::vector<Frame> frames;
  Done done;
  pid_t pid = 0;  // 0 once it has been waited for
  net::Socket output_end;
  net::WatchId watch;
  net::TimerId timeout;
  std::string output;
  bool told = false;
};

namespace {

/// Starts addr2line with its output in `output`, the program file as descriptor 3 and nothing else of ours. 0, or the errno.
int spawn_addr2line(pid_t& pid, int program_fd, int output, const std::vector<std::string>& addresses) {
  std::vector<std::string> words = {"addr2line", "-a", "-f", "-C", "-i", "-p", "-e", "/proc/self/fd/3"};
  words.insert(words.end(), addresses.begin(), addresses.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, program_fd, 3);
  posix_spawn_file_actions_addclosefrom_np(&actions, 4);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int error = posix_spawnp(&pid, "addr2line", &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

Symbolizer::Symbolizer(net::Loop& loop, std::string program) : loop_(loop), program_(std::move(program)) {}

Symbolizer::~Symbolizer() {
  for (const auto& work : working_) {
    loop_.unwatch(work->watch);
    loop_.cancel(work->timeout);
    if (work->pid == 0) continue;
    kill(work->pid, SIGKILL);
    while (waitpid(work->pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

void Symbolizer::symbolize(const BlackBoxReader& box, Done done) {
  std::vector<Frame> frames = parse_frames(box.report());
  if (frames.empty()) return done("");
  const std::vector<std::string> addresses = addresses_of(frames, program_);
  auto work = std::make_unique<Work>();
  work->frames = std::move(frames);
  work->done = std::move(done);
  if (addresses.empty() || box.program_fd() < 0 || !launch(*work, box.program_fd(), addresses)) {
    std::string text = format_frames(work->frames, program_, {});
    if (!addresses.empty()) text += "\n(functions and lines need addr2line, which the package binutils has)";
    return work->done(text);
  }
  working_.push_back(std::move(work));
}

bool Symbolizer::launch(Work& work, int program_fd, const std::vector<std::string>& addresses) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  net::Socket reading(ends[0]);
  const net::Socket writing(ends[1]);
  // Above 3, where the file actions put the program: they must not close what they still need.
  const net::Socket program(fcntl(program_fd, F_DUPFD_CLOEXEC, 10));
  const net::Socket output(fcntl(writing.fd(), F_DUPFD_CLOEXEC, 10));
  if (!program.valid() || !output.valid() || fcntl(reading.fd(), F_SETFL, O_NONBLOCK) != 0) return false;
  if (spawn_addr2line(work.pid, program.fd(), output.fd(), addresses) != 0) {
    work.pid = 0;
    return false;
  }
  work.output_end = std::move(reading);
  work.watch = loop_.watch(work.output_end.fd(), {.readable = true}, [this, &work](net::Readiness) { on_readable(work); });
  work.timeout = loop_.after(kTimeout, [this, &work] {
    if (work.pid != 0) kill(work.pid, SIGKILL);
    finish(work);
  });
  return true;
}

void Symbolizer::on_readable(Work& work) {
  std::array<char, 4096> piece{};
  const ssize_t got = read(work.output_end.fd(), piece.data(), piece.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0 || work.output.size() > kMostOutput) return finish(work);
  work.output.append(piece.data(), static_cast<std::size_t>(got));
}

void Symbolizer::finish(Work& work) {
  if (std::exchange(work.told, true)) return;
  loop_.unwatch(work.watch);
  loop_.cancel(work.timeout);
  work.output_end = net::Socket();
  const std::string text = format_frames(work.frames, program_, parse_addr2line(work.output));
  const Done done = std::move(work.done);
  reap();
  done(text);
}

bool Symbolizer::owns(pid_t pid) const {
  return std::any_of(working_.begin(), working_.end(), [pid](const std::unique_ptr<Work>& work) { return work->pid == pid; });
}

void Symbolizer::reap() {
  std::erase_if(working_, [](const std::unique_ptr<Work>& work) {
    if (work->pid != 0 && waitpid(work->pid, nullptr, WNOHANG) == work->pid) work->pid = 0;
    return work->pid == 0 && work->told;
  });
}

}  // namespace gatehouse::master
