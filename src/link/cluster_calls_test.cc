#include "link/cluster_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "link/answers.h"
#include "link/testing.h"
#include "wire/command_ext.h"
#include "wire/command_size.h"
#include "wire/test_vectors.h"

namespace gatehouse {
namespace {

using link::Answers;
using link::testing::FakeGateway;
using link::testing::FakeRegister;
using link::testing::run_for;
using link::testing::run_until;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using wire::Command;

class ClusterCallsTest : public ::testing::Test, public ClusterCalls::EventHandler {
 protected:
  void start(std::function<void(ClusterCalls::Settings&)> change = {}) {
    ClusterCalls::Settings settings;
    settings.register_addresses = {register_.address()};
    settings.secret_key = "s3";
    settings.worker_key = "ChatWorker:0";
    settings.reconnect_ms = 30;
    settings.settled_ms = 60;
    settings.question_timeout_ms = 200;
    if (change) change(settings);
    calls_.emplace(loop_, settings);
    calls_->start();
  }
  void start_and_connect(std::size_t connections = 1) {
    if (register_.list.empty()) register_.list = {gateway_.address()};
    start();
    ASSERT_TRUE(run_until(loop_, [&] { return calls_->connected() == connections; }));
  }
  bool arrives(const FakeGateway& gateway, Command command, std::size_t count = 1) {
    return run_until(loop_, [&] { return gateway.count(command) >= count; });
  }
  static std::string id_at(const FakeGateway& gateway, std::uint32_t connection_id) {
    return wire::format_client_id({0x7f000001, gateway.port(), connection_id});
  }
  std::string id(std::uint32_t connection_id) const { return id_at(gateway_, connection_id); }
  std::uint64_t ask(const link::Inquiry& inquiry) {
    return calls_->ask(inquiry, [this](Answers answers) { answers_.push_back(std::move(answers)); });
  }
  bool answered(std::size_t count) {
    return run_until(loop_, [&] { return answers_.size() >= count; });
  }
  void on_event(const wire::GatewayFrame& frame, bool native, const link::EventTicket& /*ticket*/) override {
    events_.emplace_back(frame.header.command, std::string(frame.body), native);
  }
  void on_events_lost(link::GatewayKey gateway) override { lost_.push_back(gateway.address()); }

