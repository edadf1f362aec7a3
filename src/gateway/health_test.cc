#include "gateway/health.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "gateway/gateway_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using wire::Command;

bool is_health(const std::string& request, std::string_view path = "/healthz") {
  wire::HttpHead head;
  EXPECT_EQ(wire::parse_http_head(request, 0, head).status, wire::HttpStatus::complete) << request;
  return is_health_request(head, path);
}

TEST(HealthRequest, IsGetOrHeadOfThePathAndNoHandshake) {
  EXPECT_TRUE(is_health("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_TRUE(is_health("HEAD /healthz HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(is_health("GET /healthz?from=lb HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_FALSE(is_health("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_FALSE(is_health("GET /healthz/ HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_FALSE(is_health("POST /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_FALSE(is_health(WebSocketPeer::request("/healthz")));
  EXPECT_FALSE(is_health("GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""));
}

TEST(HealthRequest, AHeadHasTheLengthAndNoBody) {
  const std::string get = health_answer(Health::no_workers, false);
  const std::string head = health_answer(Health::no_workers, true);
  EXPECT_EQ(get, head + "no workers\n");
  EXPECT_NE(head.find("\r\nContent-Length: 11\r\n"), std::string::npos);
  EXPECT_TRUE(head.starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(health_answer(Health::well, false).starts_with("HTTP/1.1 200 OK\r\n"));
}

class HealthPath : public ::testing::Test {
 protected:
  static GatewayOptions options() {
    GatewayOptions options = TestGateway::options();
    options.health_path = "/healthz";
    return options;
  }
  /// The whole answer, up to the end of the connection.
  static std::string ask(TestGateway& test, const std::string& request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") {
    Peer probe(test.client_endpoint);
    probe.write(request);
    EXPECT_TRUE(test.until([&] { return probe.ended(); }));
    return probe.socket.received;
  }
};

TEST_F(HealthPath, SaysWhetherThereAreWorkersAndIsNobodysClient) {
  TestGateway test(options());
  EXPECT_TRUE(ask(test).starts_with("HTTP/1.1 503 "));
  const auto worker = test.worker();
  EXPECT_EQ(ask(test), health_answer(Health::well, false));
  EXPECT_EQ(ask(test, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), health_answer(Health::well, true));
  // What is no handshake and no question of health is answered as ever.
  EXPECT_TRUE(ask(test, "GET /other HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 400 "));
  test.settle();
  EXPECT_EQ(worker->count(Command::on_connect), 1U) << "of the last one";
  worker->frames.clear();
  (void)ask(test);
  test.settle();
  worker->poll();
  EXPECT_TRUE(worker->frames.empty());
  EXPECT_EQ(test.gateway->status().connections, 0U);
  EXPECT_TRUE(test.gateway->status().limits.empty());
  worker->socket.close();
  ASSERT_TRUE(test.until([&] { return test.gateway->status().inner_connections == 1; }));  // settle()'s own
  EXPECT_TRUE(ask(test).starts_with("HTTP/1.1 503 "));
}

TEST_F(HealthPath, ClientsComeInBesideIt) {
  TestGateway test(options());
  const auto worker = test.worker();
  const auto client = test.client();
  client->say("hello");
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 1; }));
  EXPECT_EQ(worker->frames.at(0).header.command, Command::on_connect);
  EXPECT_EQ(worker->frames.at(1).header.command, Command::on_websocket_connect);
}

TEST_F(HealthPath, ARequestMayComeInPieces) {
  TestGateway test(options());
  const auto worker = test.worker();
  Peer probe(test.client_endpoint);
  probe.write("GET /heal");
  test.settle();
  probe.write("thz HTTP/1.1\r\nHost: x\r\n");
  test.settle();
  EXPECT_EQ(probe.socket.received, "");
  probe.write("\r\n");
  ASSERT_TRUE(test.until([&] { return probe.ended(); }));
  EXPECT_EQ(probe.socket.received, health_answer(Health::well, false));
}

TEST_F(HealthPath, WhileDrainingItSays503AndSoDoesThePort) {
  TestGateway test(options());
  const auto worker = test.worker();
  const auto client = test.client();
  bool stopped = false;
  test.gateway->stop_gracefully([&] { stopped = true; });
  EXPECT_EQ(ask(test), health_answer(Health::draining, false));
  EXPECT_TRUE(ask(test, WebSocketPeer::request()).starts_with("HTTP/1.1 503 "));
  client->say("still served");
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 1; }));
  EXPECT_FALSE(stopped);
  client->socket.close();
  ASSERT_TRUE(test.until([&] { return stopped; }));
}

TEST_F(HealthPath, OneThatHasSiblingsLeavesThePortToThem) {
  TestGateway test(options());
  const auto worker = test.worker();
  test.gateway->leave_port(true);
  // Here nobody else has the socket, so that nobody listens any more.
  const net::Socket probe(::socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_NE(::connect(probe.fd(), test.client_endpoint.address(), test.client_endpoint.length()), 0);
}

}  // namespace
}  // namespace gatehouse::gateway
