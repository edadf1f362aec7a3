#include "master/child_control.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "master/child_questions.h"

namespace gatehouse::master {
namespace {

/// Both ends of one control channel on one loop.
class ChildControlTest : public testing::Test {
 protected:
  ChildControlTest()
      : loop_(Log("test")),
        questions_(loop_),
        lines_(
            [this](net::Connection&, const nlohmann::json& message) {
              if (message.contains("ready")) ready_ = true;
              questions_.on_answer(kPlace, message);
            },
            [](net::Connection&) {}) {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    master_end_ = loop_.adopt(net::Socket(ends[0]), lines_);
    child_fd_ = ends[1];
    loop_.after(std::chrono::seconds(5), [this] { loop_.stop(); });
  }

  void ask(const std::string& question, std::chrono::milliseconds timeout) {
    questions_.ask(question, {{kPlace, master_end_}}, timeout, [this](const ChildQuestions::Answers& answers) {
      answers_ = answers;
      loop_.stop();
    });
  }

  static constexpr std::size_t kPlace = 3;
  net::Loop loop_;
  ChildQuestions questions_;
  JsonLines lines_;
  net::ConnectionId master_end_;
  int child_fd_ = -1;
  bool ready_ = false;
  std::optional<ChildQuestions::Answers> answers_;
};

TEST_F(ChildControlTest, AnnouncesReadyAndAnswersStatus) {
  ChildControl control(loop_, child_fd_, [] { return RoleStatus{.listening = "tcp://x", .connections = 42}; }, [] {});
  control.announce_ready();
  ask("status", std::chrono::seconds(2));
  loop_.run();
  EXPECT_TRUE(ready_);
  ASSERT_TRUE(answers_.has_value());
  ASSERT_EQ(answers_->count(kPlace), 1U);
  EXPECT_EQ(answers_->at(kPlace)["connections"], 42);
  EXPECT_EQ(answers_->at(kPlace)["listening"], "tcp://x");
}

TEST_F(ChildControlTest, AQuestionItDoesNotKnowHasNoAnswer) {
  const ChildControl control(loop_, child_fd_, [] { return RoleStatus{}; }, [] {});
  ask("weather", std::chrono::seconds(2));
  loop_.run();
  ASSERT_TRUE(answers_.has_value());
  EXPECT_TRUE(answers_->empty());
}

TEST_F(ChildControlTest, AChildThatDoesNotAnswerIsNotWaitedForLong) {
  const net::Socket silent(child_fd_);
  ask("status", std::chrono::milliseconds(20));
  loop_.run();
  ASSERT_TRUE(answers_.has_value());
  EXPECT_TRUE(answers_->empty());
}

TEST_F(ChildControlTest, AChildThatEndedIsNotWaitedFor) {
  const net::Socket silent(child_fd_);
  ask("status", std::chrono::hours(1));
  questions_.forget(kPlace);
  EXPECT_TRUE(answers_.has_value());
}

TEST_F(ChildControlTest, HearsThatTheMasterIsGone) {
  bool lost = false;
  const ChildControl control(
      loop_, child_fd_, [] { return RoleStatus{}; },
      [&] {
        lost = true;
        loop_.stop();
      });
  loop_.find(master_end_)->destroy();
  loop_.run();
  EXPECT_TRUE(lost);
}

TEST_F(ChildControlTest, WhatIsAskedWithoutAnIdIsDoneAndNotAnswered) {
  ChildControl control(loop_, child_fd_, [] { return RoleStatus{}; }, [] {});
  std::vector<std::string> levels;
  control.answer("log level", [&](const nlohmann::json& message) {
    levels.push_back(message.value("level", ""));
    return nlohmann::ordered_json::object();
  });
  JsonLines::send(loop_.find(master_end_), {{"ask", "log level"}, {"level", "debug"}});
  ask("log level", std::chrono::seconds(2));  // behind it
  loop_.run();
  ASSERT_TRUE(answers_.has_value());
  EXPECT_EQ(answers_->count(kPlace), 1U) << "one answer, to the second";
  EXPECT_EQ(levels, (std::vector<std::string>{"debug", ""}));
}

}  // namespace
}  // namespace gatehouse::master