  std::vector<std::string> log_;
  net::Loop loop_{Log::to_function([this](LogLevel, std::string_view line) { log_.emplace_back(line); })};
  FakeRegister register_{loop_};
  FakeGateway gateway_{loop_};
  FakeGateway second_{loop_};
  std::vector<Answers> answers_;
  std::vector<std::tuple<Command, std::string, bool>> events_;
  std::vector<std::string> lost_;
  std::optional<ClusterCalls> calls_;
};

// Each call, and the frame of the vectors that upstream sends for it.
TEST_F(ClusterCallsTest, EveryCommandAndQuestionIsUpstreamsFrameByteForByte) {
  start_and_connect();
  ClusterCalls& calls = *calls_;
  const auto client = wire::parse_client_id(id(8)).value();
  const std::vector<std::pair<std::string, std::function<void()>>> all = {
      {"gateway_client_connect", [] {}},
      {"send_to_one", [&] { calls.send_to_client(id(8), "hi", {}); }},
      {"send_to_one, raw", [&] { calls.send_to_client(id(8), "\x81\x02hi", {.raw = true}); }},
      {"send_to_all", [&] { calls.send_to_all("all", {}); }},
      {"send_to_all, chosen connections", [&] { calls.send_to_clients({id(3), id(8)}, "some", {}); }},
      {"send_to_all, excluded connections", [&] { calls.send_to_all("most", {.except = {id(8)}}); }},
      {"kick with last words", [&] { calls.close_client(id(8), Data("bye")); }},
      {"kick without last words", [&] { calls.close_client(id(8), std::nullopt); }},
      {"destroy", [&] { calls.destroy_client(id(8)); }},
      {"set_session", [&] { calls.set_session(id(8), Value{{"name", "Tom"}, {"n", 1}}); }},
      {"update_session", [&] { calls.update_session(id(8), Value{{"n", 2}}); }},
      {"bind_uid", [&] { calls.bind_uid(id(8), "u1"); }},
      {"join_group", [&] { calls.join_group(id(8), "房间"); }},
      {"leave_group", [&] { calls.leave_group(id(8), "g1"); }},
      {"ungroup", [&] { calls.ungroup("g1"); }},
      {"send_to_group, excluding", [&] { calls.send_to_group("g1", "room", {.except = {id(8)}}); }},
      {"get_session", [&] { ask(link::ask_session(client)); }},
      {"is_online", [&] { ask(link::ask_is_online(client)); }},
      {"client_ids_by_uid", [&] { ask(link::ask_client_ids_by_uid("u1")); }},
      {"sessions_of_all", [&] { ask(link::ask_sessions()); }},
      {"sessions_of_group", [&] { ask(link::ask_sessions("g1")); }},
      {"count_of_group", [&] { ask(link::ask_client_count("g1")); }},
      {"count_of_all", [&] { ask(link::ask_client_count()); }},
      {"group_ids", [&] { ask(link::ask_group_ids()); }},
      {"select uid of all", [&] { ask(link::ask_clients()); }},
      {"select by connection", [&] { ask(link::ask_uid(client)); }},
  };
  for (const auto& [name, call] : all) call();
  ASSERT_TRUE(run_until(loop_, [&] { return gateway_.frames.size() >= all.size(); }));
  ASSERT_EQ(gateway_.frames.size(), all.size());
  std::map<std::string, std::string> expected;
  const auto vectors = wire::load_vectors("gateway_protocol.json");
  for (const auto& each : vectors["frames"]) expected[each["name"]] = each["frame_hex"];
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(wire::to_hex(gateway_.frames[i].bytes), expected.at(all[i].first)) << all[i].first;
  }
  EXPECT_EQ(calls.sent(), all.size() - 1);
}

TEST_F(ClusterCallsTest, ExceptionsConcernTheirOwnGatewayOnly) {
  register_.list = {gateway_.address(), second_.address()};
  start_and_connect(2);
  calls_->send_to_all("x", {.except = {id(3), id_at(second_, 4)}});
  calls_->send_to_group({"g1", "g2"}, "y", {.except = {id(3)}});
  calls_->send_to_clients({id(1), id_at(second_, 2), id(5), id(6)}, "z", {.except = {id(5)}});
  calls_->send_to_uid({"u1", "42"}, "u", {});
  ASSERT_TRUE(arrives(gateway_, Command::send_to_uid) && arrives(second_, Command::send_to_uid));
  const auto ext = [](const FakeGateway& gateway, Command command, std::size_t i = 0) { return gateway.with(command).at(i).ext; };
  EXPECT_EQ(ext(gateway_, Command::send_to_all), R"({"exclude":{"3":3}})");
  EXPECT_EQ(ext(second_, Command::send_to_all), R"({"exclude":{"4":4}})");
  EXPECT_EQ(ext(gateway_, Command::send_to_group), R"({"group":["g1","g2"],"exclude":{"3":3}})");
  EXPECT_EQ(ext(second_, Command::send_to_group), R"({"group":["g1","g2"],"exclude":null})");
  EXPECT_EQ(ext(gateway_, Command::send_to_all, 1), R"({"connections":{"1":1,"6":6}})");
  EXPECT_EQ(ext(second_, Command::send_to_all, 1), R"({"connections":{"2":2}})");
  EXPECT_EQ(ext(second_, Command::send_to_uid), R"(["u1","42"])");
  calls_->send_to_clients(std::vector<std::string>{}, "nobody", {});
  run_for(loop_, 10);
  EXPECT_EQ(gateway_.count(Command::send_to_all), 2U);
}

// Gateways of ours have commands of their own for it; only those that hold somebody who is excepted are sent another form.
TEST_F(ClusterCallsTest, UidsWithExceptionsAndTheirEndOnNativeGateways) {
  gateway_.native = second_.native = true;
  register_.list = {gateway_.address(), second_.address()};
  start_and_connect(2);
  calls_->send_to_uid({"u1", "42"}, "u", {.except = {id(3), id(5)}});
  calls_->close_uid("u1", Data("bye"));
  calls_->close_uid("u2", std::nullopt);
  calls_->send_to_client(id(1), binary("b"), {});
  ASSERT_TRUE(arrives(gateway_, Command::send_to_one) && arrives(second_, Command::kick_uid, 2));
  EXPECT_EQ(gateway_.with(Command::send_to_uid).at(0).ext, R"({"uid":["u1","42"],"exclude":{"3":3,"5":5}})");
  EXPECT_EQ(second_.with(Command::send_to_uid).at(0).ext, R"(["u1","42"])");
  const auto kicks = gateway_.with(Command::kick_uid);
  ASSERT_EQ(kicks.size(), 2U);
  EXPECT_EQ(kicks[0].ext + " " + kicks[0].body, "u1 bye");
  EXPECT_EQ(kicks[0].header.flags, wire::flag::kScalar);
  EXPECT_EQ(kicks[1].ext + " " + kicks[1].body, "u2 N;");
  EXPECT_EQ(kicks[1].header.flags, 0);
  EXPECT_EQ(gateway_.with(Command::send_to_one).at(0).header.flags, wire::flag::kScalar | wire::flag::kBinary);
}

TEST_F(ClusterCallsTest, UidsWithExceptionsAndTheirEndOnGatewaysOfPhp) {
  register_.list = {gateway_.address(), second_.address()};
  start_and_connect(2);
  const auto answer_ids = [](FakeGateway& gateway, const char* ids) {
    gateway.on_frame = [&gateway, ids](const FakeGateway::Received& frame) {
      if (frame.header.command == Command::batch_get_client_id_by_uid) gateway.answer(frame.connection, ids);
      if (frame.header.command == Command::is_online) gateway.answer(frame.connection, "i:0;");
    };
  };
  answer_ids(gateway_, R"(a:2:{s:2:"u1";a:2:{i:0;i:3;i:1;i:4;}i:42;a:1:{i:0;i:5;}})");
  answer_ids(second_, R"(a:1:{s:2:"u1";a:0:{}})");
  calls_->send_to_uid({"u1", "42"}, binary("u"), {.except = {id(3)}});
  calls_->close_uid("u1", Data("bye"));
  // A sign that all has been carried out comes behind what had to be asked for first.
  bool confirmed = false;
  calls_->confirm([&](const Answers&) { confirmed = gateway_.count(Command::kick) == 3; }, 5000);
  ASSERT_TRUE(run_until(loop_, [&] { return confirmed; }));
  EXPECT_EQ(gateway_.count(Command::send_to_uid), 0U);
  EXPECT_EQ(second_.with(Command::send_to_uid).at(0).ext, R"(["u1","42"])") << "nobody of it is excepted";
  const auto sent = gateway_.with(Command::send_to_all);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].ext, R"({"connections":{"5":5,"4":4}})");
  EXPECT_EQ(sent[0].body, "u");
  EXPECT_EQ(sent[0].header.flags, wire::flag::kScalar);
  EXPECT_EQ(gateway_.with(Command::batch_get_client_id_by_uid).at(0).ext, R"(["u1","42"])");
  EXPECT_EQ(gateway_.with(Command::kick).at(0).body, "bye");
  EXPECT_EQ(second_.count(Command::kick), 0U);
  EXPECT_EQ(gateway_.count(Command::kick_uid), 0U);
}

