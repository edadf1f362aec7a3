#include "master/signals.h"

#include <array>
#include <csignal>

namespace gatehouse::master {
namespace {

// Their default action ends a process. Nobody sends them to ours on purpose: a timer or a lock that is not used here, a power
// failure, a file that has reached its greatest size (SIGXFSZ; the write fails with EFBIG then, which is counted).
constexpr std::array kStray = {SIGALRM,   SIGVTALRM, SIGPROF, SIGIO, SIGPWR,
#ifdef SIGSTKFLT
                               SIGSTKFLT,
#endif
                               SIGXFSZ};
// A process in the background that reads from or writes to its terminal would stand still, and its clients with it.
constexpr std::array kTerminal = {SIGTTIN, SIGTTOU};
// The master's, from a terminal or a user. Children hear from their master what is to be done.
constexpr std::array kForMaster = {SIGINT, SIGTSTP, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

bool is_ignored(int signal) {
  struct sigaction now{};
  return sigaction(signal, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_IGN;
}

bool has_handler(int signal) {
  struct sigaction now{};
  if (sigaction(signal, nullptr, &now) != 0) return true;  // SIGKILL, SIGSTOP, the C library's own
  return (now.sa_flags & SA_SIGINFO) != 0 || (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN);
}

void set_disposition(int signal, void (*handler)(int)) {
  if (!has_handler(signal)) ::signal(signal, handler);
}

void swallow(int /*signal*/) {}

void set_swallowing(int signal) {
  if (has_handler(signal)) return;
  struct sigaction action{};
  action.sa_handler = swallow;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

template <class Do>
void for_each_stray(Do todo) {
  for (const int signal : kStray) todo(signal);
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) todo(signal);
}

void block_only(std::initializer_list<int> signals) {
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int signal : signals) sigaddset(&blocked, signal);
  sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

}  // namespace

void set_command_signals() {
  for (int signal = 1; signal < NSIG; ++signal) {
    const bool respected = signal == SIGHUP || signal == SIGINT || signal == SIGQUIT || signal == SIGTSTP;
    if (!respected) set_disposition(signal, SIG_DFL);
  }
  block_only({});
}

void set_master_signals() {
  const bool no_hangup = is_ignored(SIGHUP);
  for (int signal = 1; signal < NSIG; ++signal) set_disposition(signal, SIG_DFL);
  if (no_hangup) set_disposition(SIGHUP, SIG_IGN);
  set_disposition(SIGPIPE, SIG_IGN);
  for (const int signal : kTerminal) set_disposition(signal, SIG_IGN);
  for_each_stray([](int signal) { set_disposition(signal, SIG_IGN); });
  block_only({SIGUSR1, SIGUSR2, SIGURG});
}

void set_signals_for_exec() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
  for (const int signal : kTerminal) ::signal(signal, SIG_IGN);
  for (const int signal : kForMaster) ::signal(signal, SIG_IGN);
  for_each_stray([](int signal) { ::signal(signal, SIG_IGN); });
  // The log may be moved away, and a graceful stop begin, while the child is starting: it hears so when it listens. Not blocked,
  // an ignored signal is forgotten.
  block_only({SIGURG, SIGQUIT});
}

void set_child_signals() {
  for (const int signal : {SIGUSR1, SIGUSR2}) set_swallowing(signal);
  for_each_stray(set_swallowing);
}

}  // namespace gatehouse::master
