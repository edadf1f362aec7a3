#include "master/process_control.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <csignal>
#include <memory>
#include <optional>
#include <string>

#include "master/master.h"
#include "net/socket.h"

namespace gatehouse::master {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Json = nlohmann::ordered_json;
using State = SupervisedProcess::State;

/// A master of two like processes that share a listening socket; each is a shell script, for which the control channel is
/// descriptor 4.
class ProcessControlTest : public testing::Test {
 protected:
  // At a port that is named: one that the kernel has chosen would not be kept while nobody listens.
  ProcessControlTest() : listener_(net::listen_tcp(free_endpoint()).value()) {
    loop_.on_signal(SIGCHLD, [this] { master_->reap(); });
    loop_.after(seconds(30), [this] { loop_.stop(); });
  }
  static net::Endpoint free_endpoint() {
    const net::Socket any = net::listen_tcp(*net::Endpoint::parse_numeric("127.0.0.1:0")).value();
    return *net::Endpoint::parse_numeric(net::local_address(any.fd()).to_string());
  }
  ~ProcessControlTest() override {
    if (master_ == nullptr) return;
    master_->stop();
    if (!stopped_) loop_.run();
  }

  void make(const std::string& script, int count = 2, bool graceful = true) {
    ProcessSpec spec{.role = "gateway", .name = "web", .listening = "", .reference = "gateway:0", .count = count};
    spec.graceful = graceful;
    spec.listeners.assign(static_cast<std::size_t>(count), {listener_.fd()});
    master_ = std::make_unique<Master>(loop_,
                                       Master::Options{.name = "test",
                                                       .processes = {spec},
                                                       .program = "/bin/sh",
                                                       .arguments = {"sh", "-c", script},
                                                       .stop_timeout = milliseconds(200)},
                                       Master::Callbacks{.on_started = [this](const StartOutcome&) { loop_.stop(); },
                                                         .on_stopped =
                                                             [this] {
                                                               stopped_ = true;
                                                               loop_.stop();
                                                             }});
    master_->start();
    loop_.run();
    ASSERT_EQ(process(0).state, State::running);
  }
  const SupervisedProcess& process(std::size_t place) { return master_->processes().at(place); }

  ProcessControl::Done keep() {
    answer_.reset();
    return [this](const Json& answer) {
      answer_ = answer;
      if (is_waiting_) loop_.stop();
    };
  }
  /// For the answer, which may have come already.
  void wait() {
    if (answer_) return;
    is_waiting_ = true;
    loop_.run();
    is_waiting_ = false;
  }
  template <class Condition>
  bool until(Condition condition) {
    bool held = false;  // it may be so for a moment only
    const net::TimerId look = loop_.every(milliseconds(1), [&] {
      held = held || condition();
      if (held) loop_.stop();
    });
    loop_.run();
    loop_.cancel(look);
    return held;
  }
  Json stop(const std::string& name, bool gracefully, milliseconds timeout = seconds(20)) {
    master_->stop_process(name, gracefully, timeout, keep());
    wait();
    return answer_.value_or(Json());
  }
  Json start(const std::string& name) {
    master_->start_process(name, keep());
    wait();
    return answer_.value_or(Json());
  }
  [[nodiscard]] bool takes_connections() const {
    const net::Address at = net::local_address(listener_.fd());
    const auto endpoint = net::Endpoint::parse_numeric(at.to_string()).value();
    const net::Socket client(::socket(AF_INET, SOCK_STREAM, 0));
    return ::connect(client.fd(), endpoint.address(), endpoint.length()) == 0;
  }
  static std::string error(const Json& answer) { return answer.value("error", ""); }

