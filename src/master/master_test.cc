#include "master/master.h"

#include <gtest/gtest.h>

#include <sys/wait.h>

#include <csignal>
#include <optional>
#include <string>

namespace gatehouse::master {
namespace {

using std::chrono::milliseconds;

/// A master whose children are a shell script. The control channel of a child without listeners is descriptor 3.
class MasterTest : public testing::Test {
 protected:
  MasterTest() : log_("master"), loop_(quiet(log_)) {}

  static Log quiet(Log log) {
    log.set_level(LogLevel::error);
    return log;
  }

  void make(const std::string& script, int count = 1, milliseconds stop_timeout = milliseconds(5000)) {
    master_ = std::make_unique<Master>(
        loop_,
        Master::Options{.name = "test",
                        .processes = {{.role = "worker", .name = "w", .listening = "", .reference = "worker:0", .count = count}},
                        .program = "/bin/sh",
                        .arguments = {"sh", "-c", script},
                        .stop_timeout = stop_timeout},
        Master::Callbacks{.on_started =
                              [this](const StartOutcome& outcome) {
                                outcome_ = outcome;
                                loop_.stop();
                              },
                          .on_stopped =
                              [this] {
                                stopped_ = true;
                                loop_.stop();
                              }});
    loop_.on_signal(SIGCHLD, [this] { master_->reap(); });
    loop_.after(std::chrono::seconds(20), [this] { loop_.stop(); });
    master_->start();
  }
  void stop() {
    master_->stop();
    if (!stopped_) loop_.run();
    EXPECT_TRUE(stopped_);
  }
  const SupervisedProcess& process(std::size_t place = 0) { return master_->processes().at(place); }

