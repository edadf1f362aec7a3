#include "gateway/event_forwarder.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gateway/gateway_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using wire::Command;
using Strings = std::vector<std::string>;

std::vector<Command> commands_of(InnerPeer& worker) {
  worker.poll();
  std::vector<Command> out;
  for (const auto& frame : worker.frames) out.push_back(frame.header.command);
  return out;
}

TEST(EventForwarder, WithoutAWorkerEventsWaitAndComeInOrder) {
  TestGateway test;
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<WebSocketPeer>(test.client_endpoint));
    clients.back()->write(WebSocketPeer::request() + WebSocketPeer::frame("1") + WebSocketPeer::frame("2") +
                          WebSocketPeer::frame("3"));
  }
  ASSERT_TRUE(test.until([&] { return test.gateway->status().connections == 5; }));
  test.settle();
  EXPECT_EQ(test.gateway->status().messages_in, 0U);
  const auto a = test.worker("a:0");
  ASSERT_TRUE(test.until([&] { return a->said().size() == 15; }));
  std::map<std::uint32_t, std::string> heard;
  for (const auto& frame : a->frames) {
    std::string& sequence = heard[frame.header.connection_id];
    switch (frame.header.command) {
      case Command::on_connect: sequence += 'c'; break;
      case Command::on_websocket_connect: sequence += 'w'; break;
      default: sequence += frame.body;
    }
  }
  EXPECT_EQ(heard.size(), 5U);
  for (const auto& [id, sequence] : heard) EXPECT_EQ(sequence, "cw123");
}

TEST(EventForwarder, AClientThatHasGoneMeanwhileComesAndGoes) {
  TestGateway test;
  const auto commander = test.commander();
  Peer client(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return test.gateway->status().connections == 1; }));
  commander->send(Command::get_all_client_sessions, 0, {}, {});
  ASSERT_TRUE(test.until([&] { return commander->answers().size() == 1; }));
  const auto id = static_cast<std::uint32_t>(std::stoul(commander->answers()[0].substr(7)));
  commander->send(Command::set_session, id, "a:0:{}", {});
  commander->send(Command::destroy, id, {}, {});
  ASSERT_TRUE(test.until([&] { return client.ended(); }));
  const auto worker = test.worker();
  ASSERT_TRUE(test.until([&] { return commands_of(*worker) == std::vector<Command>{Command::on_connect, Command::on_close}; }));
  EXPECT_EQ(worker->frames[1].header.connection_id, id);
  EXPECT_EQ(worker->frames[1].ext_data, "a:0:{}");
}

TEST(EventForwarder, WithoutAWorkerForLongClientsAreSentAway) {
  GatewayOptions options = TestGateway::options();
  options.no_worker_timeout = milliseconds(100);
  TestGateway test(options);
  auto first = test.worker("first:0", true);
  const auto spoke = test.client();
  const auto silent = test.client();
  first->socket.close();
  first.reset();
  test.settle();
  spoke->say("unheard");
  Peer late(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return spoke->ended() && late.ended(); }));
  EXPECT_EQ(spoke->close_code, 1013);
  EXPECT_EQ(test.gateway->status().limits.at("no_worker_time"), 2U);
  EXPECT_FALSE(silent->ended());
  // A second round of waiting: whoever has heard of a client hears that it went, however late.
  ASSERT_TRUE(test.until([&] { return test.gateway->status().connections == 1; }));
  net::testing::run_for(test.loop, milliseconds(1300));
  const auto second = test.worker("second:0", true);
  silent->say("still here");
  ASSERT_TRUE(test.until([&] { return second->said() == Strings({"still here"}); }));
  EXPECT_EQ(commands_of(*second), (std::vector<Command>{Command::hello, Command::on_close, Command::on_message}));
}