// Gateways of PHP print an error for a command that they do not know, so they must never see one.
TEST_F(ClusterCallsTest, AnIntervalOfAClientsOwnIsForNativeGatewaysOnly) {
  gateway_.native = true;
  register_.list = {gateway_.address(), second_.address()};
  start();
  const auto set_both = [this](ClusterCalls::PingInterval interval) {
    for (const FakeGateway* gateway : {&gateway_, &second_}) calls_->set_ping_interval(id_at(*gateway, 1), interval);
  };
  set_both(std::chrono::seconds(30));  // held, before it is known who knows it
  ASSERT_TRUE(run_until(loop_, [&] { return calls_->connected() == 2; }));
  set_both(std::chrono::milliseconds(0));
  set_both(std::nullopt);
  calls_->send_to_all("x", {});
  ASSERT_TRUE(arrives(gateway_, Command::send_to_all) && arrives(second_, Command::send_to_all));
  const auto sent = gateway_.with(Command::set_ping_interval);
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].ext, "30000");
  EXPECT_EQ(sent[0].header.connection_id, 1U);
  EXPECT_EQ(sent[1].ext, "0");
  EXPECT_EQ(sent[2].ext, "");
  EXPECT_EQ(second_.count(Command::set_ping_interval), 0U);
  EXPECT_EQ(calls_->dropped(), 3U);
  const std::vector<ClusterCalls::Missed> missed = calls_->take_missed();
  ASSERT_EQ(missed.size(), 1U);
  EXPECT_EQ(missed[0].gateway, second_.address());
  EXPECT_EQ(missed[0].why, "a gateway of PHP has one ping interval for all its clients");
  EXPECT_THROW(calls_->set_ping_interval(id(1), std::chrono::milliseconds(-1)), std::invalid_argument);
  EXPECT_THROW(calls_->set_ping_interval(id(1), std::chrono::hours(24 * 50)), std::invalid_argument);
}

