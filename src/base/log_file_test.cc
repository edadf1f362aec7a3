#include "base/log_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace gatehouse {
namespace {

class LogFileTest : public testing::Test {
 protected:
  LogFileTest() : directory_(testing::TempDir() + "gatehouse-log-file-" + std::to_string(getpid())) {
    std::filesystem::create_directory(directory_);
  }
  ~LogFileTest() override { std::filesystem::remove_all(directory_); }

  std::string write(const std::string& name) {
    const auto fd = open_log_file(directory_ / name);
    if (!fd) return fd.error().message;
    EXPECT_EQ(fcntl(*fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    EXPECT_EQ(::write(*fd, "line\n", 5), 5);
    close(*fd);
    return "";
  }
  std::string content(const std::string& name) {
    std::ifstream file(directory_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path directory_;
};

TEST_F(LogFileTest, IsAppendedTo) {
  EXPECT_EQ(write("log"), "");
  EXPECT_EQ(write("log"), "");
  EXPECT_EQ(content("log"), "line\nline\n");
  std::filesystem::create_symlink(directory_ / "log", directory_ / "link");
  EXPECT_EQ(write("link"), "") << "a link of one's own";
  EXPECT_EQ(content("log"), "line\nline\nline\n");
  EXPECT_NE(write("no/such/folder").find("cannot write the log file"), std::string::npos);
}

TEST_F(LogFileTest, RootFollowsNobodysLink) {
  if (geteuid() != 0) GTEST_SKIP() << "for root only";
  ASSERT_EQ(write("precious"), "");
  std::filesystem::create_symlink(directory_ / "precious", directory_ / "log");
  ASSERT_EQ(lchown((directory_ / "log").c_str(), 12345, 12345), 0);
  EXPECT_NE(write("log").find("is not followed as root"), std::string::npos);
  EXPECT_EQ(content("precious"), "line\n");
}

}  // namespace
}  // namespace gatehouse
