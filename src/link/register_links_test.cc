#include "link/register_links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "link/testing.h"

namespace gatehouse::link {
namespace {

using ::testing::ElementsAre;
using testing::FakeRegister;
using ::testing::IsEmpty;
using testing::run_for;
using testing::run_until;

class RegisterLinksTest : public ::testing::Test {
 protected:
  void start(std::vector<std::string> addresses, std::string announce = {}) {
    RegisterLinks::Settings settings;
    settings.addresses = std::move(addresses);
    settings.secret_key = "k";
    settings.announce = std::move(announce);
    settings.reconnect_ms = 30;
    settings.settled_ms = 60;
    links_.emplace(loop_, settings, [this](const std::vector<std::string>& list) { told_.push_back(list); });
    links_->start();
  }
  bool told(std::size_t times) {
    return run_until(loop_, [&] { return told_.size() >= times; });
  }

  std::vector<std::string> log_;
  net::Loop loop_{Log::to_function([this](LogLevel, std::string_view line) { log_.emplace_back(line); })};
  FakeRegister first_{loop_};
  FakeRegister second_{loop_};
  std::vector<std::vector<std::string>> told_;
  std::optional<RegisterLinks> links_;
};

TEST_F(RegisterLinksTest, AWorkerSubscribesAndHearsEachChange) {
  start({first_.address()});
  ASSERT_TRUE(told(1));
  EXPECT_THAT(told_[0], IsEmpty()) << "the first list is told even when it is empty";
  EXPECT_THAT(first_.lines, ElementsAre(R"({"event":"worker_connect","secret_key":"k"})"));
  EXPECT_EQ(links_->connected(), 1U);
  first_.list = {"127.0.0.1:2300"};
  first_.tell_all();
  ASSERT_TRUE(told(2));
  EXPECT_THAT(told_[1], ElementsAre("127.0.0.1:2300"));
  first_.tell_all();
  run_for(loop_, 20);
  EXPECT_EQ(told_.size(), 2U) << "the same list again is no change";
}

TEST_F(RegisterLinksTest, AGatewayAnnouncesItselfAndDoesSoAgainAfterALoss) {
  start({first_.address()}, "10.0.0.1:2300");
  const std::string line = R"({"event":"gateway_connect","address":"10.0.0.1:2300","secret_key":"k"})";
  ASSERT_TRUE(run_until(loop_, [&] { return first_.lines.size() == 1; }));
  const std::uint16_t port = first_.port();
  first_.close();
  ASSERT_TRUE(run_until(loop_, [&] { return links_->connected() == 0; }));
  run_for(loop_, 100);
  first_.listen(port);
  ASSERT_TRUE(run_until(loop_, [&] { return first_.lines.size() == 2; }));
  EXPECT_THAT(first_.lines, ElementsAre(line, line));
}

// An operator who exchanges the register looks for this line.
TEST_F(RegisterLinksTest, ARegisterThatIsBackIsLoggedOnce) {
  start({first_.address()}, "10.0.0.1:2300");
  ASSERT_TRUE(run_until(loop_, [&] { return first_.lines.size() == 1; }));
  const std::uint16_t port = first_.port();
  first_.close();
  ASSERT_TRUE(run_until(loop_, [&] { return log_.size() == 2; }));
  // Comes and goes, as one that knows another secret_key.
  first_.listen(port);
  ASSERT_TRUE(run_until(loop_, [&] { return first_.lines.size() == 2; }));
  first_.close();
  ASSERT_TRUE(run_until(loop_, [&] { return links_->connected() == 0; }));
  first_.listen(port);
  ASSERT_TRUE(run_until(loop_, [&] { return log_.size() == 3; }));
  run_for(loop_, 100);
  EXPECT_THAT(log_, ElementsAre("connected to the register " + first_.address(),
                                ::testing::StartsWith("lost the register " + first_.address()),
                                ::testing::MatchesRegex("connected to the register .* again after [0-9]+ s")));
}

TEST_F(RegisterLinksTest, TheUnionOfSeveralRegistersKeepsWhatALostOneSaid) {
  first_.list = {"10.0.0.1:1", "10.0.0.2:2"};
  second_.list = {"10.0.0.2:2", "10.0.0.3:3"};
  start({first_.address(), second_.address()});
  ASSERT_TRUE(run_until(loop_, [&] { return !told_.empty() && told_.back().size() == 3; }));
  EXPECT_THAT(told_.back(), ElementsAre("10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:3"));
  const std::size_t times = told_.size();
  const std::uint16_t port = first_.port();
  first_.close();
  ASSERT_TRUE(run_until(loop_, [&] { return links_->connected() == 1; }));
  run_for(loop_, 50);
  EXPECT_EQ(told_.size(), times);
  first_.list = {"10.0.0.4:4"};
  first_.listen(port);
  ASSERT_TRUE(told(times + 1));
  EXPECT_THAT(told_.back(), ElementsAre("10.0.0.4:4", "10.0.0.2:2", "10.0.0.3:3"));
}

TEST_F(RegisterLinksTest, WhatIsNoListIsPassedOver) {
  first_.list = {"10.0.0.1:1"};
  start({first_.address()});
  ASSERT_TRUE(told(1));
  first_.send(first_.connections().at(0), "Bad request\n{\"event\":\"broadcast_addresses\",\"addresses\":7}\n");
  run_for(loop_, 20);
  EXPECT_EQ(told_.size(), 1U);
  EXPECT_EQ(links_->connected(), 1U);
}

TEST_F(RegisterLinksTest, AllAddressesOfANameAreDialledUntilOneAnswers) {
  std::vector<std::string> said;
  net::Loop loop(Log::to_function([&](LogLevel level, std::string_view text) {
    if (level != LogLevel::info) said.emplace_back(text);
  }));
  std::uint16_t nobodys = 0;
  {
    FakeRegister gone(loop);
    nobodys = gone.port();
  }
  FakeRegister here(loop);
  here.list = {"10.0.0.1:2300"};
  const std::string first = "127.0.0.1:" + std::to_string(nobodys);
  const std::string last = "[::1]:" + std::to_string(nobodys);
  // By value, for it is called on a thread that may outlive the test.
  const auto resolving_to = [](std::vector<std::string> addresses) -> NameLookup::Resolve {
    return [addresses = std::move(addresses)](const std::string&) {
      std::vector<net::Endpoint> found;
      for (const std::string& each : addresses) found.push_back(net::Endpoint::parse_numeric(each).value());
      return found;
    };
  };
  RegisterLinks::Settings settings;
  settings.addresses = {"register.example:1236"};
  settings.reconnect_ms = 5;
  settings.resolve = resolving_to({first, here.address(), last});
  std::vector<std::string> list;
  {
    RegisterLinks links(loop, settings, [&](const std::vector<std::string>& told) { list = told; });
    links.start();
    ASSERT_TRUE(run_until(loop, [&] { return !list.empty(); }));
    EXPECT_THAT(list, ElementsAre("10.0.0.1:2300"));
    EXPECT_THAT(said, IsEmpty()) << "one of them is enough";
  }
  settings.resolve = resolving_to({first, last});
  RegisterLinks links(loop, settings, [](const std::vector<std::string>&) {});
  links.start();
  ASSERT_TRUE(run_until(loop, [&] { return !said.empty(); }));
  EXPECT_THAT(said[0],
              ::testing::AllOf(::testing::StartsWith("cannot connect to the register register.example:1236: " + first + ": "),
                               ::testing::HasSubstr("; " + last + ": ")));
}

/// Answers whatever it hears with the same bytes, and closes.
class Stranger final : public testing::FakeServer {
 public:
  Stranger(net::Loop& loop, std::string answer) : FakeServer(loop), answer_(std::move(answer)) { listen(); }