// What is sent before it is known whether a gateway is one of ours is held in our form.
TEST_F(ClusterCallsTest, WhatWasHeldIsPutIntoUpstreamsForm) {
  for (const bool native : {true, false}) {
    FakeGateway& gateway = native ? gateway_ : second_;
    gateway.native = native;
    gateway.on_frame = [&gateway](const FakeGateway::Received& frame) {
      if (frame.header.command == Command::batch_get_client_id_by_uid) {
        gateway.answer(frame.connection, R"(a:1:{s:2:"u1";a:1:{i:0;i:7;}})");
      }
      if (frame.header.command == Command::get_client_count_by_group) gateway.answer(frame.connection, "i:1;");
    };
    register_.list = {gateway.address()};
    answers_.clear();
    start();
    calls_->send_to_client(id_at(gateway, 1), binary("b"), {});
    calls_->close_uid("u1", std::nullopt);
    ask(link::ask_client_count());
    calls_->send_to_client(id_at(gateway, 1), "t", {.latest_key = "price"});
    calls_->send_to_all("u", {});
    ASSERT_TRUE(arrives(gateway, native ? Command::kick_uid : Command::kick) && answered(1));
    ASSERT_TRUE(arrives(gateway, Command::send_to_all));
    EXPECT_EQ(link::client_count(answers_[0]), 1U);
    const auto sends = gateway.with(Command::send_to_one);
    ASSERT_EQ(sends.size(), 2U);
    EXPECT_EQ(sends[0].header.flags, native ? wire::flag::kScalar | wire::flag::kBinary : wire::flag::kScalar);
    EXPECT_EQ(sends[1].header.flags, native ? wire::flag::kScalar | wire::flag::kKeyed : wire::flag::kScalar);
    EXPECT_EQ(sends[1].body, native ? "tprice\5" : "t");
    EXPECT_EQ(gateway.with(Command::send_to_all).at(0).body, "u") << "the frame behind it is found";
    EXPECT_EQ(gateway.count(Command::kick_uid), native ? 1U : 0U);
    if (!native) {
      EXPECT_EQ(gateway.with(Command::kick).at(0).header.connection_id, 7U);
    }
    calls_.reset();
  }
}

TEST_F(ClusterCallsTest, KeysOfMessagesGoToGatewaysThatKnowThem) {
  gateway_.native = true;
  second_.on_frame = [this](const FakeGateway::Received& frame) {
    if (frame.header.command == Command::batch_get_client_id_by_uid)
      second_.answer(frame.connection, R"(a:1:{s:2:"u1";a:1:{i:0;i:7;}})");
  };
  register_.list = {gateway_.address(), second_.address()};
  start_and_connect(2);
  const std::string longest(255, 'k');
  calls_->send_to_all("all", {.latest_key = longest});
  calls_->send_to_group("g", "group", {.latest_key = "k"});
  calls_->send_to_uid("u1", "uid", {.except = {id_at(second_, 9)}, .latest_key = "k"});
  ASSERT_TRUE(arrives(gateway_, Command::send_to_uid) && arrives(second_, Command::send_to_all, 2));
  EXPECT_EQ(gateway_.with(Command::send_to_all).at(0).body, "all" + longest + "\xff");
  EXPECT_EQ(gateway_.with(Command::send_to_group).at(0).body, "groupk\1");
  EXPECT_EQ(gateway_.with(Command::send_to_uid).at(0).body, "uidk\1");
  EXPECT_EQ(gateway_.with(Command::send_to_uid).at(0).header.flags, wire::flag::kScalar | wire::flag::kKeyed);
  const auto php = second_.with(Command::send_to_all);
  EXPECT_EQ(php[0].body, "all");
  EXPECT_EQ(php[1].body, "uid");
  EXPECT_EQ(second_.with(Command::send_to_group).at(0).body, "group");
  for (const auto& frame : php) EXPECT_EQ(frame.header.flags, wire::flag::kScalar);
}

