#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace gatehouse::master {

/// The user that child processes become, looked up once, before anything is started.
struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // all of them, `gid` too
};

/// The user `user` with the group `group` (its own when that is empty), by their names or numbers. Nothing when both are empty,
/// or when they are what this process is already. Fails when there is no such user or group, and when this process may not
/// change.
Result<std::optional<Identity>> find_identity(const std::string& user, const std::string& group);

/// What is wrong when this machine has no such user or group, in the words of find_identity(). Asks nothing of this process,
/// which may be somebody who only looks.
std::optional<std::string> find_unknown_user(const std::string& user, const std::string& group);

/// Gives the file `path` to it. Fails for what is no plain file, and for a symbolic link: whoever may write in the directory of
/// a log must not be able to have another file given away.
Result<void> give_file(const std::string& path, const Identity& identity);

/// Changes to it for good; 0 or the errno. Async-signal-safe: for the time between fork and exec.
int become_identity(const Identity& identity);

}  // namespace gatehouse::master
