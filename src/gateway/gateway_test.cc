#include "gateway/gateway.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "gateway/gateway_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using wire::Command;
namespace flag = wire::flag;
using Strings = std::vector<std::string>;

TEST(Gateway, CarriesMessagesBothWays) {
  TestGateway test;
  const auto worker = test.worker();
  const auto client = test.client();
  client->say("hello");
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"hello"}); }));
  const auto event = worker->events(Command::on_message)[0];
  worker->send(Command::send_to_one, event.header.connection_id, {}, "world");
  ASSERT_TRUE(test.until([&] { return client->texts() == Strings({"world"}); }));
  client->socket.close();
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == 1; }));
  const RoleStatus status = test.gateway->status();
  EXPECT_EQ(status.connections, 0U);
  EXPECT_EQ(status.messages_in, 1U);
  EXPECT_EQ(status.messages_out, 1U);
  EXPECT_EQ(status.send_failures, 0U);
}

TEST(Gateway, TheSessionTravelsWithEveryEvent) {
  TestGateway test;
  const auto worker = test.worker();
  const auto client = test.client();
  const std::uint32_t id = worker->events(Command::on_connect).at(0).header.connection_id;
  worker->send(Command::set_session, id, "a:1:{i:0;i:1;}", {});
  test.settle();
  client->say("x");
  client->socket.finish_writing();
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == 1; }));
  EXPECT_EQ(worker->events(Command::on_message).at(0).ext_data, "a:1:{i:0;i:1;}");
  EXPECT_EQ(worker->events(Command::on_close)[0].ext_data, "a:1:{i:0;i:1;}");
}

