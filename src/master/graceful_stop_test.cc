#include "master/graceful_stop.h"

#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>

namespace gatehouse::master {
namespace {

using std::chrono::milliseconds;

class GracefulStopTest : public testing::Test {
 protected:
  void make(milliseconds timeout) {
    for (const ProcessSpec* spec : {&gateway_, &worker_, &other_}) {
      SupervisedProcess process;
      process.spec = spec;
      process.pid = static_cast<pid_t>(10 + processes_.size());
      processes_.push_back(process);
    }
    stop_ = std::make_unique<GracefulStop>(
        loop_, processes_, timeout,
        [this](SupervisedProcess& process, int signal) {
          EXPECT_EQ(signal, SIGQUIT);
          told_ += process.spec->name;
        },
        [this](bool in_time) {
          done_ += in_time ? "in time" : "late";
          loop_.stop();
        });
    stop_->advance();
  }
  void end(std::size_t place) {
    processes_[place].pid = 0;
    stop_->advance();
  }

  net::Loop loop_{Log("graceful stop test")};
  ProcessSpec gateway_{.role = "gateway", .name = "g", .listening = "", .reference = "gateway:0", .graceful = true};
  ProcessSpec worker_{.role = "worker", .name = "w", .listening = "", .reference = "worker:0", .stop_stage = 1, .graceful = true};
  ProcessSpec other_{.role = "process", .name = "p", .listening = "", .reference = "process:0", .stop_stage = 2};
  std::vector<SupervisedProcess> processes_;
  std::unique_ptr<GracefulStop> stop_;
  std::string told_;
  std::string done_;
};

TEST_F(GracefulStopTest, GoesByStages) {
  make(milliseconds(10'000));
  EXPECT_EQ(told_, "g");
  EXPECT_TRUE(stop_->is_leaving(processes_[0]));
  EXPECT_FALSE(stop_->is_leaving(processes_[1])) << "it is still needed, and started again";
  stop_->advance();
  EXPECT_EQ(told_, "g");
  end(0);
  EXPECT_EQ(told_, "gw");
  EXPECT_TRUE(stop_->is_leaving(processes_[1]));
  EXPECT_FALSE(stop_->is_leaving(processes_[2]));
  EXPECT_EQ(done_, "");
  end(1);
  EXPECT_EQ(told_, "gw");
  EXPECT_EQ(done_, "in time");
}

TEST_F(GracefulStopTest, EndsWithTheTime) {
  make(milliseconds(30));
  loop_.run();
  EXPECT_EQ(done_, "late");
  EXPECT_EQ(told_, "g");
}

}  // namespace
}  // namespace gatehouse::master
