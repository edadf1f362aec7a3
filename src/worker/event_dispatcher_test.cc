#include "worker/event_dispatcher.h"

#include <gatehouse/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <stdexcept>

#include "base/bytes.h"
#include "link/testing.h"
#include "wire/php_serialize.h"
#include "wire/test_vectors.h"
#include "worker/loop_scheduler.h"
#include "worker/testing.h"

namespace gatehouse {
namespace {

using link::testing::FakeGateway;
using link::testing::FakeRegister;
using link::testing::run_for;
using link::testing::run_until;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using wire::Command;
using namespace std::chrono_literals;

class EventDispatcherTest : public ::testing::Test {
 protected:
  EventDispatcherTest() : EventDispatcherTest(EventDispatcher::Limits{}) {}
  explicit EventDispatcherTest(EventDispatcher::Limits limits) {
    register_.list = {gateway_.address()};
    // A gateway's sessions, kept as a gateway does.
    gateway_.on_frame = [this](const FakeGateway::Received& frame) {
      const std::uint32_t id = frame.header.connection_id;
      if (frame.header.command == Command::set_session) sessions_[id] = frame.ext;
      if (frame.header.command == Command::update_session) sessions_[id] = updated(sessions_[id], frame.ext);
      if (frame.header.command != Command::get_session_by_client_id) return;
      const auto found = sessions_.find(frame.header.connection_id);
      gateway_.answer(frame.connection, found == sessions_.end() ? "N;" : found->second.empty() ? "a:0:{}" : found->second);
    };
    calls_.emplace(loop_, ClusterCalls::Settings{.register_addresses = {register_.address()}, .worker_key = "T:0"});
    cluster_.emplace(*calls_);
    dispatcher_.emplace(loop_, *calls_, *cluster_, scheduler_, events_, limits);
    calls_->start();
    calls_->open_events(*dispatcher_);
    EXPECT_TRUE(run_until(loop_, [this] { return calls_->connected() == 2 && gateway_.count(Command::worker_connect) == 1; }));
  }
  ~EventDispatcherTest() override {
    dispatcher_.reset();
    calls_.reset();
  }
  void message(std::uint32_t client, std::string_view body, std::string_view session = {}) {
    gateway_.event(Command::on_message, client, session, body);
  }
  static std::string updated(const std::string& session, const std::string& changes) {
    if (session.empty()) return changes;
    wire::PhpValue old;
    wire::PhpValue update;
    EXPECT_EQ(wire::unserialize(session, old), wire::PhpStatus::ok);
    EXPECT_EQ(wire::unserialize(changes, update), wire::PhpStatus::ok);
    return wire::serialize(wire::replace_recursive(*old.array(), *update.array()));
  }
  bool sees(std::size_t count) {
    return run_until(loop_, [&] { return seen_.size() >= count; });
  }

