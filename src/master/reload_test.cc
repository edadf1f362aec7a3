#include "master/reload.h"

#include <gtest/gtest.h>

#include <csignal>
#include <optional>
#include <string>
#include <utility>

namespace gatehouse::master {
namespace {

using std::chrono::milliseconds;

/// A reload whose processes are only entries of the table.
class ReloadTest : public testing::Test {
 protected:
  void make(int workers, bool gracefully = false) {
    worker_.count = workers;
    processes_.push_back(running(gateway_, 0, 10));
    for (int index = 0; index < workers; ++index) processes_.push_back(running(worker_, index, 20 + index));
    reload_ = std::make_unique<Reload>(
        loop_, processes_,
        Reload::Settings{.specs = specs_.empty() ? std::vector<const ProcessSpec*>{&worker_} : specs_,
                         .gracefully = gracefully,
                         .ready_timeout = milliseconds(1000),
                         .leave_timeout = milliseconds(50),
                         .stop_timeout = milliseconds(50)},
        Reload::Actions{
            .launch = [this](std::size_t place) { launch(place); },
            .let_serve = [this](std::size_t place) { let_serve_.push_back(place); },
            .send_signal = [this](SupervisedProcess& process, int signal) { signals_.emplace_back(process.pid, signal); },
            .decided = [this] { ++decided_; },
            .forget = [this](std::size_t place) { forgotten_.push_back(place); },
            .exchange =
                [this](std::size_t a, std::size_t b) {
                  std::swap(processes_[a], processes_[b]);
                  std::swap(processes_[a].temporary, processes_[b].temporary);
                }},
        [this](const ReloadOutcome& outcome) {
          ASSERT_FALSE(outcome_.has_value()) << "reported twice";
          outcome_ = outcome;
        });
  }
  static SupervisedProcess running(const ProcessSpec& spec, int index, pid_t pid) {
    SupervisedProcess process;
    process.spec = &spec;
    process.index = index;
    process.pid = pid;
    process.state = SupervisedProcess::State::running;
    return process;
  }
  void launch(std::size_t place) {
    launched_.push_back(place);
    if (!executable_) {
      reload_->on_exit(place, "could not be started: no file");
      return;
    }
    processes_[place].pid = static_cast<pid_t>(100 + place);
    processes_[place].state = SupervisedProcess::State::running;
  }
  bool exit(std::size_t place, const std::string& how = "exit status 0") {
    processes_[place].pid = 0;
    return reload_->on_exit(place, how);
  }
  void run(int ms) {
    loop_.after(milliseconds(ms), [this] { loop_.stop(); });
    loop_.run();
  }

  net::Loop loop_{Log("reload test")};
  ProcessSpec gateway_{.role = "gateway", .name = "g", .listening = "", .reference = "gateway:0"};
  ProcessSpec worker_{.role = "worker", .name = "w", .listening = "", .reference = "worker:0", .reloadable = true};
  std::vector<SupervisedProcess> processes_;
  std::unique_ptr<Reload> reload_;
  std::vector<std::size_t> launched_;
  std::vector<std::size_t> let_serve_;
  std::vector<std::pair<pid_t, int>> signals_;
  std::optional<ReloadOutcome> outcome_;
  std::vector<const ProcessSpec*> specs_;
  std::vector<std::size_t> forgotten_;
  int decided_ = 0;
  bool executable_ = true;
};

using Places = std::vector<std::size_t>;
using Signals = std::vector<std::pair<pid_t, int>>;

TEST_F(ReloadTest, MoreAndFewerAndOtherOnes) {
  ProcessSpec more{.role = "worker", .name = "w", .listening = "", .reference = "worker:0", .count = 1, .reloadable = true};
  ProcessSpec other{.role = "worker", .name = "o", .listening = "", .reference = "worker:1", .count = 1, .reloadable = true};
  specs_ = {&more, &other};
  make(2);
  reload_->start();
  EXPECT_EQ(launched_, (Places{3, 4}));
  EXPECT_EQ(processes_[3].generation, 1);
  EXPECT_EQ(processes_[4].generation, 0) << "there was none before it";
  for (const std::size_t place : {3, 4}) reload_->on_ready(place);
  EXPECT_EQ(decided_, 0);
  for (const std::size_t place : {3, 4}) reload_->on_serving(place);
  EXPECT_EQ(decided_, 1);
  EXPECT_EQ(forgotten_, Places{2}) << "nobody follows it";
  EXPECT_EQ(signals_, (Signals{{20, SIGQUIT}, {21, SIGQUIT}}));
  EXPECT_FALSE(processes_[4].temporary);
  EXPECT_TRUE(processes_[2].temporary);
  EXPECT_TRUE(exit(3));
  EXPECT_TRUE(exit(2));
  EXPECT_FALSE(exit(4)) << "it is watched like any other";
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->replaced, 2U);
}

TEST_F(ReloadTest, NoneAtAllAnyMore) {
  ProcessSpec gone{.role = "worker", .name = "gone", .listening = "", .reference = "worker:0", .count = 0, .reloadable = true};
  specs_ = {&gone};
  make(2);
  reload_->start();
  EXPECT_EQ(launched_, Places{});
  EXPECT_EQ(decided_, 1);
  EXPECT_EQ(signals_, (Signals{{20, SIGQUIT}, {21, SIGQUIT}}));
}

TEST_F(ReloadTest, TheOldLeaveWhenAllOfTheNewServe) {
  make(2);
  reload_->start();
  EXPECT_EQ(launched_, (Places{3, 4}));
  EXPECT_EQ(processes_[4].index, 1);
  EXPECT_EQ(processes_[4].generation, 1);
  reload_->on_ready(3);
  reload_->on_ready(3);
  reload_->on_serving(3);
  EXPECT_TRUE(let_serve_.empty());
  reload_->on_ready(4);
  EXPECT_EQ(let_serve_, (Places{3, 4}));
  reload_->on_serving(4);
  EXPECT_TRUE(signals_.empty());
  EXPECT_TRUE(reload_->is_undecided());
  reload_->on_serving(3);
  EXPECT_FALSE(reload_->is_undecided());
  EXPECT_EQ(signals_, (Signals{{20, SIGQUIT}, {21, SIGQUIT}}));
  EXPECT_EQ(processes_[1].pid, 103);
  EXPECT_EQ(processes_[2].pid, 104);
  EXPECT_FALSE(processes_[1].temporary);
  EXPECT_EQ(processes_[3].state, SupervisedProcess::State::leaving);
  EXPECT_FALSE(outcome_.has_value());
  EXPECT_FALSE(exit(1)) << "the new one is watched like any other from now on";
  EXPECT_TRUE(exit(3));
  EXPECT_TRUE(exit(4));
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->failure, "");
  EXPECT_EQ(outcome_->replaced, 2U);
  EXPECT_EQ(outcome_->leaving, 0U);
  EXPECT_TRUE(reload_->is_over());
}

