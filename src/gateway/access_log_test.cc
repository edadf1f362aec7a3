#include "gateway/access_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "gateway/gateway_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using wire::Command;

class AccessLogTest : public ::testing::Test {
 protected:
  AccessLogTest() {
    std::string pattern = ::testing::TempDir() + "gatehouse-access-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ + "/access.log";
    options_.access_log = path_;
  }
  ~AccessLogTest() override { std::filesystem::remove_all(directory_); }

  static std::vector<std::string> lines_of(const std::string& path) {
    std::vector<std::string> lines;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  [[nodiscard]] std::vector<std::string> lines() const { return lines_of(path_); }

  std::string directory_;
  std::string path_;
  GatewayOptions options_ = TestGateway::options();
};

TEST_F(AccessLogTest, ALineForTheConnectAndOneForTheEnd) {
  TestGateway test(options_);
  const auto worker = test.worker();
  const auto client = test.client();
  const std::uint32_t id = worker->events(Command::on_connect).at(0).header.connection_id;
  worker->send(Command::bind_uid, id, "4 \"2", {});
  const std::size_t head = client->head.size();
  client->say("hello");
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 1; }));
  worker->send(Command::send_to_one, id, {}, "world");
  ASSERT_TRUE(test.until([&] { return client->texts().size() == 1; }));
  client->say(std::string("\x03\xe8 bye", 6), wire::Opcode::close);
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  ASSERT_TRUE(test.until([&] { return lines().size() == 2; })) << "a second later at the latest";
  const std::string who = R"( gateway test:0 \[\d+\] )";
  const std::string client_id = R"(7f000001[0-9a-f]{12} 127\.0\.0\.1:\d+)";
  const std::string time = R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})";
  EXPECT_TRUE(std::regex_match(lines()[0], std::regex(time + who + "connect " + client_id))) << lines()[0];
  const std::size_t in =
      WebSocketPeer::request().size() + WebSocketPeer::frame("hello").size() + WebSocketPeer::frame("123456").size();
  const std::size_t out = head + 2 + 5 + 4;  // a message, and a close frame
  const std::string rest = " client_closed code=1000 duration=\\d+\\.\\d{3} in=" + std::to_string(in) +
                           " out=" + std::to_string(out) + R"( uid="4 \\x222" text=" bye")";
  EXPECT_TRUE(std::regex_match(lines()[1], std::regex(time + who + "end " + client_id + rest))) << lines()[1];
}

