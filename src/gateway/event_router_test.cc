#include "gateway/event_router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "gateway/gateway_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using wire::Command;
using Strings = std::vector<std::string>;

GatewayOptions options_with(Router router, LoadBalancing balancing = LoadBalancing::least_connections) {
  GatewayOptions options = TestGateway::options();
  options.router = std::move(router);
  options.select_load_balancing_mode = balancing;
  return options;
}

TEST(EventRouter, RoundRobinBindsClientsToWorkersInTurn) {
  TestGateway test(options_with({}, LoadBalancing::round_robin));
  const auto a = test.worker("w:0");
  const auto b = test.worker("w:1");
  const auto c = test.worker("w:2");
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
  for (int i = 0; i < 6; ++i) clients.push_back(test.client());
  for (int i = 0; i < 6; ++i) {
    clients[static_cast<std::size_t>(i)]->say("x" + std::to_string(i));
    clients[static_cast<std::size_t>(i)]->say("y" + std::to_string(i));
  }
  ASSERT_TRUE(test.until([&] { return a->said().size() + b->said().size() + c->said().size() == 12; }));
  EXPECT_THAT(a->said(), ::testing::UnorderedElementsAre("x0", "y0", "x3", "y3"));
  EXPECT_THAT(b->said(), ::testing::UnorderedElementsAre("x1", "y1", "x4", "y4"));
  EXPECT_THAT(c->said(), ::testing::UnorderedElementsAre("x2", "y2", "x5", "y5"));
}

TEST(EventRouter, ByChanceAClientStaysWithItsWorkerAllTheSame) {
  TestGateway test(options_with({}, LoadBalancing::random));
  const auto a = test.worker("w:0");
  const auto b = test.worker("w:1");
  const auto client = test.client();
  for (int i = 0; i < 20; ++i) client->say(std::to_string(i));
  ASSERT_TRUE(test.until([&] { return a->said().size() + b->said().size() == 20; }));
  EXPECT_EQ(std::min(a->said().size(), b->said().size()), 0U);
}

TEST(EventRouter, AWorkerThatComesBackHasItsOldClientsAndNotAllNewOnes) {
  TestGateway test;
  auto a = test.worker("w:0");
  const auto b = test.worker("w:1");
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(test.client());
  ASSERT_TRUE(test.until([&] { return a->count(Command::on_connect) == 4 && b->count(Command::on_connect) == 4; }));
  a->socket.close();
  a.reset();
  test.settle();
  const auto again = test.worker("w:0");
  for (int i = 0; i < 4; ++i) clients.push_back(test.client());
  ASSERT_TRUE(test.until([&] { return again->count(Command::on_connect) == 2 && b->count(Command::on_connect) == 6; }));
  for (const auto& client : clients) client->say("hello");
  ASSERT_TRUE(test.until([&] { return again->said().size() == 6 && b->said().size() == 6; }));
}

