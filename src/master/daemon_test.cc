#include "master/daemon.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace gatehouse::master {
namespace {

class DaemonTest : public testing::Test {
 protected:
  DaemonTest() {
    std::string pattern = testing::TempDir() + "gatehouse-daemon-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    log_ = directory_ + "/chat.log";
  }
  ~DaemonTest() override { std::filesystem::remove_all(directory_); }

  /// Runs `body` in a daemon that is made by a child of this test, and gives the child's exit status.
  template <class Body>
  int status_of_caller(Body body) {
    const pid_t caller = fork();
    if (caller == 0) {
      auto report = daemonize(log_);
      if (!report) _exit(99);
      body(*report);
      _exit(0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(caller, &status, 0), caller);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
  }

  std::string directory_;
  std::string log_;
};

TEST_F(DaemonTest, TheCallerEndsWithTheStatusThatTheDaemonGives) {
  EXPECT_EQ(status_of_caller([](StartReport& report) {
              const bool own_session = getsid(0) == getpid();
              (void)!write(STDOUT_FILENO, "to the log\n", 11);
              report.finish(own_session ? 17 : 18);
            }),
            17);
  std::stringstream text;
  text << std::ifstream(log_).rdbuf();
  EXPECT_EQ(text.str(), "to the log\n");
}

TEST_F(DaemonTest, ADaemonThatDiesAtOnceIsAFailure) {
  EXPECT_EQ(status_of_caller([](StartReport&) { _exit(0); }), 1);
}

TEST_F(DaemonTest, ALogFileThatCannotBeWrittenIsAFailure) {
  log_ = directory_ + "/missing/chat.log";
  EXPECT_EQ(status_of_caller([](StartReport&) {}), 99);
}

}  // namespace
}  // namespace gatehouse::master
