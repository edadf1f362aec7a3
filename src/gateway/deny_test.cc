// Addresses that an operator denies, seen from clients.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/gateway_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using wire::Command;

net::AddressRange addresses(const std::string& text) { return net::AddressRange::parse(text).value(); }

std::uint64_t denied(const TestGateway& test) {
  const auto limits = test.gateway->status().limits;
  const auto found = limits.find("denied");
  return found == limits.end() ? 0 : found->second;
}

TEST(Deny, CutsThoseWhoAreInAndTellsTheirWorkerWhy) {
  TestGateway test;
  const auto worker = test.worker("test:0", true);
  const auto client = test.client();
  EXPECT_EQ(test.gateway->deny(addresses("192.0.2.0/24"), std::nullopt), 0U);
  client->say("still here");
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 1; }));
  EXPECT_EQ(test.gateway->deny(addresses("127.0.0.0/8"), milliseconds(60'000)), 1U);
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_EQ(client->close_code, wire::close_code::kPolicy);
  EXPECT_EQ(client->close_reason, "denied");
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == 1; }));
  EXPECT_EQ(worker->events(Command::on_close)[0].body[0], static_cast<char>(CloseReason::Cause::denied));
  EXPECT_EQ(test.gateway->status().connections, 0U);
}

TEST(Deny, NewClientsAreClosedWithoutAWordAndCounted) {
  TestGateway test;
  const auto worker = test.worker();
  test.gateway->deny(addresses("127.0.0.1"), std::nullopt);
  WebSocketPeer client(test.client_endpoint);
  client.shake_hands();
  ASSERT_TRUE(test.until([&] { return client.ended(); }));
  EXPECT_EQ(client.socket.received, "");
  EXPECT_EQ(denied(test), 1U);
  test.settle();
  EXPECT_EQ(worker->count(Command::on_connect), 0U) << "no worker hears of it";

  EXPECT_FALSE(test.gateway->allow(addresses("127.0.0.0/8")));
  EXPECT_TRUE(test.gateway->allow(addresses("127.0.0.1")));
  (void)test.client();
}

TEST(Deny, IsOverWhenItsTimeIs) {
  TestGateway test;
  const auto worker = test.worker();
  test.gateway->deny(addresses("127.0.0.1"), milliseconds(100));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool is_in = false;
  while (!is_in && std::chrono::steady_clock::now() < end) {
    WebSocketPeer client(test.client_endpoint);
    client.shake_hands();
    ASSERT_TRUE(test.until([&] { return client.ended() || client.is_open(); }));
    is_in = client.is_open();
  }
  EXPECT_TRUE(is_in);
  EXPECT_GE(denied(test), 1U);
}

TEST(Deny, HoldsForIPv6Prefixes) {
  TestGateway test(TestGateway::options(), nullptr, "[::1]");
  const auto worker = test.worker();
  const auto client = test.client();
  EXPECT_EQ(test.gateway->deny(addresses("::/64"), std::nullopt), 1U);
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  WebSocketPeer again(test.client_endpoint);
  again.shake_hands();
  ASSERT_TRUE(test.until([&] { return again.ended(); }));
  EXPECT_EQ(denied(test), 1U);
}

TEST(Deny, AClientOfAnotherProtocolIsCutTheSameWay) {
  TestGateway test(TestGateway::options(), wire::make_stream_protocol("text"));
  const auto worker = test.worker();
  Peer client(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return test.gateway->status().connections == 1; }));
  EXPECT_EQ(test.gateway->deny(addresses("127.0.0.1"), std::nullopt), 1U);
  ASSERT_TRUE(test.until([&] { return client.ended(); }));
}

TEST(Deny, ManyAreCutLittleByLittle) {
  TestGateway test;
  const auto worker = test.worker();
  constexpr std::size_t kMany = 300;  // more than at once
  std::vector<std::unique_ptr<Peer>> clients;
  for (std::size_t i = 0; i < kMany; ++i) {
    clients.push_back(std::make_unique<Peer>(test.client_endpoint));
    if (i % 100 == 99) {
      ASSERT_TRUE(test.until([&] { return test.gateway->status().connections == i + 1; }));
    }
  }
  EXPECT_EQ(test.gateway->deny(addresses("127.0.0.1"), std::nullopt), kMany);
  EXPECT_GT(test.gateway->status().connections, 0U);
  ASSERT_TRUE(test.until([&] { return test.gateway->status().connections == 0; }));
  for (const auto& client : clients) ASSERT_TRUE(test.until([&] { return client->ended(); }));
}

class DenyBehindProxy : public ::testing::Test {
 protected:
  static GatewayOptions options() {
    GatewayOptions options = TestGateway::options();
    options.trusted_proxies = {"127.0.0.1"};
    return options;
  }
};

TEST_F(DenyBehindProxy, ItIsTheClientThatIsMeantAndTheProxyHears403) {
  GatewayOptions with_field = options();
  with_field.real_ip_header = RealIpHeader::x_forwarded_for;
  TestGateway test(with_field);
  const auto worker = test.worker();
  const auto one = test.client(0, "X-Forwarded-For: 203.0.113.9\r\n");
  const auto other = test.client(0, "X-Forwarded-For: 198.51.100.7\r\n");
  // The proxy's own address denies nobody.
  EXPECT_EQ(test.gateway->deny(addresses("127.0.0.0/8"), std::nullopt), 0U);
  EXPECT_EQ(test.gateway->deny(addresses("203.0.113.0/24"), std::nullopt), 1U);
  ASSERT_TRUE(test.until([&] { return one->ended(); }));
  EXPECT_FALSE(other->ended());
  WebSocketPeer again(test.client_endpoint);
  again.shake_hands("/", "X-Forwarded-For: 203.0.113.77\r\n");
  ASSERT_TRUE(test.until([&] { return again.ended(); }));
  EXPECT_TRUE(again.head.starts_with("HTTP/1.1 403 ")) << again.head;
  EXPECT_EQ(denied(test), 1U);
  (void)test.client(0, "X-Forwarded-For: 198.51.100.8\r\n");
}

TEST_F(DenyBehindProxy, OneThatAPROXYHeaderNamesIsClosed) {
  GatewayOptions with_header = options();
  with_header.proxy_protocol = true;
  TestGateway test(with_header);
  const auto worker = test.worker();
  test.gateway->deny(addresses("203.0.113.9"), std::nullopt);
  WebSocketPeer bad(test.client_endpoint);
  bad.write("PROXY TCP4 203.0.113.9 192.0.2.1 1234 80\r\n" + WebSocketPeer::request());
  ASSERT_TRUE(test.until([&] { return bad.ended(); }));
  EXPECT_EQ(bad.socket.received, "");
  EXPECT_EQ(denied(test), 1U);
  EXPECT_EQ(test.gateway->status().connections, 0U);
  WebSocketPeer good(test.client_endpoint);
  good.write("PROXY TCP4 203.0.113.10 192.0.2.1 1234 80\r\n" + WebSocketPeer::request());
  ASSERT_TRUE(test.until([&] {
    good.poll();
    return good.is_open();
  }));
}

}  // namespace
}  // namespace gatehouse::gateway
