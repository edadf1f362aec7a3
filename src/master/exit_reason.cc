#include "master/exit_reason.h"

#include <sys/wait.h>

#include <csignal>
#include <cstring>

namespace gatehouse::master {

std::string describe_exit(int wait_status) {
  if (WIFEXITED(wait_status)) return "exit status " + std::to_string(WEXITSTATUS(wait_status));
  const int signal = WTERMSIG(wait_status);
  const char* name = sigabbrev_np(signal);
  std::string text = name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
  if (WCOREDUMP(wait_status)) text += " (core dumped)";
  return text;
}

}  // namespace gatehouse::master