  net::Loop loop_{Log("dispatcher test")};
  LoopScheduler scheduler_{loop_};
  FakeRegister register_{loop_};
  FakeGateway gateway_{loop_};
  std::map<std::uint32_t, std::string> sessions_;
  testing::Script script_;
  testing::ScriptedEvents events_{script_};
  std::vector<std::string> seen_;
  std::optional<ClusterCalls> calls_;
  std::optional<Cluster> cluster_;
  std::optional<EventDispatcher> dispatcher_;
};

TEST_F(EventDispatcherTest, EventsOfOneClientRunInOrderAndThoseOfOthersMeanwhile) {
  script_.on_message = [this](Client&, Message message) -> Task<> {
    const std::string text(message.text());
    seen_.push_back(text + " begins");
    if (text[0] == 's') co_await sleep(20ms);
    EXPECT_EQ(message.text(), text) << "its bytes live through every co_await";
    seen_.push_back(text + " ends");
  };
  script_.on_close = [this](Client&, CloseReason) -> Task<> {
    seen_.emplace_back("close");
    co_return;
  };
  message(1, "slow 1");
  message(1, "slow 2");
  message(1, "quick");
  gateway_.event(Command::on_close, 1, {}, {});
  message(2, "other");
  ASSERT_TRUE(sees(9));
  EXPECT_THAT(seen_, ElementsAre("slow 1 begins", "other begins", "other ends", "slow 1 ends", "slow 2 begins", "slow 2 ends",
                                 "quick begins", "quick ends", "close"));
  EXPECT_EQ(dispatcher_->busy(), 0U);
  EXPECT_EQ(dispatcher_->held_bytes(), 0U);
  EXPECT_EQ(dispatcher_->remembered(), 0U);
}

TEST_F(EventDispatcherTest, AHandlerSeesItsOwnWritesInTheAnswersToItsQuestions) {
  gateway_.on_frame = [this](const FakeGateway::Received& frame) {
    if (frame.header.command == Command::get_client_count_by_group) {
      gateway_.answer(frame.connection, gateway_.count(Command::join_group) == 1 ? "i:1;" : "i:0;");
    }
  };
  script_.on_message = [this](Client& client, Message) -> Task<> {
    client.cluster().join_group(client.id(), "room");
    const std::size_t count = co_await client.cluster().client_count_by_group("room");
    seen_.push_back(std::to_string(count));
  };
  message(1, "x");
  ASSERT_TRUE(sees(1));
  EXPECT_THAT(seen_, ElementsAre("1"));
}

TEST_F(EventDispatcherTest, EveryQuestionThroughTheCluster) {
  gateway_.on_frame = [this](const FakeGateway::Received& frame) {
    const std::map<Command, std::string> answers = {
        {Command::is_online, "i:1;"},
        {Command::get_session_by_client_id, R"(a:1:{s:1:"n";i:1;})"},
        {Command::get_client_id_by_uid, "a:1:{i:0;i:8;}"},
        {Command::get_client_count_by_group, "i:3;"},
        {Command::get_group_id_list, R"(a:1:{i:0;s:2:"g1";})"},
        {Command::get_all_client_sessions, R"(a:1:{i:8;s:0:"";})"},
        {Command::get_client_sessions_by_group, R"(a:1:{i:8;s:0:"";})"},
        {Command::select, R"(a:1:{i:8;a:2:{s:3:"uid";s:1:"u";s:6:"groups";a:1:{s:1:"g";s:1:"g";}}})"},
    };
    const auto found = answers.find(frame.header.command);
    if (found != answers.end()) gateway_.answer(frame.connection, found->second);
  };
  bool done = false;
  script_.on_message = [&](Client& client, Message) -> Task<> {
    Cluster& cluster = client.cluster();
    const std::string id = client.id();
    EXPECT_TRUE(co_await cluster.is_online(id));
    EXPECT_EQ(co_await cluster.uid_by_client_id(id), "u");
    EXPECT_THAT(co_await cluster.groups_by_client_id(id), ElementsAre("g"));
    const Value session = co_await cluster.session(id);
    EXPECT_EQ(session.dump(), R"({"n":1})");
    EXPECT_TRUE(co_await cluster.is_uid_online("u"));
    EXPECT_THAT(co_await cluster.client_ids_by_uid("u"), ElementsAre(id));
    EXPECT_EQ(co_await cluster.client_count(), 3U);
    EXPECT_EQ(co_await cluster.client_count_by_group("g"), 3U);
    EXPECT_THAT(co_await cluster.client_ids(), ElementsAre(id));
    EXPECT_THAT(co_await cluster.client_ids_by_group("g"), ElementsAre(id));
    EXPECT_THAT(co_await cluster.uids(), ElementsAre("u"));
    EXPECT_THAT(co_await cluster.uids_by_group("g"), ElementsAre("u"));
    EXPECT_EQ(co_await cluster.uid_count(), 1U);
    EXPECT_EQ(co_await cluster.uid_count_by_group("g"), 1U);
    EXPECT_THAT(co_await cluster.group_ids(), ElementsAre("g1"));
    EXPECT_EQ((co_await cluster.sessions()).size(), 1U);
    EXPECT_EQ((co_await cluster.sessions_by_group("g")).size(), 1U);
    // A task may be awaited when its arguments are gone.
    Task<bool> later = cluster.is_uid_online(std::string("u") + "id that is long enough for the heap");
    EXPECT_TRUE(co_await later);
    EXPECT_THROW(cluster.is_online("zz"), std::invalid_argument);
    EXPECT_THROW(cluster.client_count_by_group("0"), std::invalid_argument);
    EXPECT_THROW(cluster.client_ids_by_uid(""), std::invalid_argument);
    done = true;
  };
  message(8, "x");
  ASSERT_TRUE(run_until(loop_, [&] { return done || dispatcher_->errors() > 0; }));
  EXPECT_EQ(dispatcher_->errors(), 0U);
}

TEST_F(EventDispatcherTest, ALostGatewayThrowsItsName) {
  script_.on_message = [this](Client& client, Message) -> Task<> {
    try {
      co_await client.cluster().client_count();
    } catch (const Error& error) {
      seen_ = error.gateways();
    }
  };
  message(8, "x");
  ASSERT_TRUE(run_until(loop_, [this] { return gateway_.count(Command::get_client_count_by_group) == 1; }));
  gateway_.close();
  ASSERT_TRUE(sees(1));
  EXPECT_THAT(seen_, ElementsAre(gateway_.address()));
}

TEST_F(EventDispatcherTest, AChangeOfTheSessionIsWrittenBackAndNothingElse) {
  script_.on_message = [this](Client& client, Message message) -> Task<> {
    if (message.text() == "write") client.session()["n"] = 2;
    if (message.text() == "read") seen_.push_back(client.session().dump());
    if (message.text() == "clear") client.session() = nullptr;
    if (message.text() == "bad") client.session() = 7;
    if (message.text() == "throw") {
      client.session()["n"] = 3;
      throw std::runtime_error("after the change");
    }
    seen_.emplace_back(message.text());
    co_return;
  };
  const std::string session = R"(a:2:{s:4:"name";s:3:"Tom";s:1:"f";d:0.10000000000000001;})";
  message(1, "read", session);
  message(1, "throw", session);
  message(2, "bad", session);
  message(3, "clear", session);
  message(4, "read", "this is no session");
  message(1, "write", session);
  ASSERT_TRUE(run_until(loop_, [this] { return gateway_.count(Command::update_session) == 1; }));
  ASSERT_EQ(gateway_.count(Command::set_session), 1U);
  const auto cleared = gateway_.with(Command::set_session)[0];
  EXPECT_EQ(cleared.header.connection_id, 3U);
  EXPECT_EQ(cleared.ext, "");
  const auto written = gateway_.with(Command::update_session)[0];
  EXPECT_EQ(written.header.connection_id, 1U);
  EXPECT_EQ(written.ext, R"(a:1:{s:1:"n";i:2;})");
  EXPECT_EQ(dispatcher_->errors(), 2U);
  EXPECT_EQ(seen_.at(0), R"({"name":"Tom","f":0.1})");
}

TEST_F(EventDispatcherTest, WhatAHandlerWritesTheNextEventSeesAlsoWhenBothCameAtOnce) {
  sessions_[1] = "";
  script_.on_message = [this](Client& client, Message message) -> Task<> {
    client.session()["said"].push_back(std::string(message.text()));
    seen_.push_back(client.session()["said"].dump());
    co_return;
  };
  message(1, "a");  // all three carry the session that was there before the first
  message(1, "b");
  message(1, "c");
  ASSERT_TRUE(sees(3));
  EXPECT_THAT(seen_, ElementsAre(R"(["a"])", R"(["a","b"])", R"(["a","b","c"])"));
  EXPECT_EQ(gateway_.count(Command::get_session_by_client_id), 2U);
  ASSERT_TRUE(run_until(loop_, [this] { return gateway_.count(Command::update_session) == 3; }));
  message(1, "d", sessions_[1]);
  ASSERT_TRUE(sees(4));
  EXPECT_EQ(gateway_.count(Command::get_session_by_client_id), 2U) << "an event that carries what is known asks nothing";
  EXPECT_EQ(dispatcher_->remembered(), 1U);
}

TEST_F(EventDispatcherTest, WhatOthersWroteIsFetchedToo) {
  sessions_[1] = "";
  script_.on_message = [this](Client& client, Message message) -> Task<> {
    if (message.text() == "write") client.session()["n"] = 1;
    seen_.push_back(client.session().dump());
    co_return;
  };
  message(1, "write");
  ASSERT_TRUE(run_until(loop_, [this] { return gateway_.count(Command::update_session) == 1; }));
  sessions_[1] = R"(a:1:{s:1:"n";i:2;})";
  message(1, "read", sessions_[1]);
  message(1, "read", sessions_[1]);
  ASSERT_TRUE(sees(3));
  EXPECT_THAT(seen_, ElementsAre(R"({"n":1})", R"({"n":2})", R"({"n":2})"));
  EXPECT_EQ(gateway_.count(Command::get_session_by_client_id), 1U);
}

TEST_F(EventDispatcherTest, WhatIsTakenFromASessionIsSaidSoToNativeGateways) {
  script_.on_message = [](Client& client, Message) -> Task<> {
    client.session().erase("gone");
    client.session()["n"] = 2;
    co_return;
  };
  const std::string session = R"(a:2:{s:4:"gone";i:1;s:1:"n";i:1;})";
  message(1, "x", session);
  ASSERT_TRUE(run_until(loop_, [this] { return gateway_.count(Command::set_session) == 1; }));
  EXPECT_EQ(gateway_.with(Command::set_session)[0].ext, R"(a:1:{s:1:"n";i:2;})") << "PHP has no other word for it";
  gateway_.hello();
  message(2, "x", session);
  ASSERT_TRUE(run_until(loop_, [this] { return gateway_.count(Command::merge_session) == 1; }));
  EXPECT_EQ(gateway_.with(Command::merge_session)[0].ext, R"(a:2:{i:0;a:1:{s:4:"gone";b:1;}i:1;a:1:{s:1:"n";i:2;}})");
}

TEST_F(EventDispatcherTest, TheLastEventSeesWhatWasWrittenWhileItWasUnderWay) {
  script_.on_message = [](Client& client, Message) -> Task<> {
    client.session()["name"] = "Tom";
    co_return;
  };
  script_.on_close = [this](Client& client, CloseReason) -> Task<> {
    seen_.push_back(client.session().dump());
    client.session()["late"] = true;
    co_return;
  };
  message(1, "login");
  gateway_.event(Command::on_close, 1, {}, {});
  message(2, "login");
  gateway_.event(Command::on_close, 2, R"(a:1:{s:4:"name";s:4:"else";})", {});
  ASSERT_TRUE(sees(2));
  EXPECT_THAT(seen_, ElementsAre(R"({"name":"Tom"})", R"({"name":"else"})"));
  run_for(loop_, 20);
  EXPECT_EQ(gateway_.count(Command::update_session), 2U) << "on_close saves nothing";
  EXPECT_EQ(dispatcher_->remembered(), 0U);
}

TEST_F(EventDispatcherTest, AClientThatIsGoneKeepsItsEventsSession) {
  script_.on_message = [this](Client& client, Message message) -> Task<> {
    if (message.text() == "write") client.session()["n"] = 1;
    seen_.push_back(client.session().dump());
    co_return;
  };
  gateway_.on_frame = [this](const FakeGateway::Received& frame) {
    if (frame.header.command == Command::get_session_by_client_id) gateway_.answer(frame.connection, "N;");
  };
  message(1, "write");
  message(1, "read", R"(a:1:{s:1:"n";i:0;})");
  ASSERT_TRUE(sees(2));
  EXPECT_THAT(seen_, ElementsAre(R"({"n":1})", R"({"n":0})"));
}

TEST_F(EventDispatcherTest, AGatewayThatTookItsClientsBackIsForgotten) {
  script_.on_message = [](Client& client, Message) -> Task<> {
    client.session()["n"] = 1;
    co_return;
  };
  message(1, "x");
  ASSERT_TRUE(run_until(loop_, [this] { return dispatcher_->remembered() == 1; }));
  if (net::Connection* events = loop_.find(gateway_.events())) events->destroy();
  EXPECT_TRUE(run_until(loop_, [this] { return dispatcher_->remembered() == 0; }));
}

TEST_F(EventDispatcherTest, WhatOnlyNativeGatewaysSayIsUnderstoodFromThemAlone) {
  std::vector<CloseReason> reasons;
  script_.on_message = [this](Client& client, Message message) -> Task<> {
    seen_.push_back(client.remote_address() + (message.is_binary() ? " binary " : " text ") + client.session().dump());
    co_return;
  };
  script_.on_close = [&](Client&, CloseReason reason) -> Task<> {
    reasons.push_back(std::move(reason));
    co_return;
  };
  namespace flag = wire::flag;
  const std::string ipv6 = wire::from_hex("20010db8000000000000000000000001");
  const std::string session = R"(a:1:{s:1:"n";i:1;})";
  const std::string reason = std::string("\x01\x03\xe8", 3) + "done";
  const auto send_all = [&] {
    gateway_.event(Command::on_message, 1, ipv6 + session, "x", flag::kScalar | flag::kBinary | flag::kAddress);
    gateway_.event(Command::on_close, 1, {}, reason, flag::kScalar | flag::kCloseReason);
    gateway_.event(Command::on_close, 1, {}, "\x01", flag::kScalar | flag::kCloseReason);
  };
  send_all();
  gateway_.hello();
  send_all();
  gateway_.event(Command::on_message, 1, "short", "x", flag::kScalar | flag::kAddress);
  ASSERT_TRUE(sees(3));
  EXPECT_THAT(seen_, ElementsAre("192.168.7.9 text null", R"(2001:db8::1 binary {"n":1})", "192.168.7.9 text null"));
  ASSERT_EQ(reasons.size(), 4U);
  EXPECT_EQ(reasons[0].cause, CloseReason::Cause::unknown);
  EXPECT_EQ(reasons[2].cause, CloseReason::Cause::client_closed);
  EXPECT_EQ(reasons[2].code, 1000);
  EXPECT_EQ(reasons[2].text, "done");
  EXPECT_EQ(reasons[3].cause, CloseReason::Cause::unknown);
}

TEST_F(EventDispatcherTest, TheHandshakeOfTheVectors) {
  script_.on_websocket_connect = [this](Client&, const Handshake& handshake) -> Task<> {
    co_await sleep(1ms);
    seen_ = {handshake.query("token"), handshake.query("room"), handshake.cookie("theme"), handshake.header("X-Test"),
             handshake.server()["REQUEST_METHOD"].get<std::string>()};
  };
  const auto vectors = wire::load_vectors("gateway_protocol.json");
  for (const auto& each : vectors["frames"]) {
    if (each["name"] == "on_websocket_connect") gateway_.send(gateway_.events(), wire::from_hex(each["frame_hex"]));
  }
  ASSERT_TRUE(sees(5));
  EXPECT_THAT(seen_, ElementsAre("abc", "中", "dark", "yes", "GET"));
}

TEST_F(EventDispatcherTest, TheHandshakeOfANativeGatewayIsTheClientsRequest) {
  std::optional<Handshake> kept;
  script_.on_websocket_connect = [&](Client& client, const Handshake& handshake) -> Task<> {
    kept = handshake;
    seen_.push_back(client.remote_address() + " " + handshake.query("room") + " " + handshake.cookie("theme") + " " +
                    handshake.header("x-a") + " " + handshake.server().value("REMOTE_ADDR", ""));
    co_return;
  };
  gateway_.hello();
  const std::string request = "GET /chat?room=%E4%B8%AD HTTP/1.1\r\nHost: h:1\r\nX-A: 1\r\nCookie: theme=dark\r\nX-A: 2\r\n\r\n";
  gateway_.event(Command::on_websocket_connect, 1, {}, request);
  const std::string address = wire::from_hex("20010db8000000000000000000000001");
  gateway_.event(Command::on_websocket_connect, 2, address, request, wire::flag::kScalar | wire::flag::kAddress);
  // What no gateway sends: who looks fails, and nobody is let in; or nobody is told.
  constexpr auto kAsked = static_cast<std::uint8_t>(wire::flag::kScalar | wire::flag::kAwaitsAnswer);
  gateway_.event(Command::on_websocket_connect, 3, {}, "GET\r\n\r\n", kAsked);
  gateway_.event(Command::on_websocket_connect, 4, {}, request + "\r\n\r\n", kAsked);
  gateway_.event(Command::on_websocket_connect, 5, {}, "GET / HTTP/1.1\r\n", kAsked);
  ASSERT_TRUE(run_until(loop_, [this] { return gateway_.count(Command::handshake_answer) == 3; }));
  EXPECT_THAT(seen_, ElementsAre("192.168.7.9 中 dark 1,2 192.168.7.9", "2001:db8::1 中 dark 1,2 2001:db8::1"));
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->header("X-A"), "1,2");
  std::vector<std::string> answers;
  for (const auto& frame : gateway_.with(Command::handshake_answer)) answers.push_back(frame.body);
  EXPECT_THAT(answers, ElementsAre(R"({"status":500})", R"({"status":500})", R"({"status":400})"));
}

TEST_F(EventDispatcherTest, AHandshakeThatAwaitsAnAnswerGetsOneBehindAllThatTheHandlerDid) {
  script_.on_websocket_connect = [](Client& client, const Handshake& handshake) -> Task<> {
    client.session()["seen"] = true;
    client.send("before");
    co_await sleep(1ms);
    if (handshake.header("X-Do") == "refuse") client.refuse(401, "who are you?");
    if (handshake.header("X-Do") == "choose") client.choose_subprotocol(handshake.subprotocols().at(1));
    if (handshake.header("X-Do") == "throw") throw std::runtime_error("as it should");
    EXPECT_THROW(client.refuse(200), std::invalid_argument);
  };
  gateway_.hello();
  const auto handshake = [&](std::uint32_t client, const char* what, std::uint8_t flags) {
    wire::PhpArray server;
    server.set(wire::PhpKey::from_text("HTTP_X_DO"), std::string(what));
    server.set(wire::PhpKey::from_text("HTTP_SEC_WEBSOCKET_PROTOCOL"), std::string("a, b,c"));
    wire::PhpArray body;
    body.set(wire::PhpKey::from_text("server"), std::move(server));
    gateway_.event(Command::on_websocket_connect, client, {}, wire::serialize(wire::PhpValue(std::move(body))), flags);
  };
  handshake(1, "nothing", wire::flag::kAwaitsAnswer);
  handshake(2, "refuse", wire::flag::kAwaitsAnswer);
  handshake(3, "choose", wire::flag::kAwaitsAnswer);
  handshake(4, "throw", wire::flag::kAwaitsAnswer);
  gateway_.event(Command::on_websocket_connect, 5, {}, "not a value", wire::flag::kAwaitsAnswer);
  handshake(6, "refuse", 0);  // not asked: it is in already, and is closed
  ASSERT_TRUE(
      run_until(loop_, [this] { return gateway_.count(Command::handshake_answer) == 5 && gateway_.count(Command::kick) == 1; }));
  std::map<std::uint32_t, std::string> answers;
  for (const auto& frame : gateway_.with(Command::handshake_answer)) answers[frame.header.connection_id] = frame.body;
  EXPECT_EQ(answers[1], R"({"status":101})");
  EXPECT_EQ(answers[2], R"({"status":401,"words":"who are you?"})");
  EXPECT_EQ(answers[3], R"({"status":101,"subprotocol":"b"})");
  EXPECT_EQ(answers[4], R"({"status":500})");
  EXPECT_EQ(answers[5], R"({"status":400})");
  EXPECT_EQ(gateway_.with(Command::kick).at(0).header.connection_id, 6U);
  // What the first one did, in order.
  std::vector<Command> order;
  for (const auto& frame : gateway_.frames) {
    if (frame.header.connection_id == 1) order.push_back(frame.header.command);
  }
  ASSERT_EQ(order.size(), 3U) << "what was sent, the session, the answer";
  EXPECT_EQ(order.front(), Command::send_to_one);
  EXPECT_EQ(order.back(), Command::handshake_answer);
}

class EventDispatcherLimitTest : public EventDispatcherTest {
 protected:
  static constexpr std::size_t kLimit = 1024 * 1024;
  EventDispatcherLimitTest() : EventDispatcherTest({.max_held_bytes = kLimit}) {}
};

TEST_F(EventDispatcherLimitTest, ReadingRestsWhileTooMuchWaitsAndNothingIsLost) {
  bool go_on = false;
  std::size_t handled = 0;
  script_.on_message = [&](Client&, Message message) -> Task<> {
    EXPECT_EQ(message.text().substr(0, 6), std::to_string(100'000 + handled));
    while (!go_on) co_await sleep(1ms);
    ++handled;
  };
  constexpr std::size_t kEvents = 200;
  const std::string filling(100'000, 'x');
  for (std::size_t i = 0; i < kEvents; ++i) message(1, std::to_string(100'000 + i) + filling);
  ASSERT_TRUE(run_until(loop_, [&] { return dispatcher_->held_bytes() > kLimit; }));
  run_for(loop_, 100);
  // What one read brought is still taken.
  EXPECT_LT(dispatcher_->held_bytes(), kLimit + 2 * net::Loop::kReadBudget);
  go_on = true;
  EXPECT_TRUE(run_until(loop_, [&] { return handled == kEvents; }));
  EXPECT_EQ(dispatcher_->held_bytes(), 0U);
}

TEST_F(EventDispatcherTest, ClearDestroysWhatIsSuspendedAndAsksNothingMore) {
  int destroyed = 0;
  script_.on_message = [&](Client& client, Message) -> Task<> {
    // A local that speaks at its end finds everything still there.
    const std::shared_ptr<void> local(nullptr, [&](void*) {
      client.send("going " + client.id());
      ++destroyed;
    });
    client.session()["n"] = 1;
    co_await client.cluster().client_count();
  };
  message(1, "x");
  message(1, "y");
  message(2, "z");
  ASSERT_TRUE(run_until(loop_, [this] { return dispatcher_->busy() == 2; }));
  dispatcher_->clear();
  EXPECT_EQ(destroyed, 2);
  EXPECT_EQ(dispatcher_->busy(), 0U);
  run_for(loop_, 20);
  EXPECT_EQ(gateway_.count(Command::send_to_one), 2U);
  EXPECT_EQ(gateway_.count(Command::set_session) + gateway_.count(Command::update_session), 0U);
}

}  // namespace
}  // namespace gatehouse