TEST_F(ClusterCallsTest, BadArgumentsThrowAndNothingIsSent) {
  start_and_connect();
  EXPECT_THROW(calls_->send_to_client("zz", "x", {}), std::invalid_argument);
  EXPECT_THROW(calls_->send_to_clients({id(1), std::string("zz")}, "x", {}), std::invalid_argument);
  EXPECT_THROW(calls_->send_to_all("x", {.except = {"zz"}}), std::invalid_argument);
  EXPECT_THROW(calls_->send_to_group("0", "x", {}), std::invalid_argument);
  EXPECT_THROW(calls_->send_to_uid("", "x", {}), std::invalid_argument);
  EXPECT_THROW(calls_->send_to_uid("u", "x", {.except = {"zz"}}), std::invalid_argument);
  EXPECT_THROW(calls_->send_to_all("x", {.latest_key = std::string(256, 'k')}), std::invalid_argument);
  EXPECT_THROW(calls_->send_to_client(id(1), "x", {.latest_key = std::string(256, 'k')}), std::invalid_argument);
  EXPECT_THROW(calls_->bind_uid(id(1), "0"), std::invalid_argument);
  EXPECT_THROW(calls_->join_group("", "g"), std::invalid_argument);
  EXPECT_THROW(calls_->ungroup(""), std::invalid_argument);
  EXPECT_THROW(calls_->set_session(id(1), Value("text")), std::invalid_argument);
  EXPECT_EQ(calls_->sent(), 0U);
}

// Over the limit of its inner port a gateway would end the connection, with what everybody else has on it.
TEST_F(ClusterCallsTest, ACallThatCarriesTooMuchThrowsAndNothingIsSent) {
  gateway_.native = true;
  start_and_connect();
  const std::string over(wire::kMostCarried + 1, 'x');
  const std::string half(wire::kMostCarried / 2 + 1, 'x');
  const auto client = wire::parse_client_id(id(1)).value();
  ClusterCalls& calls = *calls_;
  const std::vector<std::pair<std::string, std::function<void()>>> all = {
      {"data: ", [&] { calls.send_to_all(over, {}); }},
      {"data: ", [&] { calls.send_to_clients({id(1)}, over, {}); }},
      {"data: ", [&] { calls.send_to_client(id(1), over, {}); }},
      {"data: ", [&] { calls.send(client, over); }},
      {"data: ", [&] { calls.send_to_uid("u", over, {}); }},
      {"names: ", [&] { calls.send_to_group({half, half}, "x", {}); }},
      {"last_words: ", [&] { calls.close_client(id(1), over); }},
      {"last_words: ", [&] { calls.close_uid("u", over); }},
      {"uid: ", [&] { calls.bind_uid(id(1), over); }},
      {"group: ", [&] { calls.join_group(id(1), over); }},
      {"group: ", [&] { calls.leave_group(id(1), over); }},
      {"group: ", [&] { calls.ungroup(over); }},
      {"session: ", [&] { calls.set_session(id(1), Value{{"s", over}}); }},
      {"changes: ", [&] { calls.update_session(id(1), Value{{"s", over}}); }},
      {"session: ", [&] { calls.save_session(client, Command::merge_session, over); }},
      {"uids: ", [&] { ask(link::ask_client_ids_by_uids({half, half})); }},
      {"groups: ", [&] { ask(link::ask_client_counts({half, half})); }},
      {"group: ", [&] { ask(link::ask_clients({half, half})); }},
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_THAT(all[i].second, ::testing::ThrowsMessage<std::invalid_argument>(
                                   ::testing::AllOf(::testing::StartsWith(all[i].first), ::testing::HasSubstr(" 33554432,"))))
        << i;
  }
  EXPECT_EQ(calls_->sent(), 0U);
  // What is just not too much arrives, on the same connections.
  calls.send_to_all(std::string_view(over).substr(1), {});
  ASSERT_TRUE(arrives(gateway_, Command::send_to_all));
  EXPECT_EQ(gateway_.with(Command::send_to_all)[0].body.size(), wire::kMostCarried);
  EXPECT_EQ(gateway_.accepted(), 1U);
}

// Workerman ends a connection over 10 MiB.
TEST_F(ClusterCallsTest, WhatAGatewayOfPhpWouldNotReadIsNotSentToIt) {
  second_.native = true;
  register_.list = {gateway_.address(), second_.address()};
  const std::string data(wire::kMostUpstreamFrame - wire::GatewayHeader::kSize, 'x');
  for (const bool before : {true, false}) {
    start([](ClusterCalls::Settings& settings) { settings.max_held_bytes = 64 * 1024 * 1024; });
    if (!before) {
      ASSERT_TRUE(run_until(loop_, [&] { return calls_->connected() == 2; }));
    }
    calls_->send_to_all(data, {});
    calls_->send_to_all(data + 'x', {});
    calls_->send_to_all("behind", {});
    const std::size_t behind = before ? 1 : 2;
    ASSERT_TRUE(arrives(second_, Command::send_to_all, 3 * behind) && arrives(gateway_, Command::send_to_all, 2 * behind));
    EXPECT_EQ(gateway_.with(Command::send_to_all).back().body, "behind");
    EXPECT_THAT(calls_->take_missed(), ElementsAre(ClusterCalls::Missed{
                                           gateway_.address(), "a gateway of PHP reads commands of at most 10485760 bytes"}));
    EXPECT_EQ(calls_->dropped(), 1U);
    calls_.reset();
  }
}

