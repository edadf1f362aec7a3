#pragma once

// For tests only: how much work something is, without a clock.

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <optional>

namespace gatehouse::testing {

/// The machine instructions that `work` takes in user space, counted by stepping through it in a child process: what it does is
/// undone, so that the next count begins with the same state. The same on every run, unlike a time. About a microsecond each.
/// None where the system does not let a process trace its child.
template <class Work>
std::optional<std::uint64_t> count_instructions(Work work) {
  const pid_t child = fork();
  if (child < 0) return std::nullopt;
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
    raise(SIGSTOP);
    work();
    raise(SIGSTOP);
    _exit(0);
  }
  std::uint64_t count = 0;
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFSTOPPED(status)) return std::nullopt;
  do {
    ++count;
    if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) break;
    waitpid(child, &status, 0);
  } while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
  const bool reached_end = WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return reached_end ? std::optional(count) : std::nullopt;
}

}  // namespace gatehouse::testing
