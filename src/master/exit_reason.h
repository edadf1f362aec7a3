#pragma once

#include <string>

namespace gatehouse::master {

/// How a process ended, from the status that waitpid() gave: "exit status 3", "SIGKILL" or "SIGSEGV (core dumped)".
std::string describe_exit(int wait_status);

}  // namespace gatehouse::master