TEST_F(ClusterCallsTest, AnswersComeInOrderAndMayBeSplitAnywhere) {
  start_and_connect();
  for (int i = 0; i < 3; ++i) ask(link::ask_client_count());
  ASSERT_TRUE(arrives(gateway_, Command::get_client_count_by_group, 3));
  const std::string bytes = wire::from_hex(
      "00000004693a313b"
      "00000005693a32323b"
      "00000004693a333b");
  for (const char byte : bytes) {
    gateway_.send(gateway_.commands(), std::string(1, byte));
    run_for(loop_, 2);
  }
  ASSERT_TRUE(answered(3));
  EXPECT_EQ(link::client_count(answers_[0]), 1U);
  EXPECT_EQ(link::client_count(answers_[1]), 22U);
  EXPECT_EQ(link::client_count(answers_[2]), 3U);
}

TEST_F(ClusterCallsTest, ALateAnswerIsPassedOverAndNeverMistaken) {
  start_and_connect();
  ask(link::ask_client_count());
  ASSERT_TRUE(answered(1));
  EXPECT_FALSE(answers_[0].at(0).answered) << "its time was up";
  ask(link::ask_client_count("g1"));
  ASSERT_TRUE(arrives(gateway_, Command::get_client_count_by_group, 2));
  gateway_.answer(gateway_.commands(), "i:111;");
  gateway_.answer(gateway_.commands(), "i:222;");
  ASSERT_TRUE(answered(2));
  EXPECT_EQ(link::client_count(answers_[1]), 222U);
}

TEST_F(ClusterCallsTest, ACancelledQuestionIsForgottenButItsAnswerCounted) {
  start_and_connect();
  const std::uint64_t first = ask(link::ask_client_count());
  ask(link::ask_client_count());
  calls_->cancel(first);
  ASSERT_TRUE(arrives(gateway_, Command::get_client_count_by_group, 2));
  gateway_.answer(gateway_.commands(), "i:1;");
  gateway_.answer(gateway_.commands(), "i:2;");
  ASSERT_TRUE(answered(1));
  run_for(loop_, 20);
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(link::client_count(answers_[0]), 2U);
}

TEST_F(ClusterCallsTest, ALostGatewayIsMissingAtOnceAndDialledAgain) {
  register_.list = {gateway_.address(), second_.address()};
  start_and_connect(2);
  ask(link::ask_client_count());
  ASSERT_TRUE(arrives(gateway_, Command::get_client_count_by_group) && arrives(second_, Command::get_client_count_by_group));
  second_.answer(second_.commands(), "i:5;");
  const std::uint16_t port = gateway_.port();
  gateway_.close();
  ASSERT_TRUE(answered(1));
  ASSERT_EQ(answers_[0].size(), 2U);
  EXPECT_NE(answers_[0][0].answered, answers_[0][1].answered);
  EXPECT_THROW(link::client_count(answers_[0]), std::exception);
  calls_->send_to_client(id(1), "lost", {});
  EXPECT_EQ(calls_->dropped(), 1U);
  gateway_.listen(port);
  ASSERT_TRUE(run_until(loop_, [&] { return calls_->connected() == 2; }));
  calls_->send_to_client(id(1), "back", {});
  ASSERT_TRUE(arrives(gateway_, Command::send_to_one));
  EXPECT_EQ(gateway_.with(Command::send_to_one).at(0).body, "back");
}

TEST_F(ClusterCallsTest, QuestionsAboutClientsOfUnknownGatewaysHaveNoAnswers) {
  start_and_connect();
  ask(link::ask_is_online({0x0a000001, 2300, 1}));
  EXPECT_TRUE(answers_.empty()) << "never from within the call";
  ASSERT_TRUE(answered(1));
  EXPECT_THAT(answers_[0], IsEmpty());
  calls_->send_to_client("0a00000108fc00000001", "x", {});
  EXPECT_EQ(calls_->dropped(), 1U);
}

