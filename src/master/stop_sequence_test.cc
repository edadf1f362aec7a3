#include "master/stop_sequence.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>

namespace gatehouse::master {
namespace {

/// Three processes that only exist in the table; a test decides when each of them ends.
class StopSequenceTest : public testing::Test {
 protected:
  StopSequenceTest() : loop_(Log("test")) {
    for (const int stage : {2, 0, 1}) {
      specs_.push_back({.role = "role",
                        .name = std::to_string(stage),
                        .listening = "",
                        .reference = "role:0",
                        .count = 1,
                        .stop_stage = stage});
    }
    for (std::size_t i = 0; i < specs_.size(); ++i) {
      SupervisedProcess process;
      process.spec = &specs_[i];
      process.pid = static_cast<pid_t>(1000 + i);
      processes_.push_back(process);
    }
  }

  void begin(std::chrono::milliseconds timeout) {
    sequence_ = std::make_unique<StopSequence>(
        loop_, processes_, timeout,
        [this](SupervisedProcess& process, int signal) {
          signals_ += process.spec->name + (signal == SIGTERM ? "T " : "K ");
          if (signal == SIGKILL || process.spec->name == ends_at_term_) process.pid = 0;
        },
        [this] { signals_ += "stopped"; });
    sequence_->advance();
  }
  void run_for(std::chrono::milliseconds time) {
    loop_.after(time, [this] { loop_.stop(); });
    loop_.run();
  }

  net::Loop loop_;
  std::vector<ProcessSpec> specs_;
  std::vector<SupervisedProcess> processes_;
  std::unique_ptr<StopSequence> sequence_;
  std::string ends_at_term_;
  std::string signals_;
};

TEST_F(StopSequenceTest, AStageFollowsTheEndOfTheOneBefore) {
  begin(std::chrono::hours(1));
  EXPECT_EQ(signals_, "0T ");
  sequence_->advance();
  EXPECT_EQ(signals_, "0T ") << "it lives still";
  processes_[1].pid = 0;
  sequence_->advance();
  EXPECT_EQ(signals_, "0T 1T ");
  processes_[2].pid = 0;
  sequence_->advance();
  processes_[0].pid = 0;
  sequence_->advance();
  EXPECT_EQ(signals_, "0T 1T 2T stopped");
}

TEST_F(StopSequenceTest, SaysStoppedOnce) {
  for (SupervisedProcess& process : processes_) process.pid = 0;
  begin(std::chrono::hours(1));
  sequence_->advance();
  EXPECT_EQ(signals_, "stopped");
}

TEST_F(StopSequenceTest, AStageThatHangsDoesNotKeepTheOthersFromBeingAsked) {
  ends_at_term_ = "1";
  begin(std::chrono::milliseconds(60));
  const net::TimerId killed = loop_.every(std::chrono::milliseconds(1), [this] {
    if (signals_.ends_with("0K ")) loop_.stop();
  });
  run_for(std::chrono::seconds(20));
  loop_.cancel(killed);
  EXPECT_EQ(signals_, "0T 1T 2T 2K 0K ") << "asked first, and killed in the order of the table";
  sequence_->advance();
  EXPECT_EQ(signals_, "0T 1T 2T 2K 0K stopped");
}

}  // namespace
}  // namespace gatehouse::master