TEST(EventRouter, ARouterOfOnesOwnSeesTheEventAndTheWorkers) {
  struct Seen {
    RoutedEvent event;
    std::string message;
    std::string uid;
    Value session;
    Strings workers;
  };
  std::vector<Seen> seen;
  // Messages go where they say; everything else to the last one.
  TestGateway test(options_with([&](const RoutedEvent& event, std::span<const RoutedWorker> workers) {
    Seen now{event, std::string(event.message), std::string(event.uid), event.read_session(), {}};
    for (const RoutedWorker& each : workers) {
      now.workers.push_back(std::string(each.ip) + " " + std::string(each.name) + " " + std::to_string(each.index) + " " +
                            std::to_string(each.clients));
    }
    seen.push_back(now);
    if (event.kind != RoutedEvent::Kind::message) return workers.size() - 1;
    return static_cast<std::size_t>(event.message[0] - '0');
  }));
  const auto a = test.worker("with:colon:0");
  const auto b = test.worker("chat:7");
  {
    const auto client = test.client();
    client->say("0a");
    ASSERT_TRUE(test.until([&] { return a->said() == Strings{"0a"}; }));
    const std::uint32_t id = a->frames.back().header.connection_id;
    const auto commander = test.commander();
    commander->send(Command::bind_uid, id, "tom", {});
    commander->send(Command::set_session, id, "a:1:{s:1:\"n\";i:5;}", {});
    test.settle();
    client->say("1b");
    ASSERT_TRUE(test.until([&] { return b->said() == Strings{"1b"}; }));
    EXPECT_EQ(b->frames.back().ext_data, "a:1:{s:1:\"n\";i:5;}");
    client->say("1c");
    ASSERT_TRUE(test.until([&] { return b->said() == Strings{"1b", "1c"}; }));
  }
  ASSERT_TRUE(test.until([&] { return !seen.empty() && seen.back().event.kind == RoutedEvent::Kind::close; }));
  ASSERT_EQ(seen.size(), 6U);
  using Kind = RoutedEvent::Kind;
  const std::vector<Kind> kinds = {Kind::connect, Kind::websocket_connect, Kind::message,
                                   Kind::message, Kind::message,           Kind::close};
  const std::vector<std::optional<std::size_t>> current = {std::nullopt, 1, 1, 0, 1, 1};
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].event.kind, kinds[i]);
    EXPECT_EQ(seen[i].event.current, current[i]) << i;
    EXPECT_EQ(seen[i].event.remote_address, "127.0.0.1");
    EXPECT_EQ(seen[i].event.client_id.size(), 20U);
    EXPECT_EQ(seen[i].event.client_id.substr(0, 8), "7f000001");
    EXPECT_EQ(seen[i].uid, i < 3 ? "" : "tom");
    EXPECT_EQ(seen[i].session, i < 3 ? Value() : Value({{"n", 5}}));
  }
  EXPECT_EQ(seen[0].workers, (Strings{"127.0.0.1 with:colon 0 0", "127.0.0.1 chat 7 0"}));
  EXPECT_EQ(seen[3].workers, (Strings{"127.0.0.1 with:colon 0 1", "127.0.0.1 chat 7 0"}));
  EXPECT_EQ(seen[2].message, "0a");
  EXPECT_EQ(seen[5].message, "");
}

TEST(EventRouter, ARouterThatFailsCostsNothingButALogLine) {
  int calls = 0;
  TestGateway test(options_with([&](const RoutedEvent&, std::span<const RoutedWorker> workers) -> std::size_t {
    switch (++calls % 3) {
      case 0: throw std::runtime_error("no idea");
      case 1: return workers.size();
      default: throw 7;
    }
  }));
  const auto a = test.worker("w:0");
  const auto client = test.client();
  for (const char* text : {"1", "2", "3", "4"}) client->say(text);
  ASSERT_TRUE(test.until([&] { return a->said() == Strings{"1", "2", "3", "4"}; }));
  EXPECT_EQ(calls, 6);
}

TEST(EventRouter, InTurnAndAtRandomEachEventGoesToAnotherWorker) {
  const std::vector<RoutedWorker> three(3);
  const std::vector<RoutedWorker> one(1);
  const Router in_turn = route_in_turn();
  const RoutedEvent event;
  std::vector<std::size_t> got;
  for (int i = 0; i < 4; ++i) got.push_back(in_turn(event, three));
  got.push_back(in_turn(event, one));
  EXPECT_EQ(got, (std::vector<std::size_t>{0, 1, 2, 0, 0}));
  const Router at_random = route_at_random();
  std::map<std::size_t, int> chosen;
  for (int i = 0; i < 3000; ++i) ++chosen[at_random(event, three)];
  EXPECT_EQ(chosen.size(), 3U);
  for (const auto& [place, count] : chosen) EXPECT_NEAR(count, 1000, 200) << place;
  EXPECT_EQ(at_random(event, one), 0U);

  TestGateway test(options_with(route_in_turn()));
  const auto a = test.worker("w:0");
  const auto b = test.worker("w:1");
  const auto client = test.client();  // two events
  for (const char* text : {"1", "2", "3", "4"}) client->say(text);
  ASSERT_TRUE(test.until([&] { return a->said() == Strings{"1", "3"} && b->said() == Strings{"2", "4"}; }));
}

}  // namespace
}  // namespace gatehouse::gateway
