#include "master/identity.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gatehouse::master {
namespace {

TEST(Identity, NothingIsToBeChanged) {
  const auto none = find_identity("", "");
  ASSERT_TRUE(none.has_value());
  EXPECT_FALSE(none->has_value());
  const auto same = find_identity(std::to_string(geteuid()), std::to_string(getegid()));
  ASSERT_TRUE(same.has_value()) << same.error().message;
  EXPECT_FALSE(same->has_value());
}

TEST(Identity, WhoIsNotThereIsNamed) {
  const auto user = find_identity("no-such-user", "");
  ASSERT_FALSE(user.has_value());
  EXPECT_NE(user.error().message.find("no user \"no-such-user\""), std::string::npos) << user.error().message;
  const auto group = find_identity("", "no-such-group");
  ASSERT_FALSE(group.has_value());
  EXPECT_NE(group.error().message.find("no group \"no-such-group\""), std::string::npos) << group.error().message;
}

TEST(Identity, OnlyRootMayChange) {
  if (geteuid() != 0) {
    const auto other = find_identity("root", "");
    ASSERT_FALSE(other.has_value());
    EXPECT_NE(other.error().message.find("only root"), std::string::npos);
    return;
  }
  const auto nobody = find_identity("nobody", "");
  ASSERT_TRUE(nobody.has_value() && nobody->has_value());
  const pid_t pid = fork();
  if (pid == 0) {
    const bool changed = become_identity(**nobody) == 0 && geteuid() == (*nobody)->uid && getegid() == (*nobody)->gid;
    // There is no way back, and root's groups are gone.
    const bool back = setuid(0) == 0;
    _exit(changed && !back && getgroups(0, nullptr) <= 1 ? 0 : 1);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace gatehouse::master