  Log log_;
  net::Loop loop_;
  std::unique_ptr<Master> master_;
  std::optional<StartOutcome> outcome_;
  bool stopped_ = false;
};

// The channel does not block, so the shell has to try again until there is a line.
constexpr const char* kReadyThenWait = "echo '{\"ready\":true}' >&3; while ! read -r line <&3; do sleep 0.02; done";

TEST_F(MasterTest, TellsWhenAllAreReady) {
  make(kReadyThenWait, 2);
  loop_.run();
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_TRUE(outcome_->not_ready.empty());
  EXPECT_EQ(outcome_->failure, "");
  EXPECT_EQ(process().state, SupervisedProcess::State::running);
  stop();
  EXPECT_EQ(process(1).state, SupervisedProcess::State::stopped);
  EXPECT_EQ(process(1).last_exit, "SIGTERM");
}

TEST_F(MasterTest, ChildrenKnowWhichOneTheyAre) {
  make("test \"$GATEHOUSE_CHILD/$GATEHOUSE_LISTEN_FDS/$GATEHOUSE_CONTROL_FD\" = worker:0:0//3 && " + std::string(kReadyThenWait));
  loop_.run();
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_TRUE(outcome_->not_ready.empty());
  stop();
}

TEST_F(MasterTest, AProcessThatIsKilledIsStartedAgain) {
  make(kReadyThenWait);
  loop_.run();
  const pid_t first = process().pid;
  kill(first, SIGKILL);
  const net::TimerId look = loop_.every(milliseconds(5), [this, first] {
    if (process().state == SupervisedProcess::State::running && process().pid != first) loop_.stop();
  });
  loop_.run();
  loop_.cancel(look);  // else it may end the loop of stop()
  EXPECT_NE(process().pid, first);
  EXPECT_EQ(process().restarts, 1U);
  EXPECT_EQ(process().last_exit, "SIGKILL");
  stop();
}

TEST_F(MasterTest, AProcessThatKeepsEndingMakesTheStartAFailure) {
  make("exit 3");
  loop_.run();
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->failure, "worker w:0 ended 3 times while starting, the last time with exit status 3");
  EXPECT_EQ(outcome_->not_ready, std::vector<std::string>{"worker w:0"});
  stop();
}

TEST_F(MasterTest, OneThatDoesNotStopIsKilled) {
  make("trap '' TERM; echo '{\"ready\":true}' >&3; while :; do sleep 0.02; done", 1, milliseconds(100));
  loop_.run();
  stop();
  EXPECT_EQ(process().last_exit, "SIGKILL");
}

TEST_F(MasterTest, StatusHasTheAnswersOfTheChildrenInIt) {
  make(std::string(kReadyThenWait) + "; echo '{\"id\":1,\"answer\":{\"connections\":42}}' >&3; sleep 5");
  loop_.run();
  nlohmann::ordered_json status;
  master_->status([&](const nlohmann::ordered_json& answer) {
    status = answer;
    loop_.stop();
  });
  loop_.run();
  ASSERT_TRUE(status.is_object());
  EXPECT_EQ(status["processes"][0]["connections"], 42);
  EXPECT_EQ(status["processes"][0]["state"], "running");
  stop();
}

TEST_F(MasterTest, AChildThatDoesNotAnswerIsBusy) {
  make("echo '{\"ready\":true}' >&3; while :; do sleep 0.05; done");
  loop_.run();
  nlohmann::ordered_json status;
  master_->status([&](const nlohmann::ordered_json& answer) {
    status = answer;
    loop_.stop();
  });
  loop_.run();
  EXPECT_EQ(status["processes"][0]["state"], "busy");
  stop();
}

// The gateway's end lets the workers' turn to leave come; one of them is just waiting to be started again then.
TEST_F(MasterTest, NoProcessIsStartedAgainWhoseTurnToLeaveHasCome) {
  const std::string script = "echo '{\"ready\":true}' >&3; case $GATEHOUSE_CHILD in *:0) while :; do sleep 0.02; done;; esac";
  master_ = std::make_unique<Master>(
      loop_,
      Master::Options{.name = "test",
                      .processes = {{.role = "gateway", .name = "g", .listening = "", .reference = "gateway:0", .graceful = true},
                                    {.role = "worker",
                                     .name = "w",
                                     .listening = "",
                                     .reference = "worker:0",
                                     .count = 2,
                                     .stop_stage = 1,
                                     .graceful = true}},
                      .program = "/bin/sh",
                      .arguments = {"sh", "-c", script}},
      Master::Callbacks{.on_started = [](const StartOutcome&) {}, .on_stopped = [this] { stopped_ = true; }});
  loop_.after(std::chrono::seconds(20), [this] { loop_.stop(); });
  bool reaps = true;
  loop_.on_signal(SIGCHLD, [&] {
    if (reaps) master_->reap();
  });
  master_->start();
  // The second worker ends at once, again and again, and has to wait for longer and longer.
  loop_.every(milliseconds(1), [this] {
    if (process(2).restarts >= 3 && process(2).state == SupervisedProcess::State::restarting) loop_.stop();
  });
  loop_.run();
  reaps = false;
  ASSERT_EQ(process(2).state, SupervisedProcess::State::restarting);
  master_->stop_gracefully(std::chrono::seconds(60));
  kill(process(0).pid, SIGKILL);
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(process(0).pid), &info, WEXITED | WNOWAIT), 0);
  master_->reap();
  EXPECT_EQ(process(0).state, SupervisedProcess::State::stopped);
  EXPECT_TRUE(process(1).is_alive());
  EXPECT_EQ(process(2).state, SupervisedProcess::State::stopped);
  reaps = true;
  kill(process(1).pid, SIGKILL);
  loop_.every(milliseconds(5), [this] {
    if (stopped_) loop_.stop();
  });
  loop_.run();
  EXPECT_TRUE(stopped_) << "the last one that was left has ended";
}

TEST_F(MasterTest, AProgramFileThatIsGoneIsAFailureWithItsReason) {
  master_ = std::make_unique<Master>(
      loop_,
      Master::Options{.name = "test",
                      .processes = {{.role = "worker", .name = "w", .listening = "", .reference = "worker:0"}},
                      .program = "/nonexistent/program",
                      .arguments = {"program"}},
      Master::Callbacks{.on_started =
                            [this](const StartOutcome& outcome) {
                              outcome_ = outcome;
                              loop_.stop();
                            },
                        .on_stopped = [this] { stopped_ = true; }});
  master_->start();
  loop_.run();
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_NE(outcome_->failure.find("cannot execute /nonexistent/program"), std::string::npos);
  stop();
}

}  // namespace
}  // namespace gatehouse::master
