#include "base/log_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
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

TEST_F(LogFileTest, RootMakesNothingThroughSomebodysDanglingLink) {
  if (geteuid() != 0) GTEST_SKIP() << "for root only";
  std::filesystem::create_symlink(directory_ / "made", directory_ / "log");
  ASSERT_EQ(lchown((directory_ / "log").c_str(), 12345, 12345), 0);
  EXPECT_NE(write("log").find("is not followed as root"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "made"));
  ASSERT_EQ(lchown((directory_ / "log").c_str(), 0, 0), 0);
  EXPECT_EQ(write("log"), "") << "root's own";
  EXPECT_EQ(content("made"), "line\n");
}

TEST_F(LogFileTest, RootFollowsNobodysLinkOnTheWay) {
  if (geteuid() != 0) GTEST_SKIP() << "for root only";
  std::filesystem::create_directory(directory_ / "real");
  std::filesystem::create_directory_symlink("real", directory_ / "way");
  EXPECT_EQ(write("way/log"), "");
  EXPECT_EQ(write("way//../way/./log"), "");
  EXPECT_EQ(content("real/log"), "line\nline\n");
  ASSERT_EQ(lchown((directory_ / "way").c_str(), 12345, 12345), 0);
  EXPECT_NE(write("way/log").find("is not followed as root"), std::string::npos);
  std::filesystem::create_directory_symlink("round", directory_ / "round");
  EXPECT_NE(write("round/log").find("Too many levels of symbolic links"), std::string::npos);
}

TEST_F(LogFileTest, WhatIsNoFileIsNamed) {
  std::filesystem::create_directory(directory_ / "folder");
  EXPECT_NE(write("folder").find("it is a directory"), std::string::npos);
  EXPECT_NE(write("folder/").find("it is a directory"), std::string::npos);
  for (const char* device : {"/dev/null", "/dev/full"}) {
    const auto fd = open_log_file(device);
    ASSERT_TRUE(fd.has_value()) << fd.error().message;
    EXPECT_EQ(fcntl(*fd, F_GETFL) & O_NONBLOCK, 0);
    close(*fd);
  }
  // As /dev/stdout is in the end.
  ASSERT_EQ(write("log"), "");
  const int open_already = open((directory_ / "log").c_str(), O_RDONLY | O_CLOEXEC);
  const auto fd = open_log_file("/proc/self/fd/" + std::to_string(open_already));
  ASSERT_TRUE(fd.has_value()) << fd.error().message;
  close(*fd);
  close(open_already);
}

// It waited for a reader for ever.
TEST_F(LogFileTest, ANamedPipeIsNeverWaitedFor) {
  ASSERT_EQ(mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  EXPECT_NE(write("pipe").find("it is a named pipe, and nobody reads from it"), std::string::npos);
  const int reader = open((directory_ / "pipe").c_str(), O_RDONLY | O_NONBLOCK);
  const auto fd = open_log_file(directory_ / "pipe");
  ASSERT_TRUE(fd.has_value()) << fd.error().message;
  const std::string line(4096, 'x');
  int written = 0;
  while (written < 1000 && ::write(*fd, line.data(), line.size()) > 0) ++written;
  EXPECT_LT(written, 1000) << "a reader that does not read stops nobody";
  EXPECT_EQ(errno, EAGAIN);
  close(*fd);
  close(reader);
}

}  // namespace
}  // namespace gatehouse