TEST(Gateway, ASlowConsumerIsDisconnectedAndTheOthersMissNothing) {
  GatewayOptions options = TestGateway::options();
  options.send_to_client_buffer_size = 200'000;
  TestGateway test(options);
  const auto worker = test.worker("test:0", true);
  const auto commander = test.commander();
  std::vector<std::unique_ptr<WebSocketPeer>> good;
  std::vector<std::unique_ptr<WebSocketPeer>> slow;
  for (int i = 0; i < 8; ++i) {
    auto& list = i % 2 == 0 ? good : slow;
    list.push_back(test.client(i % 2 == 0 ? 0 : 4096));
    list.back()->reading = i % 2 == 0;
  }
  for (const auto& event : worker->events(Command::on_connect))
    commander->send(Command::join_group, event.header.connection_id, "room", {});
  std::size_t sent = 0;
  const auto count_in_group = [&] {
    const std::size_t before = commander->answers().size();
    commander->send(Command::get_client_count_by_group, 0, "room", {});
    EXPECT_TRUE(test.until([&] { return commander->answers().size() > before; }));
    return commander->answers().back();
  };
  // In turns to the group and to all, until all slow ones are gone, each in the middle of some broadcast.
  for (; sent < 4000 && test.gateway->status().connections > 4; ++sent) {
    const std::string message = std::to_string(sent) + std::string(30'000, '.');
    if (sent % 2 == 0) {
      commander->send(Command::send_to_group, 0, R"({"group":["room"],"exclude":null})", message);
    } else {
      commander->send(Command::send_to_all, 0, {}, message);
    }
    ASSERT_TRUE(test.until(
        [&] { return std::all_of(good.begin(), good.end(), [&](auto& client) { return client->texts().size() == sent + 1; }); }));
  }
  EXPECT_EQ(count_in_group(), "i:4;");
  EXPECT_LT(sent, 4000U);
  for (auto& client : good) {
    EXPECT_FALSE(client->ended());
    for (std::size_t i = 0; i < sent; ++i) ASSERT_EQ(client->messages[i].text, std::to_string(i) + std::string(30'000, '.'));
  }
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == 4; }));
  for (const auto& event : worker->events(Command::on_close)) {
    EXPECT_EQ(event.body[0], static_cast<char>(CloseReason::Cause::slow_consumer));
  }
  EXPECT_GE(test.gateway->status().send_failures, 4U);
  // One that is only slow, and reads on soon after, hears why, behind what waited for it.
  const auto late = test.client(4096);
  late->reading = false;
  for (; sent < 8000 && worker->count(Command::on_close) == 4; ++sent) {
    commander->send(Command::send_to_all, 0, {}, std::string(30'000, '.'));
    ASSERT_TRUE(test.until([&] { return good[0]->texts().size() == sent + 1; }));
  }
  late->reading = true;
  ASSERT_TRUE(test.until([&] { return late->ended(); }));
  EXPECT_EQ(late->close_code, wire::close_code::kPolicy);
  EXPECT_EQ(late->close_reason, "too slow");
}

TEST(Gateway, ABurstThatTheKernelTakesIsNotHeldAgainstItsReceiver) {
  GatewayOptions options = TestGateway::options();
  options.send_to_client_buffer_size = 100'000;
  TestGateway test(options);
  const auto worker = test.worker();
  const auto client = test.client();
  const std::uint32_t id = worker->events(Command::on_connect).at(0).header.connection_id;
  // All in one read of the gateway, more than the buffer, less than the kernel takes.
  for (int i = 0; i < 20; ++i) worker->send(Command::send_to_one, id, {}, std::string(10'000, 'x'));
  ASSERT_TRUE(test.until([&] { return client->texts().size() == 20; }));
}

TEST(Gateway, WhoNeverShakesHandsHoldsABoundedAmount) {
  GatewayOptions options = TestGateway::options();
  options.send_to_client_buffer_size = 100'000;
  TestGateway test(options);
  const auto worker = test.worker("test:0", true);
  WebSocketPeer client(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_connect) == 1; }));
  for (int i = 0; i < 9; ++i) worker->send(Command::send_to_all, 0, {}, std::string(10'000, 'x'));
  test.settle();
  EXPECT_FALSE(client.ended());
  for (int i = 0; i < 3; ++i) worker->send(Command::send_to_all, 0, {}, std::string(10'000, 'x'));
  ASSERT_TRUE(test.until([&] { return client.ended(); }));
  EXPECT_EQ(client.socket.received, "");
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == 1; }));
  EXPECT_EQ(worker->events(Command::on_close)[0].body[0], static_cast<char>(CloseReason::Cause::slow_consumer));
}

TEST(Gateway, ClientsMayGoInTheMiddleOfABroadcast) {
  TestGateway test;
  const auto worker = test.worker();
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<WebSocketPeer>> clients;
    for (int i = 0; i < 10; ++i) clients.push_back(test.client());
    ASSERT_TRUE(test.until([&] { return test.gateway->status().connections == 10; }));
    for (const auto& event : worker->events(Command::on_connect))
      worker->send(Command::join_group, event.header.connection_id, "room", {});
    test.settle();
    // In one iteration: some reset, some send a close frame, some are kicked, and all are spoken to before and after.
    worker->send(Command::send_to_group, 0, R"({"group":["room","room"],"exclude":null})", "a");
    clients[1]->socket.reset();
    clients[4]->say("", wire::Opcode::close);
    const std::uint32_t kicked = worker->events(Command::on_connect)[7].header.connection_id;
    worker->send(Command::kick, kicked, {}, "bye");
    worker->send(Command::send_to_group, 0, R"({"group":["room"],"exclude":null})", "b");
    worker->send(Command::send_to_all, 0, {}, "c");
    for (const std::size_t i : {0U, 2U, 3U, 5U, 6U, 8U, 9U}) {
      ASSERT_TRUE(test.until([&] { return clients[i]->texts() == Strings({"a", "a", "b", "c"}); })) << i;
    }
    ASSERT_TRUE(test.until([&] { return clients[7]->ended() && test.gateway->status().connections == 7; }));
    worker->frames.clear();
    clients.clear();
    ASSERT_TRUE(test.until([&] { return test.gateway->status().connections == 0; }));
    worker->poll();
    worker->frames.clear();
  }
}

TEST(Gateway, ConnectionIdsDifferAndAreNotUsedAgainSoon) {
  TestGateway test;
  const auto worker = test.worker();
  std::set<std::uint32_t> ids;
  for (int i = 0; i < 50; ++i) {
    const auto client = test.client();
    ASSERT_TRUE(test.until([&] { return worker->count(Command::on_connect) == static_cast<std::size_t>(i) + 1; }));
    ids.insert(worker->events(Command::on_connect).back().header.connection_id);
  }
  EXPECT_EQ(ids.size(), 50U);
}

TEST(Gateway, StopSaysGoodbyeAndEnds) {
  TestGateway test;
  const auto worker = test.worker("test:0", true);
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(test.client());
  WebSocketPeer early(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_connect) == 4; }));
  worker->send(Command::send_to_all, 0, {}, "last words");
  ASSERT_TRUE(test.until([&] { return clients[0]->texts().size() == 1; }));
  int stopped = 0;
  test.gateway->stop([&] { ++stopped; });
  ASSERT_TRUE(test.until([&] {
    for (auto& client : clients) (void)client->ended();
    (void)early.ended();
    // A client answers the close frame by closing.
    for (auto& client : clients) {
      if (client->close_code && client->socket.fd() >= 0) client->socket.finish_writing();
    }
    if (early.socket.ended) early.socket.finish_writing();
    return stopped > 0;
  }));
  EXPECT_EQ(stopped, 1);
  for (auto& client : clients) {
    EXPECT_EQ(client->texts(), Strings({"last words"}));
    EXPECT_EQ(client->close_code, 1001);
    EXPECT_TRUE(client->ended());
  }
  EXPECT_TRUE(early.ended());
  EXPECT_TRUE(early.head.starts_with("HTTP/1.1 503")) << early.head;
  EXPECT_EQ(test.gateway->status().connections, 0U);
  EXPECT_EQ(worker->count(Command::on_close), 4U);
  for (const auto& event : worker->events(Command::on_close))
    EXPECT_EQ(event.body[0], static_cast<char>(CloseReason::Cause::shutdown));
  net::testing::RawPeer refused(test.client_endpoint);
  EXPECT_FALSE(refused.connected());
}

TEST(Gateway, StopDoesNotWaitForThoseWhoDoNotRead) {
  TestGateway test;
  const auto worker = test.worker();
  const auto client = test.client(4096);
  client->reading = false;
  worker->send(Command::send_to_all, 0, {}, std::string(8'000'000, 'x'));
  ASSERT_TRUE(test.until([&] {
    worker->pump();
    return test.gateway->status().queued_bytes > 0;
  }));
  bool stopped = false;
  const auto start = std::chrono::steady_clock::now();
  test.gateway->stop([&] { stopped = true; });
  ASSERT_TRUE(test.until([&] { return stopped; }));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(900));
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(5000));
}

TEST(Gateway, StopWithNobodyThereEndsAtOnce) {
  TestGateway test;
  bool stopped = false;
  test.gateway->stop([&] {
    stopped = true;
    test.loop.stop();
  });
  test.loop.run();
  EXPECT_TRUE(stopped);
}

}  // namespace
}  // namespace gatehouse::gateway