TEST_F(AccessLogTest, AsJson) {
  TestGateway test(options_, nullptr, "127.0.0.1", Gateway::Tls{}, LogFormat::json);
  const auto worker = test.worker();
  const auto client = test.client();
  const auto commander = test.commander();
  commander->send(Command::kick, worker->events(Command::on_connect).at(0).header.connection_id, {}, {});
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  ASSERT_TRUE(test.until([&] { return lines().size() == 2; }));
  const auto begin = nlohmann::json::parse(lines()[0]);
  const auto end = nlohmann::json::parse(lines()[1]);
  EXPECT_EQ(begin["event"], "connect");
  EXPECT_EQ(end["event"], "end");
  EXPECT_EQ(begin["client_id"], end["client_id"]);
  EXPECT_EQ(begin["address"], end["address"]);
  EXPECT_EQ(end["reason"], "closed");
  EXPECT_EQ(end["uid"], "");
  EXPECT_EQ(end["bytes_in"], WebSocketPeer::request().size());
  EXPECT_TRUE(
      std::regex_match(end["time"].get<std::string>(), std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d)")))
      << end["time"];
}

TEST_F(AccessLogTest, WhatTheGatewayHasAtItsEndIsWritten) {
  {
    TestGateway test(options_);
    const auto worker = test.worker();
    const auto client = test.client();
    bool stopped = false;
    test.gateway->stop([&] { stopped = true; });
    ASSERT_TRUE(test.until([&] {
      client->poll();
      return stopped;
    }));
    test.gateway.reset();
  }
  ASSERT_EQ(lines().size(), 2U);
  EXPECT_NE(lines()[1].find(" shutdown code=1001 "), std::string::npos) << lines()[1];
}

TEST_F(AccessLogTest, MuchIsWrittenBeforeTheSecondIsOver) {
  net::Loop loop{quiet_log()};
  net::testing::Recorder handler;
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const net::Socket other(ends[1]);
  const net::Connection& connection = *loop.find(loop.adopt(net::Socket(ends[0]), handler));
  const auto log = AccessLog::open(loop, {.path = path_, .process = "gateway test:0"}).value();
  log->set_client_ids([](std::uint32_t id) { return std::to_string(id); });
  std::uint32_t id = 0;
  while (std::filesystem::file_size(path_) == 0 && id < 10'000) log->connected(0, id++, connection);
  EXPECT_GE(std::filesystem::file_size(path_), AccessLog::kGathered);
  EXPECT_EQ(lines().size(), id) << "whole lines";
  EXPECT_TRUE(lines().back().find(" connect ") != std::string::npos);
}

TEST_F(AccessLogTest, IsOpenedAgainByItsName) {
  net::Loop loop{quiet_log()};
  const auto log = AccessLog::open(loop, {.path = path_, .process = "gateway test:0"}).value();
  log->set_client_ids([](std::uint32_t id) { return std::to_string(id); });
  net::testing::Recorder handler;
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const net::Socket other(ends[1]);
  const net::Connection& connection = *loop.find(loop.adopt(net::Socket(ends[0]), handler));
  log->connected(0, 1, connection);
  std::filesystem::rename(path_, path_ + ".1");
  ASSERT_TRUE(log->reopen().has_value());
  log->connected(0, 2, connection);
  log->flush();
  EXPECT_EQ(lines_of(path_ + ".1").size(), 1U) << "what was gathered before belongs there";
  EXPECT_EQ(lines().size(), 1U);
  std::filesystem::remove_all(directory_);
  EXPECT_FALSE(log->reopen().has_value());
  log->connected(0, 3, connection);
  log->flush();
  EXPECT_EQ(log->lost_lines(), 0U) << "it goes on in the old one";
}

TEST_F(AccessLogTest, LinesThatFindNoRoomAreCountedAndTornOnesStandAlone) {
  const pid_t pid = fork();
  if (pid == 0) {
    // In a process of its own, for the limit is a process's.
    std::signal(SIGXFSZ, SIG_IGN);
    const auto check = [this] {
      net::Loop loop{quiet_log()};
      const auto log = AccessLog::open(loop, {.path = path_, .process = "gateway test:0"}).value();
      log->set_client_ids([](std::uint32_t id) { return std::to_string(id); });
      net::testing::Recorder handler;
      std::array<int, 2> ends{};
      if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) return 1;
      const net::Connection& connection = *loop.find(loop.adopt(net::Socket(ends[0]), handler));
      for (std::uint32_t id = 0; id < 3; ++id) log->connected(0, id, connection);
      log->flush();
      const auto size = std::filesystem::file_size(path_) / 3;
      rlimit limit{};
      getrlimit(RLIMIT_FSIZE, &limit);
      const rlimit before = limit;
      limit.rlim_cur = size * 4 + size / 2;  // one whole line more, and half of another
      setrlimit(RLIMIT_FSIZE, &limit);
      for (std::uint32_t id = 3; id < 8; ++id) log->connected(0, id, connection);
      log->flush();
      if (log->lost_lines() != 4) return 2;
      log->connected(0, 8, connection);
      log->flush();
      if (log->lost_lines() != 5) return 3;
      setrlimit(RLIMIT_FSIZE, &before);
      log->connected(0, 9, connection);
      log->flush();
      if (log->lost_lines() != 5) return 4;
      const auto written = lines();
      if (written.size() != 6) return 5;
      return written.back().find(" connect 9 ") != std::string::npos && written.back().starts_with("2") ? 0 : 6;
    };
    _exit(check());
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(AccessLogTest, AFileThatCannotBeWrittenIsNamed) {
  net::Loop loop{quiet_log()};
  const auto log = AccessLog::open(loop, {.path = directory_ + "/no/such/access.log", .process = ""});
  ASSERT_FALSE(log.has_value());
  EXPECT_NE(log.error().message.find("/no/such/access.log"), std::string::npos) << log.error().message;
}

}  // namespace
}  // namespace gatehouse::gateway
