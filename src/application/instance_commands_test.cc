#include "application/instance_commands.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "application/status_command.h"
#include "master/pid_file.h"

namespace gatehouse {
namespace {

class InstanceCommandsTest : public testing::Test {
 protected:
  InstanceCommandsTest() {
    std::string pattern = testing::TempDir() + "gatehouse-instance-XXXXXX";
    settings_ = {.instance = "chat", .run_dir = mkdtemp(pattern.data())};
  }
  ~InstanceCommandsTest() override { std::filesystem::remove_all(settings_.run_dir); }

  template <class Command>
  int run(Command command) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int status = command(settings_);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return status;
  }

  /// A process that holds the pid file until it is ended.
  pid_t hold_pid_file() {
    const pid_t pid = fork();
    if (pid == 0) {
      auto file = master::PidFile::lock(settings_.pid_path());
      if (file && *file && (*file)->write(getpid())) pause();
      _exit(1);
    }
    while (master::PidFile::locked_by(settings_.pid_path()) != pid) usleep(1000);
    return pid;
  }

  Settings settings_;
  std::string out_;
  std::string err_;
};

TEST_F(InstanceCommandsTest, NothingRuns) {
  EXPECT_EQ(run(stop_instance), 1);
  EXPECT_EQ(err_, "chat is not running\n");
  EXPECT_EQ(run(show_status), 1);
  EXPECT_EQ(err_, "chat is not running\n");
}

TEST_F(InstanceCommandsTest, AStalePidIsNotSignalled) {
  const pid_t bystander = fork();
  if (bystander == 0) {
    pause();
    _exit(0);
  }
  std::ofstream(settings_.pid_path()) << bystander << "\n";
  EXPECT_EQ(run(stop_instance), 1);
  EXPECT_EQ(waitpid(bystander, nullptr, WNOHANG), 0) << "it lives on";
  kill(bystander, SIGKILL);
  waitpid(bystander, nullptr, 0);
}

TEST_F(InstanceCommandsTest, StopWaitsForTheEnd) {
  const pid_t master = hold_pid_file();
  EXPECT_EQ(run(stop_instance), 0);
  EXPECT_EQ(out_, "chat has been stopped\n");
  int status = 0;
  EXPECT_EQ(waitpid(master, &status, 0), master);
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST_F(InstanceCommandsTest, StatusOfOneThatCannotBeAskedIsAFailure) {
  const pid_t master = hold_pid_file();
  EXPECT_EQ(run(show_status), 1);
  EXPECT_NE(err_.find("chat is running, but cannot be asked"), std::string::npos) << err_;
  kill(master, SIGKILL);
  waitpid(master, nullptr, 0);
}

}  // namespace
}  // namespace gatehouse