TEST(EventForwarder, AHealthProbeIsAnsweredWithoutAWorkerAndAClientWaits) {
  TestGateway test;
  Peer probe(test.client_endpoint);
  probe.write("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer no_http(test.client_endpoint);
  no_http.write("what is this?\r\n\r\n");
  WebSocketPeer client(test.client_endpoint);
  client.write(WebSocketPeer::request() + WebSocketPeer::frame("1"));
  ASSERT_TRUE(test.until([&] { return probe.ended() && no_http.ended(); }));
  EXPECT_TRUE(probe.socket.received.starts_with("HTTP/1.1 400 ")) << probe.socket.received;
  EXPECT_TRUE(no_http.socket.received.starts_with("HTTP/1.1 400 ")) << no_http.socket.received;
  test.settle();
  client.poll();
  EXPECT_EQ(client.head, "") << "it is let in when a worker has heard of it";
  const auto worker = test.worker();
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"1"}); }));
  EXPECT_EQ(worker->count(Command::on_connect), 3U);
  EXPECT_EQ(worker->count(Command::on_close), 2U);
  EXPECT_EQ(worker->count(Command::on_websocket_connect), 1U);
}

TEST(EventForwarder, OfWhomNobodyHeardNobodyHearsThatItWent) {
  GatewayOptions options = TestGateway::options();
  options.no_worker_timeout = milliseconds(500);
  TestGateway test(options);
  const auto commander = test.commander();
  Peer kicked(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return test.gateway->status().connections == 1; }));
  commander->send(Command::get_all_client_sessions, 0, {}, {});
  ASSERT_TRUE(test.until([&] { return commander->answers().size() == 1; }));
  commander->send(Command::kick, static_cast<std::uint32_t>(std::stoul(commander->answers()[0].substr(7))), {}, "N;", 0);
  Peer waits(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return kicked.ended() && waits.ended(); }));
  net::testing::run_for(test.loop, milliseconds(1100));
  const auto worker = test.worker();
  const auto client = test.client();
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_websocket_connect) == 1; }));
  EXPECT_EQ(worker->frames.size(), 2U);
}

TEST(EventForwarder, WithoutRoomToWaitInClientsAreSentAwayAtOnce) {
  GatewayOptions options = TestGateway::options();
  options.no_worker_buffer_size = 2000;
  TestGateway test(options);
  auto worker = test.worker();
  const auto small = test.client();
  const auto big = test.client();
  worker->socket.close();
  test.settle();
  small->say(std::string(1000, 's'));
  ASSERT_TRUE(test.until([&] { return test.gateway->status().messages_in == 1; }));
  big->say(std::string(1000, 'b'));
  ASSERT_TRUE(test.until([&] { return big->ended(); }));
  EXPECT_EQ(big->close_code, 1013);
  EXPECT_EQ(test.gateway->status().limits.at("no_worker_buffer"), 1U);
  EXPECT_FALSE(small->ended());
  const auto next = test.worker();
  // The bytes that waited count no more.
  ASSERT_TRUE(
      test.until([&] { return next->said() == Strings({std::string(1000, 's')}) && next->count(Command::on_close) == 1; }));
  next->socket.close();
  test.settle();
  small->say(std::string(1000, 't'));
  ASSERT_TRUE(test.until([&] { return test.gateway->status().messages_in == 3; }));
  EXPECT_FALSE(small->ended());
}

TEST(EventForwarder, TheClientsOfAWorkerThatDiesMoveToTheOthers) {
  TestGateway test;
  const auto a = test.worker("a:0");
  const auto b = test.worker("b:0");
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(test.client());
  ASSERT_TRUE(test.until([&] { return a->count(Command::on_websocket_connect) == 2; }));
  a->socket.reset();
  test.settle();
  for (auto& client : clients) client->say("x");
  ASSERT_TRUE(test.until([&] { return b->said().size() == 4; }));
}