TEST_F(ClusterCallsTest, CallsBeforeTheFirstListAreHeldInOrder) {
  register_.silent = true;
  start();
  calls_->send_to_client(id(1), "one", {});
  calls_->send_to_all("two", {.except = {id(7)}});
  ask(link::ask_client_count());
  ASSERT_TRUE(run_until(loop_, [&] { return calls_->registers_connected() == 1; }));
  register_.list = {gateway_.address()};
  register_.tell_all();
  ASSERT_TRUE(arrives(gateway_, Command::get_client_count_by_group));
  gateway_.answer(gateway_.commands(), "i:9;");
  ASSERT_TRUE(answered(1));
  EXPECT_EQ(link::client_count(answers_[0]), 9U);
  ASSERT_EQ(gateway_.frames.size(), 4U);
  EXPECT_EQ(gateway_.frames[0].header.command, Command::gateway_client_connect);
  EXPECT_EQ(gateway_.frames[1].body, "one");
  EXPECT_EQ(gateway_.frames[2].ext, R"({"exclude":{"7":7}})");
}

TEST_F(ClusterCallsTest, WhatIsHeldIsBounded) {
  register_.silent = true;
  start([](auto& settings) { settings.max_held_bytes = 4096; });
  calls_->send_to_client(id(1), std::string(3000, 'x'), {});
  calls_->send_to_client(id(1), std::string(3000, 'x'), {});
  EXPECT_EQ(calls_->dropped(), 1U);
  ask(link::ask_client_count(std::string(3000, 'g')));
  ASSERT_TRUE(answered(1));
  EXPECT_THROW(link::client_count(answers_[0]), std::exception);
}

TEST_F(ClusterCallsTest, WithoutARegisterQuestionsRunOutOfTime) {
  register_.silent = true;
  start();
  ask(link::ask_client_count());
  ASSERT_TRUE(answered(1));
  EXPECT_THROW(link::client_count(answers_[0]), std::exception) << "not 0 clients";
}

TEST_F(ClusterCallsTest, AnEmptyClusterAnswersAtOnce) {
  start();
  ask(link::ask_client_count());
  ASSERT_TRUE(answered(1));
  EXPECT_EQ(link::client_count(answers_[0]), 0U);
}

TEST_F(ClusterCallsTest, AGatewayThatLeavesTheListKeepsItsConnectionsButIsNotDialledAgain) {
  start_and_connect();
  register_.list.clear();
  register_.tell_all();
  run_for(loop_, 20);
  EXPECT_EQ(calls_->connected(), 1U) << "an empty list closes nothing";
  calls_->send_to_client(id(1), "still", {});
  ASSERT_TRUE(arrives(gateway_, Command::send_to_one));
  const std::uint16_t port = gateway_.port();
  gateway_.close();
  ASSERT_TRUE(run_until(loop_, [&] { return calls_->gateway_count() == 0; }));
  gateway_.listen(port);
  run_for(loop_, 100);
  EXPECT_EQ(gateway_.accepted(), 1U);
  register_.list = {gateway_.address()};
  register_.tell_all();
  EXPECT_TRUE(run_until(loop_, [&] { return calls_->connected() == 1; }));
}

TEST_F(ClusterCallsTest, AGatewayThatIsBackIsLoggedOnce) {
  start_and_connect();
  const auto lines_with = [this](const std::string& words) {
    return std::count_if(log_.begin(), log_.end(),
                         [&](const std::string& line) { return line.find(words) != std::string::npos; });
  };
  EXPECT_EQ(lines_with("connected to the gateway " + gateway_.address()), 1);
  const std::uint16_t port = gateway_.port();
  gateway_.close();
  ASSERT_TRUE(run_until(loop_, [&] { return calls_->connected() == 0; }));
  gateway_.listen(port);
  ASSERT_TRUE(run_until(loop_, [&] { return lines_with(" again after ") == 1; }));
  run_for(loop_, 100);
  EXPECT_EQ(lines_with("connected to the gateway " + gateway_.address()), 2);
  EXPECT_EQ(lines_with("lost the connection to the gateway"), 1);
}

TEST_F(ClusterCallsTest, AddressesThatCannotBePartOfAClientIdArePassedOver) {
  register_.list = {"gateway.internal:2300", "[::1]:2300", "nonsense", gateway_.address()};
  start_and_connect();
  EXPECT_EQ(calls_->gateway_count(), 1U);
}

