// Gateway::configure: other options while clients and links are there.
#include <gtest/gtest.h>

#include <chrono>

#include "gateway/gateway_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using wire::Command;
using Strings = std::vector<std::string>;

constexpr const char* kOffer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

TEST(GatewayConfigure, DeflateIsForNewClients) {
  TestGateway test;
  const auto worker = test.worker();
  const auto plain = test.client(0, kOffer);
  GatewayOptions options = TestGateway::options();
  options.deflate = true;
  options.deflate_threshold = 1;
  test.gateway->configure(options, "", 0);
  const auto compressed = test.client(0, kOffer);
  EXPECT_EQ(plain->head.find("permessage-deflate"), std::string::npos);
  EXPECT_NE(compressed->head.find("permessage-deflate"), std::string::npos);
  const std::string message(1000, 'x');
  worker->send(Command::send_to_all, 0, {}, message);
  ASSERT_TRUE(test.until([&] { return plain->texts() == Strings{message} && compressed->texts() == Strings{message}; }));
  EXPECT_EQ(plain->compressed, 0U);
  EXPECT_EQ(compressed->compressed, 1U);

  test.gateway->configure(TestGateway::options(), "", 0);
  EXPECT_EQ(test.client(0, kOffer)->head.find("permessage-deflate"), std::string::npos);
  worker->send(Command::send_to_all, 0, {}, message);
  ASSERT_TRUE(test.until([&] { return compressed->texts().size() == 2 && plain->texts().size() == 2; }));
  EXPECT_EQ(compressed->compressed, 2U) << "who has agreed on it keeps it";
}

TEST(GatewayConfigure, AHeartbeatThatComesLaterIsForAll) {
  TestGateway test;
  const auto worker = test.worker();
  const auto client = test.client();
  GatewayOptions options = TestGateway::options();
  options.ping_interval = milliseconds(50);
  options.ping_data = "ping";
  test.gateway->configure(options, "", 0);
  ASSERT_TRUE(test.until([&] { return client->texts().size() >= 2; }));
  EXPECT_EQ(client->texts().front(), "ping");
  test.gateway->configure(TestGateway::options(), "", 0);
  test.settle();
  const std::size_t pings = client->texts().size();
  test.loop.after(milliseconds(200), [&] { test.loop.stop(); });
  test.loop.run();
  EXPECT_EQ(client->texts().size(), pings) << "and off again";
}

TEST(GatewayConfigure, LimitsHoldForThoseThatAreThere) {
  TestGateway test;
  const auto worker = test.worker();
  const auto client = test.client();
  client->say(std::string(2000, 'a'));
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 1; }));
  GatewayOptions options = TestGateway::options();
  options.max_package_size = 1000;
  options.max_messages_per_second = 1000;
  options.max_connections = 1;
  test.gateway->configure(options, "", 0);
  client->say(std::string(1000, 'b'));
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 2; }));
  WebSocketPeer second(test.client_endpoint);
  second.shake_hands();
  ASSERT_TRUE(test.until([&] { return second.ended(); }));
  EXPECT_FALSE(client->ended());
  client->say(std::string(1001, 'c'));
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_EQ(client->close_code, 1009);
}

TEST(GatewayConfigure, TheOldSecretIsTakenForATimeAndLinksStay) {
  GatewayOptions options = TestGateway::options();
  options.secret_key = "first";
  TestGateway test(options);
  test.secret = "first";
  const auto worker = test.worker();
  options.secret_key = "second";
  test.gateway->configure(options, "first", 60'000);
  const auto by_old = test.worker("test:1");
  test.secret = "second";
  const auto by_new = test.worker("test:2");
  EXPECT_FALSE(by_old->ended() || by_new->ended() || worker->ended());
  InnerPeer wrong(test.inner_endpoint);
  wrong.connect_as_worker("test:3", "third");
  ASSERT_TRUE(test.until([&] { return wrong.ended(); }));

  test.gateway->configure(options, "", 0);
  InnerPeer late(test.inner_endpoint);
  late.connect_as_worker("test:4", "first");
  ASSERT_TRUE(test.until([&] { return late.ended(); }));
  EXPECT_FALSE(by_old->ended() || worker->ended()) << "those that are there stay";
}

}  // namespace
}  // namespace gatehouse::gateway
