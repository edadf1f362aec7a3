#include "gateway/handshakes.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "gateway/gateway_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using wire::Command;
using Strings = std::vector<std::string>;

constexpr std::string_view kOffers = "Sec-WebSocket-Protocol: chat.v1, chat.v2\r\nSec-WebSocket-Protocol: ,other\r\n";

std::string protocol_of(const WebSocketPeer& peer) {
  constexpr std::string_view kField = "Sec-WebSocket-Protocol: ";
  const std::size_t at = peer.head.find(kField);
  if (at == std::string::npos) return "";
  return peer.head.substr(at + kField.size(), peer.head.find("\r\n", at) - at - kField.size());
}

TEST(Handshakes, TheFirstOfTheConfiguredSubprotocolsThatIsOffered) {
  GatewayOptions options = TestGateway::options();
  options.subprotocols = {"chat.v3", "chat.v2", "chat.v1"};
  TestGateway test(options);
  const auto worker = test.worker();
  EXPECT_EQ(protocol_of(*test.client(0, kOffers)), "chat.v2");
  EXPECT_EQ(protocol_of(*test.client(0, "Sec-WebSocket-Protocol: unknown\r\n")), "");
  EXPECT_EQ(protocol_of(*test.client()), "");
  TestGateway none;
  const auto other = none.worker();
  EXPECT_EQ(protocol_of(*none.client(0, kOffers)), "");
}

class Asking : public ::testing::Test {
 protected:
  static GatewayOptions options() {
    GatewayOptions options = TestGateway::options();
    options.handshake_by_worker = true;
    options.handshake_timeout = std::chrono::milliseconds(1000);
    return options;
  }
  void answer(const wire::HandshakeVerdict& verdict) {
    const auto events = worker->events(Command::on_websocket_connect);
    worker->send(Command::handshake_answer, events.back().header.connection_id, {}, wire::handshake_verdict_body(verdict));
  }
  /// A client whose handshake the worker has heard of.
  void connect() {
    const std::size_t before = worker->count(Command::on_websocket_connect);
    client = std::make_unique<WebSocketPeer>(test.client_endpoint);
    client->write(WebSocketPeer::request("/", kOffers) + WebSocketPeer::frame("glued"));
    ASSERT_TRUE(test.until([&] { return worker->count(Command::on_websocket_connect) == before + 1; }));
    EXPECT_EQ(worker->events(Command::on_websocket_connect).back().header.flags, wire::flag::kScalar | wire::flag::kAwaitsAnswer);
    test.settle();
    client->poll();
    EXPECT_EQ(client->head, "") << "nothing before the answer";
  }

  TestGateway test{options()};
  std::unique_ptr<InnerPeer> worker = test.worker("native:0", true);
  std::unique_ptr<WebSocketPeer> client;
};

TEST_F(Asking, LetInWithASubprotocolAndWhatWasSaidMeanwhileFollows) {
  connect();
  const std::uint32_t id = worker->events(Command::on_connect).back().header.connection_id;
  worker->send(Command::send_to_one, id, {}, "before");
  client->say("more");
  test.settle();
  EXPECT_EQ(worker->said(), Strings());
  answer({101, "", "chat.v1"});
  ASSERT_TRUE(test.until([&] { return client->texts() == Strings({"before"}) && worker->said() == Strings({"glued", "more"}); }));
  EXPECT_EQ(protocol_of(*client), "chat.v1");
  // A second answer is nobody's.
  answer({403, "", ""});
  test.settle();
  EXPECT_FALSE(client->ended());
}

TEST_F(Asking, ASubprotocolThatWasNotOfferedIsNotChosen) {
  connect();
  answer({101, "", "chat.v9"});
  ASSERT_TRUE(test.until([&] {
    client->poll();
    return client->is_open();
  }));
  EXPECT_EQ(protocol_of(*client), "");
}

TEST_F(Asking, RefusedWithAStatusAndItsWords) {
  connect();
  answer({401, "who are you?", ""});
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_TRUE(client->head.starts_with("HTTP/1.1 401 Unauthorized\r\n")) << client->head;
  EXPECT_EQ(client->socket.received, "who are you?\n");
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == 1; }));
  EXPECT_EQ(worker->said(), Strings());
}