TEST_F(ReloadTest, ThoseThatAreNotDoneAreHurriedThenKilled) {
  make(1);
  reload_->start();
  reload_->on_ready(2);
  reload_->on_serving(2);
  run(200);
  EXPECT_EQ(signals_, (Signals{{20, SIGQUIT}, {20, SIGTERM}, {20, SIGKILL}}));
  EXPECT_TRUE(exit(2, "SIGKILL"));
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->cut_short, 1U);
  EXPECT_EQ(outcome_->failure, "");
}

TEST_F(ReloadTest, WithPatienceNobodyIsHurried) {
  make(1, true);
  reload_->start();
  reload_->on_ready(2);
  reload_->on_serving(2);
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->leaving, 1U);
  run(200);
  EXPECT_EQ(signals_, (Signals{{20, SIGQUIT}}));
  EXPECT_FALSE(reload_->is_over());
  EXPECT_TRUE(exit(2));
  EXPECT_TRUE(reload_->is_over());
}

TEST_F(ReloadTest, OneThatEndsBeforeItServesEndsAllOfThem) {
  for (const bool serving : {false, true}) {
    processes_.clear();
    signals_.clear();
    outcome_.reset();
    make(2);
    reload_->start();
    reload_->on_ready(3);
    if (serving) {
      reload_->on_ready(4);
      reload_->on_serving(3);
    }
    EXPECT_TRUE(exit(4, "ended: exit status 7"));
    ASSERT_TRUE(outcome_.has_value());
    EXPECT_EQ(outcome_->failure, "the new worker w:1 ended: exit status 7");
    EXPECT_EQ(processes_[1].pid, 20);
    EXPECT_EQ(processes_[2].pid, 21);
    EXPECT_FALSE(reload_->is_over());
    run(20);
    EXPECT_EQ(signals_, (Signals{{103, SIGQUIT}, {103, SIGTERM}}));
    EXPECT_TRUE(exit(3));
    EXPECT_TRUE(reload_->is_over());
  }
}

TEST_F(ReloadTest, SaysTheReasonInTheProcessesOwnWords) {
  make(1);
  reload_->start();
  processes_[2].complaint = "on_worker_start failed: no database";
  EXPECT_TRUE(exit(2, "exit status 1"));
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->failure, "the new worker w:0 cannot start: on_worker_start failed: no database");
}

TEST_F(ReloadTest, AFileThatCannotBeExecutedIsTriedOnce) {
  executable_ = false;
  make(3);
  reload_->start();
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->failure, "the new worker w:0 could not be started: no file");
  EXPECT_EQ(launched_.size(), 1U);
  EXPECT_TRUE(reload_->is_over());
}

TEST_F(ReloadTest, OneThatIsNeverReadyEndsIt) {
  make(2);
  reload_->start();
  reload_->on_ready(3);
  run(1100);
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->failure, "the new worker w:1 was not ready within 1 s");
  EXPECT_TRUE(exit(3));
  EXPECT_TRUE(exit(4));
  EXPECT_TRUE(reload_->is_over());
}

TEST_F(ReloadTest, PlacesAreUsedAgain) {
  make(2);
  for (int round = 1; round <= 3; ++round) {
    launched_.clear();
    reload_->start();
    EXPECT_EQ(launched_, (Places{3, 4}));
    for (const std::size_t place : {3U, 4U}) reload_->on_ready(place);
    for (const std::size_t place : {3U, 4U}) reload_->on_serving(place);
    for (const std::size_t place : {3U, 4U}) EXPECT_TRUE(exit(place));
    EXPECT_EQ(processes_.size(), 5U);
    EXPECT_EQ(processes_[1].generation, round);
    outcome_.reset();
    std::vector<SupervisedProcess> table;
    table.swap(processes_);
    make(2);
    processes_ = std::move(table);
  }
}

TEST_F(ReloadTest, OneThatWasJustNotThereIsReplacedToo) {
  make(1);
  processes_[1].pid = 0;
  processes_[1].state = SupervisedProcess::State::restarting;
  reload_->start();
  reload_->on_ready(2);
  reload_->on_serving(2);
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->replaced, 1U);
  EXPECT_TRUE(signals_.empty());
  EXPECT_EQ(processes_[1].pid, 102);
  EXPECT_TRUE(reload_->is_over());
}

}  // namespace
}  // namespace gatehouse::master
