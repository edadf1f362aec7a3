#include "application/process_runner.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <stdexcept>
#include <thread>

#include "net/socket.h"

namespace gatehouse {
namespace {

using std::chrono::seconds;

class ProcessRunnerTest : public testing::Test {
 protected:
  ProcessRunnerTest() : log_("test") {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    master_ = net::Socket(ends[0]);
    child_fd_ = ends[1];
    sigset_t unused;
    sigemptyset(&unused);
    pthread_sigmask(SIG_SETMASK, &unused, &mask_);
  }
  ~ProcessRunnerTest() override { pthread_sigmask(SIG_SETMASK, &mask_, nullptr); }

  int run(decltype(ProcessOptions::run) function) {
    return run_process({.name = "page", .listen = "127.0.0.1:8080", .run = std::move(function)}, child_fd_,
                       {.instance = "test", .run_dir = "/nonexistent"}, log_);
  }
  std::string read_line() {
    std::string line;
    char c = 0;
    while (read(master_.fd(), &c, 1) == 1 && c != '\n') line += c;
    return line;
  }

  Log log_;
  net::Socket master_;
  int child_fd_ = -1;
  sigset_t mask_{};
};

TEST_F(ProcessRunnerTest, GivesTheStatusOfTheFunction) {
  EXPECT_EQ(run([](const auto&) { return 7; }), 7);
}

TEST_F(ProcessRunnerTest, AnExceptionIsAFailure) {
  EXPECT_EQ(run([](const auto&) -> int { throw std::runtime_error("no page today"); }), 1);
}

TEST_F(ProcessRunnerTest, AnswersTheMasterWhileTheFunctionRuns) {
  std::string ready;
  std::string answer;
  run([&](const auto&) {
    ready = read_line();
    const std::string question = "{\"ask\":\"status\",\"id\":1}\n";
    EXPECT_EQ(write(master_.fd(), question.data(), question.size()), static_cast<ssize_t>(question.size()));
    answer = read_line();
    return 0;
  });
  EXPECT_EQ(ready, "{\"ready\":true}");
  EXPECT_NE(answer.find("\"listening\":\"127.0.0.1:8080\""), std::string::npos) << answer;
}

TEST_F(ProcessRunnerTest, SigtermCallsWhatWasGivenToOnStop) {
  const int status = run([&](const auto& on_stop) {
    std::atomic<bool> stopping = false;
    on_stop([&] { stopping = true; });
    (void)read_line();
    kill(getpid(), SIGTERM);
    for (int i = 0; i < 5000 && !stopping; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    bool called_late = false;
    on_stop([&] { called_late = true; });
    return stopping && called_late ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST_F(ProcessRunnerTest, TheEndOfTheMasterCallsItToo) {
  const int status = run([&](const auto& on_stop) {
    std::atomic<bool> stopping = false;
    on_stop([&] { stopping = true; });
    master_ = net::Socket();
    for (int i = 0; i < 5000 && !stopping; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return stopping ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace gatehouse