// The worker's link has ended, but is not yet swept up, when its client speaks.
TEST(EventForwarder, AnEventThatMeetsAWorkerJustGoingGoesToAnother) {
  for (const bool reset : {true, false}) {
    TestGateway test;
    const auto a = test.worker("a:0");
    const auto b = test.worker("b:0");
    const auto client = test.client();
    const auto leaver = test.client();  // bound to b
    ASSERT_TRUE(test.until([&] { return a->count(Command::on_websocket_connect) == 1; }));
    reset ? a->socket.reset() : a->socket.close();
    client->say("one");
    client->say("two");
    ASSERT_TRUE(test.until([&] { return b->said() == Strings({"one", "two"}); }));
  }
}

TEST(EventForwarder, AWorkerThatDoesNotReadSlowsItsClientsAndLosesNothing) {
  GatewayOptions options = TestGateway::options();
  options.send_to_worker_buffer_size = 100'000;
  TestGateway test(options);
  const auto slow = test.worker("a:0");
  const auto quick = test.worker("b:0");
  const auto talker = test.client();
  const auto other = test.client();
  ASSERT_TRUE(test.until(
      [&] { return slow->count(Command::on_websocket_connect) == 1 && quick->count(Command::on_websocket_connect) == 1; }));
  slow->reading = false;
  constexpr std::size_t kMessages = 16'000;  // 16 MB, more than all buffers of the kernel take
  std::string all;
  for (std::size_t i = 0; i < kMessages; ++i) all += WebSocketPeer::frame(std::to_string(i) + std::string(1000, '.'));
  talker->write(all);
  // Paused: nothing more is taken from it.
  std::size_t unwritten = 0;
  std::uint64_t most = 0;
  ASSERT_TRUE(test.until([&] {
    for (int i = 0; i < 100; ++i) talker->pump();
    most = std::max(most, test.gateway->status().queued_bytes);
    return std::exchange(unwritten, talker->unwritten()) == talker->unwritten() && most > 100'000;
  }));
  other->say("hello");
  ASSERT_TRUE(test.until([&] {
    talker->pump();
    return quick->said() == Strings({"hello"});
  }));
  EXPECT_GT(talker->unwritten(), 1'000'000U);
  EXPECT_LT(most, 110'000U);
  EXPECT_GE(test.gateway->status().limits.at("worker_buffer"), 1U);
  slow->reading = true;
  std::size_t next = 0;
  ASSERT_TRUE(test.until([&] {
    talker->pump();
    for (const std::string& message : slow->said()) {
      if (message != std::to_string(next) + std::string(1000, '.')) ADD_FAILURE() << "lost or doubled: " << next;
      ++next;
    }
    slow->frames.clear();
    return next == kMessages;
  }));
}

/// A worker that does not read, with a client that is not read from for its sake.
struct Stuck {
  static GatewayOptions options() {
    GatewayOptions options = TestGateway::options();
    options.send_to_worker_buffer_size = 50'000;
    return options;
  }
  Stuck() {
    EXPECT_TRUE(test.until([&] { return worker->count(Command::on_websocket_connect) == 1; }));
    worker->reading = false;
    std::string all;
    for (int i = 0; i < 16'000; ++i) all += WebSocketPeer::frame(std::string(1000, '.'));
    client->write(all + WebSocketPeer::frame("last"));
    std::size_t unwritten = 0;
    EXPECT_TRUE(test.until([&] {
      for (int i = 0; i < 100; ++i) client->pump();
      return std::exchange(unwritten, client->unwritten()) == client->unwritten() && test.gateway->status().queued_bytes > 50'000;
    }));
  }
  bool last_heard_by(InnerPeer& other) {
    return test.until([&] {
      client->pump();
      const Strings said = other.said();
      other.frames.clear();
      return !said.empty() && said.back() == "last";
    });
  }
  TestGateway test{options()};
  std::unique_ptr<InnerPeer> worker = test.worker("stuck:0");
  std::unique_ptr<WebSocketPeer> client = test.client();
};

TEST(EventForwarder, ThoseWhoWaitForAWorkerThatIsReplacedAreReadAgain) {
  Stuck stuck;
  const auto replacement = stuck.test.worker("stuck:0");
  EXPECT_TRUE(stuck.last_heard_by(*replacement));
}

TEST(EventForwarder, ThoseWhoWaitForAWorkerThatDiesAreReadAgain) {
  Stuck stuck;
  const auto other = stuck.test.worker("other:0");
  stuck.worker->socket.reset();
  EXPECT_TRUE(stuck.last_heard_by(*other));
}

TEST(EventForwarder, AClientThatIsKickedWhileItWaitsIsForgotten) {
  Stuck stuck;
  const std::uint32_t id = stuck.worker->frames.at(0).header.connection_id;
  const auto commander = stuck.test.commander();
  commander->send(Command::kick, id, {}, "bye");
  ASSERT_TRUE(stuck.test.until([&] { return stuck.client->ended(); }));
  EXPECT_EQ(stuck.client->texts(), Strings({"bye"}));
  stuck.worker->reading = true;
  ASSERT_TRUE(stuck.test.until([&] { return stuck.worker->count(Command::on_close) == 1; }));
}

TEST(EventForwarder, AMessageOverWhatAWorkerAcceptsCostsItsSenderTheConnectionNotTheLink) {
  GatewayOptions options = TestGateway::options();
  options.max_package_size = 20'000'000;
  TestGateway test(options);
  const std::string fits(EventForwarder::kMaxFrameForPhp - wire::GatewayHeader::kSize, 'x');
  const auto say = [&](WebSocketPeer& client, std::string_view message) {
    client.say(message);
    return test.until([&] {
      client.poll();
      return client.unwritten() == 0 || client.close_code;
    });
  };
  {
    const auto php = test.worker("php:0");
    const auto client = test.client();
    ASSERT_TRUE(say(*client, fits));
    ASSERT_TRUE(test.until([&] { return php->said() == Strings({fits}); }));
    ASSERT_TRUE(say(*client, fits + "x"));
    ASSERT_TRUE(test.until([&] { return client->ended(); }));
    EXPECT_EQ(client->close_code, 1009);
    EXPECT_EQ(test.gateway->status().limits.at("worker_frame"), 1U);
    ASSERT_TRUE(test.until([&] { return php->count(Command::on_close) == 1; }));
  }
  test.settle();
  {
    const auto native = test.worker("native:0", true);
    const auto client = test.client();
    ASSERT_TRUE(say(*client, fits + "x"));
    ASSERT_TRUE(test.until([&] { return native->said() == Strings({fits + "x"}); }));
    // With a session beside it, it is over that limit too.
    native->send(Command::set_session, native->events(Command::on_connect).at(0).header.connection_id,
                 "s:14000000:\"" + std::string(14'000'000, 's') + "\";", {});
    ASSERT_TRUE(test.until([&] {
      native->pump();
      return native->unwritten() == 0;
    }));
    test.settle();
    ASSERT_TRUE(say(*client, std::string(20'000'000, 'x')));
    ASSERT_TRUE(test.until([&] { return client->ended(); }));
    EXPECT_EQ(client->close_code, 1009);
  }
}

TEST(EventForwarder, AMessageThatWaitedAndIsTooBigForTheWorkerThatComesIsNotSentToIt) {
  GatewayOptions options = TestGateway::options();
  options.max_package_size = 12 * 1024 * 1024;
  TestGateway test(options);
  auto native = test.worker("native:0", true);
  const auto client = test.client();
  native.reset();
  test.settle();
  client->say(std::string(11 * 1024 * 1024, 'x'));
  ASSERT_TRUE(test.until([&] {
    client->pump();
    return test.gateway->status().messages_in == 1;
  }));
  const auto php = test.worker("php:0");
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  ASSERT_TRUE(test.until([&] { return php->count(Command::on_close) == 1; }));
  EXPECT_EQ(php->frames.size(), 1U);
  EXPECT_FALSE(php->ended());
}

}  // namespace
}  // namespace gatehouse::gateway