TEST_F(Asking, AWorkerThatDoesNotAnswerInTime) {
  connect();
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_TRUE(client->head.starts_with("HTTP/1.1 503 ")) << client->head;
  answer({});
  test.settle();
}

/// It had been given the question and does not acknowledge events, so that nobody is asked again; there is no other.
TEST_F(Asking, AWorkerThatGoesWithTheQuestion) {
  connect();
  worker.reset();
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_TRUE(client->head.starts_with("HTTP/1.1 503 ")) << client->head;
  EXPECT_EQ(test.gateway->status().connections, 0U);
}

TEST_F(Asking, AClientThatGoesMeanwhileAndAnAnswerThatIsNone) {
  connect();
  client->socket.close();
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == 1; }));
  answer({});
  connect();
  worker->send(Command::handshake_answer, worker->events(Command::on_websocket_connect).back().header.connection_id, {}, "{}");
  test.settle();
  client->poll();
  EXPECT_EQ(client->head, "");
  answer({});
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"glued"}); }));
}

/// Comes one client after the other, each decided by the native worker, though a worker of PHP is there with fewer clients.
void expect_native_worker_decides(const GatewayOptions& options) {
  TestGateway test(options);
  const auto php = test.worker("a-php:0");
  const auto native = test.worker("native:0", true);
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
  for (std::size_t i = 1; i <= 3; ++i) {
    clients.push_back(std::make_unique<WebSocketPeer>(test.client_endpoint));
    clients.back()->shake_hands();
    ASSERT_TRUE(test.until([&] { return native->count(Command::on_websocket_connect) == i; }));
    EXPECT_EQ(native->count(Command::on_connect), i);
    const std::uint32_t id = native->frames.back().header.connection_id;
    native->send(Command::handshake_answer, id, {}, wire::handshake_verdict_body({101, "", ""}));
    ASSERT_TRUE(test.until([&] {
      clients.back()->poll();
      return clients.back()->is_open();
    }));
  }
  EXPECT_EQ(php->frames.size(), 0U);
}

TEST(Handshakes, BesideWorkersOfPhpNativeOnesAreAsked) {
  GatewayOptions options = TestGateway::options();
  options.handshake_by_worker = true;
  expect_native_worker_decides(options);
  options.select_load_balancing_mode = LoadBalancing::round_robin;
  expect_native_worker_decides(options);
  options.select_load_balancing_mode = LoadBalancing::random;
  expect_native_worker_decides(options);
  options.router = route_in_turn();
  expect_native_worker_decides(options);
}

TEST(Handshakes, AClientOfAWorkerOfPhpIsMovedToTheNativeOneThatIsAsked) {
  GatewayOptions options = TestGateway::options();
  options.handshake_by_worker = true;
  TestGateway test(options);
  const auto php = test.worker("php:0");
  WebSocketPeer client(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return php->count(Command::on_connect) == 1; }));
  const auto native = test.worker("native:0", true);
  client.shake_hands();
  ASSERT_TRUE(test.until([&] { return native->count(Command::on_websocket_connect) == 1; }));
  EXPECT_EQ(php->count(Command::on_websocket_connect), 0U);
}

/// A gateway that asks, with a worker of PHP alone.
class AskingPhp : public ::testing::Test {
 protected:
  static GatewayOptions options() {
    GatewayOptions options = TestGateway::options();
    options.handshake_by_worker = true;
    return options;
  }
  /// A client whose handshake the worker has heard of, with a message behind it.
  std::unique_ptr<WebSocketPeer> connect() {
    const std::size_t before = php->count(Command::on_websocket_connect);
    auto client = std::make_unique<WebSocketPeer>(test.client_endpoint);
    client->write(WebSocketPeer::request() + WebSocketPeer::frame("glued"));
    EXPECT_TRUE(test.until([&] { return php->count(Command::on_websocket_connect) == before + 1; }));
    EXPECT_EQ(php->events(Command::on_websocket_connect).back().header.flags, 0) << "as upstream knows it";
    return client;
  }
  [[nodiscard]] std::uint32_t id() { return php->events(Command::on_websocket_connect).back().header.connection_id; }
  [[nodiscard]] bool is_in(WebSocketPeer& client) {
    client.poll();
    return client.is_open();
  }

