#include "master/block_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "net/socket.h"

namespace gatehouse::master {
namespace {

using std::chrono::milliseconds;

/// A process that is held, and the watch over it.
class BlockWatchTest : public testing::Test {
 protected:
  BlockWatchTest()
      : loop_(Log::to_function([this](LogLevel, std::string_view message) { lines_.emplace_back(message); })),
        symbolizer_(loop_, "master_test"),
        box_(*BlackBoxReader::make(net::Socket(open("/proc/self/exe", O_RDONLY | O_CLOEXEC)).fd())) {
    loop_.after(std::chrono::seconds(20), [this] { loop_.stop(); });
  }
  ~BlockWatchTest() override {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  /// Starts a process that shows an iteration and a handler, and watches it.
  void watch(milliseconds blocked_after, milliseconds kill_blocked_after, bool answers) {
    pid_ = fork();
    if (pid_ == 0) {
      BlackBox box(box_->fd());
      if (answers) box.answer_signals();
      box.page().iteration = 7;
      box.begin(Activity::on_message, {0x7f000001, 2300, 5});
      while (true) {
        pause();
        if (ends_when_interrupted_) {
          box.end();
          box.begin(Activity::on_close, {0x7f000001, 2300, 6});
        }
      }
    }
    while (box_->page().handler == 0) usleep(1000);
    spec_.blocked_after = blocked_after;
    spec_.kill_blocked_after = kill_blocked_after;
    SupervisedProcess process;
    process.spec = &spec_;
    process.pid = pid_;
    process.box = box_;
    processes_.push_back(process);
    watch_ = std::make_unique<BlockWatch>(loop_, processes_, symbolizer_);
  }

  /// Runs until a line of the log has `words` in it, and gives it.
  std::string line_with(const std::string& words) {
    std::string found;
    const net::TimerId timer = loop_.every(milliseconds(5), [&] {
      symbolizer_.reap();
      for (const std::string& line : lines_) {
        if (line.find(words) != std::string::npos) found = line;
      }
      if (!found.empty()) loop_.stop();
    });
    loop_.run();
    loop_.cancel(timer);
    return found;
  }

  std::vector<std::string> lines_;
  net::Loop loop_;
  Symbolizer symbolizer_;
  std::shared_ptr<BlackBoxReader> box_;
  ProcessSpec spec_{.role = "worker", .name = "w", .listening = "", .reference = "worker:0"};
  std::vector<SupervisedProcess> processes_;
  std::unique_ptr<BlockWatch> watch_;
  pid_t pid_ = 0;
  bool ends_when_interrupted_ = false;
};

TEST_F(BlockWatchTest, OneThatIsHeldIsToldOfOnceWithWhereItIs) {
  watch(milliseconds(100), milliseconds(0), true);
  const std::string line = line_with("it is at");
  EXPECT_NE(line.find("worker w:0 (pid " + std::to_string(pid_) + ") has been held for "), std::string::npos) << line;
  EXPECT_NE(line.find("by on_message of client 7f00000108fc00000005"), std::string::npos) << line;
  EXPECT_NE(line.find("#0 "), std::string::npos) << line;
  EXPECT_EQ(processes_[0].blocked, 1U);
  loop_.after(milliseconds(300), [this] { loop_.stop(); });
  loop_.run();
  EXPECT_EQ(processes_[0].blocked, 1U);
  EXPECT_EQ(lines_.size(), 1U);
  EXPECT_EQ(kill(pid_, 0), 0);
}

// The signal that asks where it is interrupts calls that wait, such as this one.
TEST_F(BlockWatchTest, AHandlerThatTheQuestionEndsIsToldOfAllTheSame) {
  ends_when_interrupted_ = true;
  watch(milliseconds(100), milliseconds(0), true);
  const std::string line = line_with("it is at");
  EXPECT_NE(line.find("by on_message of client 7f00000108fc00000005"), std::string::npos) << line;
  EXPECT_NE(line.find("#0 "), std::string::npos) << line;
}

TEST_F(BlockWatchTest, OneThatGoesOnIsLeftAlone) {
  watch(milliseconds(200), milliseconds(200), true);
  BlackBox theirs(box_->fd());
  loop_.every(milliseconds(20), [&theirs] { ++theirs.page().handler; });  // another handler each time, in one long iteration
  loop_.after(milliseconds(600), [this] { loop_.stop(); });
  loop_.run();
  EXPECT_EQ(processes_[0].blocked, 0U);
  EXPECT_TRUE(lines_.empty());
}

TEST_F(BlockWatchTest, OneThatWaitsIsNotHeld) {
  watch(milliseconds(50), milliseconds(50), true);
  BlackBox(box_->fd()).page().iteration = 0;
  loop_.after(milliseconds(300), [this] { loop_.stop(); });
  loop_.run();
  EXPECT_EQ(processes_[0].blocked, 0U);
}

TEST_F(BlockWatchTest, OneThatSaysNothingIsToldOfAllTheSame) {
  watch(milliseconds(50), milliseconds(0), false);
  EXPECT_NE(line_with("does not say where it is"), "");
}

// Everything was stopped and continued: whoever was in the middle of a handler is so still, and not to blame.
TEST_F(BlockWatchTest, TheTimeInWhichTheWatchStoodStillDoesNotCount) {
  watch(milliseconds(1000), milliseconds(1000), true);
  loop_.after(milliseconds(300), [this] { loop_.stop(); });
  loop_.run();
  usleep(2'100'000);
  loop_.after(milliseconds(100), [this] { loop_.stop(); });
  loop_.run();
  EXPECT_EQ(processes_[0].blocked, 0U);
  EXPECT_EQ(kill(pid_, 0), 0);
  EXPECT_NE(line_with("is killed"), "") << "from then on its time runs again";
}

TEST_F(BlockWatchTest, OneIsKilledWhenThatIsWanted) {
  watch(milliseconds(0), milliseconds(100), true);
  EXPECT_NE(line_with("is killed"), "");
  int status = 0;
  EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  pid_ = 0;
}

}  // namespace
}  // namespace gatehouse::master
