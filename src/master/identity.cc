#include "master/identity.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "net/socket.h"

namespace gatehouse::master {
namespace {

std::optional<unsigned> to_id(const std::string& text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// One thread only, before anything has been started: the plain look-ups will do.
const passwd* find_user(const std::string& user) {
  if (const passwd* found = getpwnam(user.c_str())) return found;  // NOLINT(concurrency-mt-unsafe)
  const auto number = to_id(user);
  return number ? getpwuid(*number) : nullptr;  // NOLINT(concurrency-mt-unsafe)
}

const group* find_group(const std::string& name) {
  if (const group* found = getgrnam(name.c_str())) return found;  // NOLINT(concurrency-mt-unsafe)
  const auto number = to_id(name);
  return number ? getgrgid(*number) : nullptr;  // NOLINT(concurrency-mt-unsafe)
}

std::vector<gid_t> groups_of(const std::string& user, gid_t gid) {
  int count = 32;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  if (getgrouplist(user.c_str(), gid, groups.data(), &count) < 0) {
    groups.resize(static_cast<std::size_t>(count));
    if (getgrouplist(user.c_str(), gid, groups.data(), &count) < 0) return {gid};
  }
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

std::string no_user(const std::string& user) {
  return "user: there is no user \"" + user + "\" on this machine; make one with adduser --system";
}

std::string no_group(const std::string& group) {
  return "group: there is no group \"" + group + "\" on this machine; make one with addgroup --system";
}

}  // namespace

std::optional<std::string> find_unknown_user(const std::string& user, const std::string& group) {
  if (!user.empty() && find_user(user) == nullptr) return no_user(user);
  if (!group.empty() && find_group(group) == nullptr) return no_group(group);
  return std::nullopt;
}

Result<std::optional<Identity>> find_identity(const std::string& user, const std::string& group) {
  if (user.empty() && group.empty()) return std::nullopt;
  Identity identity{.uid = geteuid(), .gid = getegid(), .groups = {}};
  std::string name;
  if (!user.empty()) {
    const passwd* found = find_user(user);
    if (found == nullptr) return failure(no_user(user));
    identity.uid = found->pw_uid;
    identity.gid = found->pw_gid;
    name = found->pw_name;
  }
  if (!group.empty()) {
    const struct group* found = find_group(group);
    if (found == nullptr) return failure(no_group(group));
    identity.gid = found->gr_gid;
  }
  if (identity.uid == geteuid() && identity.gid == getegid()) return std::nullopt;
  if (geteuid() != 0) {
    return failure("user, group: only root can start processes as somebody else; start as root, or leave them out");
  }
  identity.groups = name.empty() ? std::vector<gid_t>{identity.gid} : groups_of(name, identity.gid);
  return identity;
}

Result<void> give_file(const std::string& path, const Identity& identity) {
  // Not blocking: a pipe that somebody has put there would hold up the master until it has a reader.
  const net::Socket file(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) {
    if (errno == ELOOP) return failure("it is a symbolic link; name the file itself");
    return os_failure("open", errno);
  }
  struct stat info{};
  if (fstat(file.fd(), &info) != 0) return os_failure("fstat", errno);
  // A second name of it may be that of a file elsewhere.
  if (!S_ISREG(info.st_mode) || info.st_nlink != 1) return failure("it is no plain file with one name");
  if (fchown(file.fd(), identity.uid, identity.gid) != 0) return os_failure("fchown", errno);
  return {};
}

int become_identity(const Identity& identity) {
  // In this order: once the user is another one, the groups cannot be changed any more.
  if (setgroups(identity.groups.size(), identity.groups.data()) != 0) return errno;
  if (setresgid(identity.gid, identity.gid, identity.gid) != 0) return errno;
  if (setresuid(identity.uid, identity.uid, identity.uid) != 0) return errno;
  return 0;
}

}  // namespace gatehouse::master
