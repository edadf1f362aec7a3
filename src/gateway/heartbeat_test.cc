#include "gateway/heartbeat.h"

#include <gtest/gtest.h>

#include <chrono>

#include "gateway/gateway_test_support.h"
#include "gateway/parts_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using wire::Command;
using Strings = std::vector<std::string>;

GatewayOptions heartbeat(milliseconds interval, int limit, std::string data) {
  GatewayOptions options = TestGateway::options();
  options.ping_interval = interval;
  options.ping_not_response_limit = limit;
  options.ping_data = std::move(data);
  return options;
}

TEST(Heartbeat, SilentClientsArePingedAndCutAfterUpstreamsCount) {
  for (const int limit : {1, 2}) {
    for (const char* data : {"", "P"}) {
      TestGateway test(heartbeat(milliseconds(200), limit, data));
      const auto worker = test.worker("test:0", true);
      const auto start = steady_clock::now();
      const auto client = test.client();
      client->say("hello");
      ASSERT_TRUE(test.until([&] { return client->ended(); }));
      const auto lived = steady_clock::now() - start;
      EXPECT_EQ(client->texts(), Strings(*data == '\0' ? 0 : static_cast<std::size_t>(limit), "P")) << limit;
      EXPECT_EQ(client->close_code, 1001);
      EXPECT_GE(lived, milliseconds(200 * limit + 50));  // limit + 0.5 intervals, less what a busy machine may shift
      ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == 1; }));
      EXPECT_EQ(worker->events(Command::on_close)[0].body[0], static_cast<char>(CloseReason::Cause::heartbeat));
    }
  }
}

TEST(Heartbeat, WithoutALimitNobodyIsCut) {
  TestGateway test(heartbeat(milliseconds(50), 0, "P"));
  const auto worker = test.worker();
  const auto client = test.client();
  const auto start = steady_clock::now();
  ASSERT_TRUE(test.until([&] { return client->texts().size() == 6; }));
  EXPECT_GE(steady_clock::now() - start, milliseconds(200));  // five intervals, less what a busy machine may shift
  EXPECT_FALSE(client->ended());
}

TEST(Heartbeat, TheFirstPingComesWithinOneIntervalOfTheLastSignOfLife) {
  for (const std::uint64_t interval_ms : {200U, 400U}) {
    for (const int limit : {0, 1}) {
      // It speaks at another time of the gateway's ticks in each turn.
      for (int phase = 0; phase < 2; ++phase) {
        Parts parts;
        const std::uint32_t client = parts.add(1);
        Heartbeat heartbeat(parts.loop, parts.table, parts.clients,
                            {.interval_ms = interval_ms, .not_response_limit = limit, .data = "P"});
        heartbeat.start();
        // Slices of 100 ms are counted, not time: however late they are, these calls are as late.
        const int spoken_at = 1 + phase;
        const int asked_at = spoken_at + static_cast<int>(interval_ms / 100);
        int slices = 0;
        std::uint64_t before = 0;
        std::uint64_t pings = 0;
        parts.loop.every(milliseconds(100), [&] {
          ++slices;
          if (slices == spoken_at) {
            parts.table[client].silent_ticks = -1;
            before = parts.clients.messages_sent();
          } else if (slices == asked_at) {
            pings = parts.clients.messages_sent() - before;
            parts.loop.stop();
          }
        });
        parts.loop.run();
        EXPECT_EQ(pings, 1U) << interval_ms << ", " << limit << ", " << phase;
        EXPECT_TRUE(parts.online(1));
      }
    }
  }
}

