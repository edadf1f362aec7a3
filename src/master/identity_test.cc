#include "master/identity.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

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

TEST(Identity, AFileIsGivenOnlyByItsOwnName) {
  const std::filesystem::path directory = testing::TempDir() + "gatehouse-give-" + std::to_string(getpid());
  std::filesystem::create_directory(directory);
  const auto file = directory / "file";
  std::ofstream(file) << "x";
  // Only root can give something away; whoever else may give it to himself.
  const bool is_root = geteuid() == 0;
  const Identity identity{.uid = is_root ? 12345 : geteuid(), .gid = is_root ? 12345 : getegid(), .groups = {}};
  const auto problem = [&](const std::filesystem::path& path) {
    const auto given = give_file(path, identity);
    return given ? std::string() : given.error().message;
  };
  const auto owner = [&] {
    struct stat info{};
    EXPECT_EQ(stat(file.c_str(), &info), 0);
    return info.st_uid;
  };
  std::filesystem::create_symlink(file, directory / "link");
  EXPECT_NE(problem(directory / "link").find("symbolic link"), std::string::npos);
  std::filesystem::create_hard_link(file, directory / "second name");
  EXPECT_NE(problem(file).find("no plain file"), std::string::npos);
  EXPECT_EQ(owner(), geteuid());
  std::filesystem::remove(directory / "second name");
  ASSERT_EQ(mkfifo((directory / "pipe").c_str(), 0600), 0);
  EXPECT_NE(problem(directory / "pipe"), "");
  EXPECT_NE(problem(directory / "missing").find("No such file"), std::string::npos);
  EXPECT_EQ(problem(file), "");
  EXPECT_EQ(owner(), identity.uid);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace gatehouse::master
