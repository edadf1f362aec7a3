#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "master/identity.h"

namespace gatehouse::master {

/// A program to execute as a child.
struct SpawnRequest {
  std::string program;                   // path of the file; only for messages where there is a program_fd
  std::vector<std::string> arguments;    // with argv[0]
  std::vector<std::string> environment;  // all of it, as "NAME=value"
  /// What the child has open as descriptors 3, 4, ... in this order; everything else above 2 is closed there.
  std::vector<int> descriptors;
  /// Who the child becomes before it executes the file.
  std::optional<Identity> identity = {};
  /// The file to execute, open; -1: the one that stands at `program` now.
  int program_fd = -1;
  /// Its standard error; -1: this process's.
  int error_fd = -1;
};

/// The number that the first of SpawnRequest::descriptors has in the child.
inline constexpr int kFirstDescriptor = 3;

/// Executes `request` in a new process and returns its pid. Fails, with no child left behind, when the file cannot be executed.
///
/// The child begins with no signal blocked, all at their default except SIGINT, SIGTSTP, SIGQUIT and SIGHUP, which are ignored: a
/// Ctrl-C reaches the whole foreground process group, and it is the master that decides what it means. SIGPIPE is ignored too.
/// Its standard input is /dev/null.
Result<pid_t> spawn(const SpawnRequest& request);

}  // namespace gatehouse::master