TEST_F(ClusterCallsTest, EventsComeFromTheMomentTheyAreOpenedAndSayWhoIsNative) {
  start_and_connect();
  EXPECT_EQ(gateway_.count(Command::worker_connect), 0U);
  calls_->open_events(*this);
  ASSERT_TRUE(arrives(gateway_, Command::worker_connect));
  wire::ConnectBody body;
  ASSERT_TRUE(wire::parse_connect_body(gateway_.with(Command::worker_connect)[0].body, body));
  EXPECT_EQ(body.worker_key, "ChatWorker:0");
  EXPECT_EQ(body.secret_key, "s3");
  EXPECT_TRUE(body.extension);
  gateway_.event(Command::on_message, 8, {}, "before");
  gateway_.event(Command::ping, 0, {}, {});
  calls_->send_to_client(id(8), binary("b"), {});
  ASSERT_TRUE(run_until(loop_, [&] { return events_.size() == 1; }));
  gateway_.hello();
  gateway_.event(Command::on_message, 8, {}, "after");
  ASSERT_TRUE(run_until(loop_, [&] { return events_.size() == 2; }));
  EXPECT_THAT(events_,
              ElementsAre(std::tuple(Command::on_message, "before", false), std::tuple(Command::on_message, "after", true)));
  calls_->send_to_client(id(8), binary("b"), {});
  calls_->send_to_client(id(8), "t", {});
  ASSERT_TRUE(arrives(gateway_, Command::send_to_one, 3));
  const auto sends = gateway_.with(Command::send_to_one);
  EXPECT_EQ(sends[0].header.flags, wire::flag::kScalar) << "upstream's gateways are told nothing new";
  EXPECT_EQ(sends[1].header.flags, wire::flag::kScalar | wire::flag::kBinary);
  EXPECT_EQ(sends[2].header.flags, wire::flag::kScalar);
}

TEST_F(ClusterCallsTest, ABadFrameClosesItsConnectionOnly) {
  start_and_connect();
  calls_->open_events(*this);
  ASSERT_TRUE(arrives(gateway_, Command::worker_connect));
  for (const std::string hex : {"00000003", "7fffffff"}) {
    const std::size_t connects = gateway_.count(Command::worker_connect);
    gateway_.send(gateway_.events(), wire::from_hex(hex) + std::string(40, '\0'));
    ASSERT_TRUE(arrives(gateway_, Command::worker_connect, connects + 1)) << hex;
  }
  EXPECT_THAT(lost_, ElementsAre(gateway_.address(), gateway_.address()));
  EXPECT_EQ(gateway_.count(Command::gateway_client_connect), 1U);
  gateway_.answer(gateway_.commands(), "i:1;");
  EXPECT_TRUE(arrives(gateway_, Command::gateway_client_connect, 2)) << "an answer that nobody asked for";
}

TEST_F(ClusterCallsTest, ClosingTheEventsLosesNothingThatIsUnderWay) {
  start_and_connect();
  calls_->open_events(*this);
  ASSERT_TRUE(arrives(gateway_, Command::worker_connect));
  for (int i = 0; i < 1000; ++i) gateway_.event(Command::on_message, 8, {}, "under way");
  run_for(loop_, 0);
  calls_->close_events();
  ASSERT_TRUE(run_until(loop_, [&] { return calls_->event_connections() == 0; }));
  EXPECT_EQ(events_.size(), 1000U);
  EXPECT_EQ(calls_->connected(), 1U) << "commands go on";
  run_for(loop_, 60);
  EXPECT_EQ(gateway_.count(Command::worker_connect), 1U) << "and it is not dialled again";
}

TEST_F(ClusterCallsTest, StopWritesWhatIsQueued) {
  start_and_connect();
  calls_->send_to_client(id(1), std::string(3'000'000, 'x'), {});
  bool stopped = false;
  calls_->stop([&] { stopped = true; });
  ASSERT_TRUE(run_until(loop_, [&] { return stopped; }));
  EXPECT_EQ(gateway_.count(Command::send_to_one), 1U);
  EXPECT_EQ(calls_->gateway_count(), 0U);
}

TEST_F(ClusterCallsTest, MayBeGoneInTheMiddleOfEverything) {
  start_and_connect();
  calls_->open_events(*this);
  ASSERT_TRUE(arrives(gateway_, Command::worker_connect));
  ask(link::ask_client_count());
  calls_.reset();
  EXPECT_TRUE(run_until(loop_, [&] { return gateway_.connection_count() == 0; }));
  run_for(loop_, 300);
  EXPECT_TRUE(answers_.empty());
}

}  // namespace
}  // namespace gatehouse