  TestGateway test{options()};
  std::unique_ptr<InnerPeer> php = test.worker("php:0");
};

TEST_F(AskingPhp, ACloseClientInItsCallbackRefuses) {
  for (const bool with_words : {false, true}) {
    const auto client = connect();
    php->send(Command::send_to_one, id(), {}, "dropped");
    test.settle();
    client->poll();
    EXPECT_EQ(client->head, "") << "a message is no answer";
    // null, as PHP sends it, is no words.
    with_words ? php->send(Command::kick, id(), {}, "wrong token") : php->send(Command::kick, id(), {}, "N;", 0);
    ASSERT_TRUE(test.until([&] { return client->ended(); }));
    EXPECT_TRUE(client->head.starts_with("HTTP/1.1 403 ")) << client->head;
    EXPECT_EQ(client->socket.received.find("wrong token") != std::string::npos, with_words);
    EXPECT_EQ(client->socket.received.find("dropped"), std::string::npos);
  }
  ASSERT_TRUE(test.until([&] { return php->count(Command::on_close) == 2; }));
  EXPECT_EQ(php->said(), Strings()) << "nothing of one that was never in";
}

TEST_F(AskingPhp, WhatItDoesForAClientLetsItIn) {
  for (const auto& [command, ext] :
       {std::pair{Command::set_session, "a:1:{s:2:\"in\";b:1;}"}, std::pair{Command::update_session, "a:1:{s:2:\"in\";b:1;}"},
        std::pair{Command::bind_uid, "u1"}, std::pair{Command::join_group, "room"}}) {
    const auto start = std::chrono::steady_clock::now();
    const auto other = connect();
    const auto client = connect();
    php->send(Command::send_to_one, id(), {}, "welcome");
    php->send(command, id(), ext, {});
    ASSERT_TRUE(test.until([&] { return is_in(*client); }));
    const bool other_is_in = is_in(*other);
    // On a machine that is too busy, the moment after which it is let in anyway may be over.
    const auto passed = std::chrono::steady_clock::now() - start;
    if (passed < std::chrono::milliseconds(Handshakes::kPhpAnswerMs)) {
      EXPECT_FALSE(other_is_in) << "nobody let that one in";
    }
    ASSERT_TRUE(test.until([&] { return client->texts() == Strings{"welcome"}; }));
    ASSERT_TRUE(test.until([&] { return php->said() == Strings{"glued"}; }));
    php->frames.clear();
    other->socket.reset();
    client->socket.reset();
    ASSERT_TRUE(test.until([&] { return php->count(Command::on_close) == 2; }));
    php->frames.clear();
  }
}

TEST_F(AskingPhp, ThatSaysNothingLetsInAfterAMoment) {
  const auto start = std::chrono::steady_clock::now();
  const auto client = connect();
  ASSERT_TRUE(test.until([&] { return is_in(*client); }));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(Handshakes::kPhpAnswerMs));
  ASSERT_TRUE(test.until([&] { return php->said() == Strings{"glued"}; }));
  // What comes later ends it as anybody.
  php->send(Command::kick, id(), {}, "wrong token");
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_EQ(client->texts(), Strings{"wrong token"});
}

TEST_F(Asking, WithWorkersOfPhpAloneEverybodyIsLetInWhoIsNotClosed) {
  worker.reset();
  test.settle();
  const auto php = test.worker("php:0");
  const auto plain = test.client();
  EXPECT_EQ(php->events(Command::on_websocket_connect).at(0).header.flags, 0);
  php->socket.close();
  test.settle();
  // Nobody there: it waits, and the one that comes is of PHP again.
  WebSocketPeer waits(test.client_endpoint);
  waits.shake_hands();
  test.settle();
  const auto late = test.worker("php:1");
  ASSERT_TRUE(test.until([&] {
    waits.poll();
    return waits.is_open();
  }));
}

}  // namespace
}  // namespace gatehouse::gateway
