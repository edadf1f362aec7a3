#include "master/status_report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>
#include <iomanip>
#include <sstream>

#include "master/role_status_json.h"

namespace gatehouse::master {
namespace {

class StatusReportTest : public testing::Test {
 protected:
  StatusReportTest() {
    gateway_ = {.role = "gateway", .name = "web", .listening = "websocket://0.0.0.0:8282", .reference = "gateway:0", .count = 1};
    worker_ = {.role = "worker", .name = std::string(60, 'w'), .listening = "", .reference = "worker:0", .count = 2};
    SupervisedProcess running;
    running.spec = &gateway_;
    running.state = SupervisedProcess::State::running;
    running.pid = getpid();
    running.started = SupervisedProcess::Clock::now() - std::chrono::hours(400);
    SupervisedProcess busy = running;
    busy.spec = &worker_;
    SupervisedProcess dead;
    dead.spec = &worker_;
    dead.index = 1;
    dead.state = SupervisedProcess::State::restarting;
    dead.restarts = 3;
    dead.last_exit = "SIGSEGV";
    processes_ = {running, busy, dead};
    const RoleStatus status{.listening = "websocket://0.0.0.0:8282",
                            .connections = 120'000,
                            .messages_in = 99'000'000,
                            .messages_out = 7,
                            .send_failures = 2};
    answers_[0] = nlohmann::json(to_json(status));
  }

  nlohmann::ordered_json status() const {
    return make_status({.name = "chat", .pid = 4711, .started = started_, .uptime = uptime_, .log_lines_lost = 3}, processes_,
                       answers_);
  }

  std::chrono::seconds uptime_{3600};
  std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now() - uptime_;
  ProcessSpec gateway_;
  ProcessSpec worker_;
  std::vector<SupervisedProcess> processes_;
  ChildQuestions::Answers answers_;
};

TEST_F(StatusReportTest, HasEverythingOfEachProcess) {
  const auto json = status();
  EXPECT_EQ(json["name"], "chat");
  EXPECT_EQ(json["pid"], 4711);
  EXPECT_EQ(json["uptime_seconds"], 3600);
  EXPECT_EQ(json["log_lines_lost"], 3);
  ASSERT_EQ(json["processes"].size(), 3U);
  const auto& gateway = json["processes"][0];
  EXPECT_EQ(gateway["role"], "gateway");
  EXPECT_EQ(gateway["index"], 0);
  EXPECT_EQ(gateway["state"], "running");
  EXPECT_EQ(gateway["connections"], 120'000);
  EXPECT_EQ(gateway["last_exit"], nullptr);
  EXPECT_GT(gateway["memory_kib"].get<int>(), 100);
  EXPECT_EQ(gateway["uptime_seconds"], 400 * 3600);
}

TEST_F(StatusReportTest, AProcessThatDoesNotAnswerIsBusy) {
  const auto json = status();
  EXPECT_EQ(json["processes"][1]["state"], "busy");
  EXPECT_EQ(json["processes"][1]["connections"], nullptr);
  EXPECT_EQ(json["processes"][2]["state"], "restarting");
  EXPECT_EQ(json["processes"][2]["pid"], nullptr);
  EXPECT_EQ(json["processes"][2]["last_exit"], "SIGSEGV");
}

TEST_F(StatusReportTest, TotalsAreOfThoseThatAnswered) {
  const auto totals = status()["totals"];
  EXPECT_EQ(totals["processes"], 3);
  EXPECT_EQ(totals["running"], 1);
  EXPECT_EQ(totals["restarts"], 3);
  EXPECT_EQ(totals["client_connections"], 120'000);
  EXPECT_EQ(totals["messages_in"], 99'000'000);
  EXPECT_EQ(totals["send_failures"], 2);
}

// "213503982334591d ago".
TEST_F(StatusReportTest, AClockThatWasSetBackOrForwardDoesNotMatter) {
  for (const int hours : {-30 * 24, 30 * 24}) {
    started_ = std::chrono::system_clock::now() - uptime_ + std::chrono::hours(hours);
    const auto json = status();
    EXPECT_EQ(json["uptime_seconds"], 3600);
    std::istringstream text(json["started"].get<std::string>());
    std::tm told{};
    text >> std::get_time(&told, "%Y-%m-%dT%H:%M:%SZ");
    EXPECT_NEAR(static_cast<double>(timegm(&told)), static_cast<double>(std::time(nullptr) - 3600), 5);
    EXPECT_NE(format_status(json).find("(1h 0m ago)"), std::string::npos) << format_status(json).substr(0, 120);
  }
}

TEST_F(StatusReportTest, FitsATerminal) {
  std::istringstream lines(format_status(status()));
  std::string all;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 120U) << line;
    all += line + "\n";
  }
  EXPECT_NE(all.find("web:0"), std::string::npos);
  EXPECT_NE(all.find("wwwwwwwwwww..:1"), std::string::npos);
  EXPECT_NE(all.find("last exit: SIGSEGV"), std::string::npos);
  EXPECT_NE(all.find("2 messages not sent"), std::string::npos);
  EXPECT_NE(all.find("master: 3 log lines lost"), std::string::npos);
}

TEST_F(StatusReportTest, SaysWhatAnOperatorHasChanged) {
  processes_[2].held = true;
  processes_[2].state = SupervisedProcess::State::stopped;
  auto json = status();
  EXPECT_EQ(json["processes"][2]["held"], true);
  json["log_level"] = "debug";
  json["log_level_seconds_left"] = 540;
  json["denied_ranges"] = 3;
  const std::string text = format_status(json);
  EXPECT_NE(text.find("\nlog level debug for 9m 0s more, 3 ranges of addresses denied\n"), std::string::npos) << text;
  EXPECT_NE(text.find("stopped by an operator, until \"start\" with its name"), std::string::npos) << text;
  json["log_level_seconds_left"] = nullptr;
  json["denied_ranges"] = 0;
  EXPECT_NE(format_status(json).find("\nlog level debug\n"), std::string::npos);
}

TEST_F(StatusReportTest, StartTableNamesEachKind) {
  const std::string table =
      format_start_table({gateway_, {.role = "worker", .name = "Chat", .listening = "", .reference = "worker:0", .count = 4}});
  EXPECT_EQ(table,
            "NAME  ROLE     LISTENING                 COUNT\n"
            "web   gateway  websocket://0.0.0.0:8282      1\n"
            "Chat  worker                                 4\n");
}

}  // namespace
}  // namespace gatehouse::master
