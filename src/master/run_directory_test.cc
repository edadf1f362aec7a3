#include "master/run_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace gatehouse::master {
namespace {

class RunDirectoryTest : public testing::Test {
 protected:
  RunDirectoryTest() {
    std::string pattern = testing::TempDir() + "gatehouse-run-XXXXXX";
    parent_ = mkdtemp(pattern.data());
    path_ = parent_ + "/run";
  }
  ~RunDirectoryTest() override { std::filesystem::remove_all(parent_); }

  std::string parent_;
  std::string path_;
};

TEST_F(RunDirectoryTest, IsMadeForThisUserToWriteTo) {
  ASSERT_TRUE(prepare_run_directory(path_).has_value());
  struct stat info{};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0022U, 0U);
  EXPECT_TRUE(prepare_run_directory(path_).has_value()) << "one that is there is used again";
}

TEST_F(RunDirectoryTest, IsRefusedWhenOthersMayWrite) {
  ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
  ASSERT_EQ(chmod(path_.c_str(), 0777), 0);
  const auto result = prepare_run_directory(path_);
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("others may write"), std::string::npos);
}

TEST_F(RunDirectoryTest, IsRefusedWhenItIsALinkOrNoDirectory) {
  ASSERT_EQ(symlink(parent_.c_str(), path_.c_str()), 0);
  EXPECT_FALSE(prepare_run_directory(path_).has_value());
  EXPECT_FALSE(prepare_run_directory("/dev/null").has_value());
  EXPECT_FALSE(prepare_run_directory(parent_ + "/missing/run").has_value());
}

TEST_F(RunDirectoryTest, IsRefusedWhenItIsSomebodyElses) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
  ASSERT_EQ(chown(path_.c_str(), 12345, 12345), 0);
  const auto result = prepare_run_directory(path_);
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("12345"), std::string::npos);
}

}  // namespace
}  // namespace gatehouse::master