TEST(Heartbeat, PingsGoOnHoweverLongAClientIsSilent) {
  Parts parts;
  const std::uint32_t client = parts.add(1);
  Heartbeat heartbeat(parts.loop, parts.table, parts.clients, {.interval_ms = 2, .not_response_limit = 0, .data = "P"});
  parts.table[client].silent_ticks = 31'990;
  heartbeat.start();
  std::string heard;
  const auto deadline = steady_clock::now() + milliseconds(20'000);
  while (heard.size() < 40 * text("P").size() && steady_clock::now() < deadline) heard += parts.received(1);
  EXPECT_GE(heard.size(), 40 * text("P").size());
}

TEST(Heartbeat, OffIsOff) {
  TestGateway test(heartbeat(milliseconds(0), 1, "P"));
  const auto worker = test.worker();
  const auto client = test.client();
  net::testing::run_for(test.loop, milliseconds(300));
  EXPECT_EQ(client->texts(), Strings());
  EXPECT_FALSE(client->ended());
}

TEST(Heartbeat, WhateverIsWholeCountsAsLife) {
  for (const std::string& life :
       {WebSocketPeer::frame("x"), WebSocketPeer::frame("", wire::Opcode::ping), WebSocketPeer::frame("", wire::Opcode::pong)}) {
    TestGateway test(heartbeat(milliseconds(200), 1, ""));
    const auto worker = test.worker();
    const auto client = test.client();
    const auto start = steady_clock::now();
    auto last = start;
    ASSERT_TRUE(test.until([&] {
      if (steady_clock::now() - last > milliseconds(50)) {
        client->write(life);
        last = steady_clock::now();
      }
      return client->ended() || steady_clock::now() - start > milliseconds(900);
    }));
    EXPECT_FALSE(client->ended());
  }
}

TEST(Heartbeat, PartsOfAMessageAreNoLife) {
  TestGateway test(heartbeat(milliseconds(200), 1, ""));
  const auto worker = test.worker();
  const auto client = test.client();
  client->write(WebSocketPeer::frame("x", wire::Opcode::text, false));
  auto last = steady_clock::now();
  ASSERT_TRUE(test.until([&] {
    if (steady_clock::now() - last > milliseconds(50)) {
      client->write(WebSocketPeer::frame("x", wire::Opcode::continuation, false));
      last = steady_clock::now();
    }
    return client->ended();
  }));
  EXPECT_EQ(client->close_code, 1001);
}

TEST(Heartbeat, EveryClientIsVisitedOnceATick) {
  TestGateway test(heartbeat(milliseconds(500), 0, "P"));  // five slices
  const auto worker = test.worker();
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
  for (int i = 0; i < 30; ++i) clients.push_back(test.client());
  ASSERT_TRUE(test.until(
      [&] { return std::all_of(clients.begin(), clients.end(), [](auto& client) { return client->texts().size() >= 2; }); }));
  for (auto& client : clients) EXPECT_LE(client->texts().size(), 3U);
}

/// A gateway with one worker and two clients, of which the first is given an interval of its own.
struct OwnInterval {
  explicit OwnInterval(const GatewayOptions& options) : test(options) {
    worker = test.worker("test:0", true);
    own = test.client();
    EXPECT_TRUE(test.until([&] { return worker->count(Command::on_connect) == 1; }));
    id = worker->events(Command::on_connect)[0].header.connection_id;
    other = test.client();
    commander = test.commander();
  }
  void set(std::string_view interval_ms) {
    commander->send(Command::set_ping_interval, id, interval_ms, {});
    test.settle();
  }
  TestGateway test;
  std::unique_ptr<InnerPeer> worker;
  std::unique_ptr<WebSocketPeer> own;
  std::unique_ptr<WebSocketPeer> other;
  std::unique_ptr<InnerPeer> commander;
  std::uint32_t id = 0;
};

TEST(Heartbeat, AClientsOwnIntervalIsItsAlone) {
  OwnInterval it(heartbeat(milliseconds(0), 1, "P"));
  it.set("200");
  const auto start = steady_clock::now();
  ASSERT_TRUE(it.test.until([&] { return it.own->ended(); }));
  EXPECT_GE(steady_clock::now() - start, milliseconds(250));
  EXPECT_EQ(it.own->texts(), Strings{"P"});
  EXPECT_EQ(it.own->close_code, 1001);
  EXPECT_FALSE(it.other->ended());
  EXPECT_EQ(it.other->texts(), Strings());
}

TEST(Heartbeat, AnIntervalOfZeroIsNoHeartbeatAndNoneIsTheGateways) {
  OwnInterval it(heartbeat(milliseconds(600), 1, "P"));  // long enough to be replaced before the first ping
  it.set("0");
  ASSERT_TRUE(it.test.until([&] { return it.other->ended(); }));
  EXPECT_FALSE(it.own->ended());
  EXPECT_EQ(it.own->texts(), Strings());
  it.set("");
  ASSERT_TRUE(it.test.until([&] { return it.own->ended(); }));
  EXPECT_EQ(it.own->texts(), Strings{"P"});
}

TEST(Heartbeat, ALongerIntervalTakesThePlaceOfAShorterOne) {
  OwnInterval it(heartbeat(milliseconds(0), 0, "P"));
  it.set("30");
  ASSERT_TRUE(it.test.until([&] { return it.own->texts().size() >= 3; }));
  it.set("4000000000");
  const std::size_t pings = it.own->texts().size();
  net::testing::run_for(it.test.loop, milliseconds(150));
  EXPECT_EQ(it.own->texts().size(), pings);
  // What cannot be read changes nothing.
  it.set("soon");
  it.set("99999999999");
  net::testing::run_for(it.test.loop, milliseconds(50));
  EXPECT_EQ(it.own->texts().size(), pings);
  EXPECT_FALSE(it.own->ended());
}

TEST(Heartbeat, AClientThatGoesTakesItsTimerAlong) {
  Parts parts;
  for (std::uint32_t id = 1; id <= 20; ++id) {
    const std::uint32_t client = parts.add(id);
    EXPECT_EQ(parts.run(Command::set_ping_interval, id, id % 2 == 0 ? "3600000" : "0"), Commands::Outcome::done);
    EXPECT_EQ(parts.heartbeat.own_intervals(), 1U);
    EXPECT_EQ(parts.run(Command::set_ping_interval, id, "7200000"), Commands::Outcome::done);
    EXPECT_EQ(parts.heartbeat.own_intervals(), 1U);
    parts.clients.destroy(client, CloseReason::Cause::destroyed);
    EXPECT_EQ(parts.heartbeat.own_intervals(), 0U);
  }
  EXPECT_EQ(parts.run(Command::set_ping_interval, 7, "100"), Commands::Outcome::done) << "somebody who has gone";
  EXPECT_EQ(parts.heartbeat.own_intervals(), 0U);
  parts.add(30);
  EXPECT_EQ(parts.run(Command::set_ping_interval, 30, "x"), Commands::Outcome::malformed);
  EXPECT_EQ(parts.heartbeat.own_intervals(), 0U);
}

TEST(Heartbeat, AStreamClientIsPingedInItsOwnProtocol) {
  TestGateway test(heartbeat(milliseconds(100), 1, "P"), wire::make_stream_protocol("text"));
  const auto worker = test.worker();
  Peer client(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return client.ended(); }));
  EXPECT_EQ(client.socket.received, "P\n");
}

TEST(Heartbeat, WhoeverIsNotReadFromIsNotCutForItsSilence) {
  TestGateway test(heartbeat(milliseconds(100), 1, ""));
  WebSocketPeer client(test.client_endpoint);
  client.write(WebSocketPeer::request() + WebSocketPeer::frame("x"));
  net::testing::run_for(test.loop, milliseconds(500));  // no worker
  EXPECT_FALSE(client.ended());
  const auto worker = test.worker();
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"x"}); }));
}

}  // namespace
}  // namespace gatehouse::gateway