  net::Loop loop_{Log::silent()};
  net::Socket listener_;
  std::unique_ptr<Master> master_;
  std::optional<Json> answer_;
  bool is_waiting_ = false;
  bool stopped_ = false;
};

// Ends at the first line that it is told.
constexpr const char* kLeaves = "echo '{\"ready\":true}' >&4; while ! read -r line <&4; do sleep 0.02; done; echo \"$line\" >&4";
constexpr const char* kStays = "trap '' TERM; echo '{\"ready\":true}' >&4; while :; do sleep 0.02; done";

TEST_F(ProcessControlTest, OneLeavesAloneAndComesBackWhenItIsTold) {
  make(kLeaves);
  const pid_t other = process(0).pid;
  const Json stopped = stop("web:1", true);
  EXPECT_EQ(stopped["process"], "gateway web:1");
  EXPECT_EQ(stopped["in_time"], true);
  EXPECT_EQ(process(1).state, State::stopped);
  EXPECT_TRUE(process(1).held);
  EXPECT_EQ(process(1).restarts, 0U);
  EXPECT_EQ(process(0).pid, other);
  EXPECT_TRUE(takes_connections()) << "its sibling does";
  EXPECT_EQ(error(stop("web:1", true)), "gateway web:1 is stopped already");
  EXPECT_EQ(error(start("web:0")), "gateway web:0 is running already");

  const Json started = start("web:1");
  EXPECT_EQ(process(1).state, State::running);
  EXPECT_EQ(started["pid"], process(1).pid);
  EXPECT_FALSE(process(1).held);
}

TEST_F(ProcessControlTest, APortThatNobodyHasAnyMoreRefusesUntilOneIsStarted) {
  make(kLeaves);
  (void)stop("web:0", true);
  EXPECT_TRUE(takes_connections());
  (void)stop("web:1", false);
  EXPECT_FALSE(takes_connections()) << "nobody would ever accept it";
  (void)start("web:0");
  EXPECT_TRUE(takes_connections());
}

TEST_F(ProcessControlTest, WhoDoesNotLeaveInTimeIsMadeTo) {
  make(kStays, 1);
  const Json stopped = stop("web:0", true, milliseconds(50));
  EXPECT_EQ(stopped["in_time"], false);
  EXPECT_EQ(stopped["how"], "SIGKILL");
}

TEST_F(ProcessControlTest, ASecondStopMayBeLessPatient) {
  make(kStays, 1);
  std::optional<Json> first;
  master_->stop_process("web:0", true, seconds(20), [&](const Json& answer) { first = answer; });
  EXPECT_EQ(process(0).state, State::leaving);
  EXPECT_NE(error(start("web:0")).find("has not gone yet"), std::string::npos);
  EXPECT_EQ(stop("web:0", false)["how"], "SIGKILL");
  ASSERT_TRUE(first.has_value()) << "both hear of it";
  EXPECT_EQ((*first)["how"], "SIGKILL");
}

TEST_F(ProcessControlTest, OneThatIsToldToLeaveKnowsWhetherItHasSiblings) {
  // It goes on with what it was told as the reason of its end.
  make(
      "echo '{\"ready\":true}' >&4; while ! read -r line <&4; do sleep 0.02; done; case $line in *siblings*true*) exit 7;; *) "
      "exit 8;; esac");
  EXPECT_EQ(stop("web:0", true)["how"], "exit status 7");
  EXPECT_EQ(stop("web:1", true)["how"], "exit status 8");
}

TEST_F(ProcessControlTest, OneThatIsBetweenTwoStartsIsNotStartedAgain) {
  make(kLeaves);
  // The first time it is started again at once, later after pauses that grow.
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(until([this] { return process(1).is_alive(); }));
    kill(process(1).pid, SIGKILL);
    ASSERT_TRUE(until([this] { return process(1).state == State::restarting; }));
  }
  EXPECT_EQ(stop("web:1", true)["how"], "was not running");
  EXPECT_EQ(process(1).state, State::stopped);
  EXPECT_EQ(start("web:1")["process"], "gateway web:1");
}

TEST_F(ProcessControlTest, OneThatEndsWhileItStartsIsAnError) {
  make("test -z \"$GATEHOUSE_SECOND\" && echo '{\"ready\":true}' >&4; while ! read -r line <&4; do sleep 0.02; done", 1);
  (void)stop("web:0", true);
  setenv("GATEHOUSE_SECOND", "1", 1);
  master_->start_process("web:0", keep());
  kill(process(0).pid, SIGKILL);
  wait();
  unsetenv("GATEHOUSE_SECOND");
  EXPECT_EQ(error(answer_.value_or(Json())), "gateway web:0 ended while starting: SIGKILL; it is tried again");
  (void)stop("web:0", false);
}

TEST_F(ProcessControlTest, WhoHasNoClientsHasNobodyToWaitFor) {
  make(kLeaves, 1, false);
  EXPECT_EQ(error(stop("web:0", true)), "a gateway has no clients to wait for; leave -g out");
  EXPECT_EQ(stop("web:0", false)["how"], "SIGTERM");
}

TEST_F(ProcessControlTest, AnUnknownNameListsThoseThereAre) {
  make(kLeaves);
  EXPECT_EQ(error(stop("web:2", true)), "there is no process \"web:2\"; there are web:0, web:1");
  EXPECT_EQ(error(start("x:0")), "there is no process \"x:0\"; there are web:0, web:1");
}

}  // namespace
}  // namespace gatehouse::master