 private:
  std::size_t on_data(net::Connection& connection, std::span<char> bytes, std::size_t /*seen*/) override {
    connection.send(answer_);
    connection.close();
    return bytes.size();
  }
  std::string answer_;
};

// Each line of an HTTP answer was a line in the log, once a second.
TEST_F(RegisterLinksTest, AnotherProtocolIsOneLineThatNamesIt) {
  std::vector<std::string> said;
  net::Loop loop(Log::to_function([&](LogLevel level, std::string_view text) {
    if (level != LogLevel::info) said.emplace_back(text);
  }));
  const std::pair<std::string, std::string> answers[] = {
      {"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nDate: today\r\n\r\n<html>\n<body>\n", "speaks HTTP, so it is none"},
      {std::string("\x15\x03\x03\x00\x02\x02\x46", 7), "speaks TLS: inner_tls is set there, and not here"},
      {"220 mail.example ESMTP\r\n250 ok\r\n", "said: 220 mail.example ESMTP"},
  };
  for (const auto& [answer, words] : answers) {
    said.clear();
    Stranger stranger(loop, answer);
    RegisterLinks::Settings settings;
    settings.addresses = {stranger.address()};
    settings.reconnect_ms = 5;
    RegisterLinks links(loop, settings, [](const std::vector<std::string>&) {});
    links.start();
    ASSERT_TRUE(run_until(loop, [&] { return stranger.accepted() >= 4; }));
    ASSERT_EQ(said.size(), 1U) << said[1];
    EXPECT_THAT(said[0], ::testing::StartsWith("the register " + stranger.address() + " " + words));
    EXPECT_THAT(links.problem(), ::testing::HasSubstr(words));
  }
}

TEST_F(RegisterLinksTest, AnAddressThatAnotherGatewayHasIsToldOnce) {
  std::vector<std::string> said;
  net::Loop loop(Log::to_function([&](LogLevel level, std::string_view text) {
    if (level != LogLevel::info) said.emplace_back(text);
  }));
  Stranger taken(loop, wire::address_taken_line("10.0.0.1:2300", "10.0.0.9:5", false));
  RegisterLinks::Settings settings;
  settings.addresses = {taken.address()};
  settings.announce = "10.0.0.1:2300";
  settings.reconnect_ms = 5;
  RegisterLinks links(loop, settings, [](const std::vector<std::string>&) {});
  links.start();
  ASSERT_TRUE(run_until(loop, [&] { return taken.accepted() >= 4; }));
  ASSERT_EQ(said.size(), 1U) << said[1];
  EXPECT_THAT(said[0], ::testing::HasSubstr(
                           "refuses this gateway, for another one, at 10.0.0.9:5, announces the address 10.0.0.1:2300 too"));
}

TEST_F(RegisterLinksTest, MayBeGoneWhileItsLoopRunsOn) {
  start({first_.address(), "127.0.0.1:1", "no such name.invalid:1"});
  ASSERT_TRUE(told(1));
  links_.reset();
  EXPECT_TRUE(run_until(loop_, [&] { return first_.connection_count() == 0; }));
  run_for(loop_, 60);
  EXPECT_EQ(first_.accepted(), 1U);
}

}  // namespace
}  // namespace gatehouse::link
