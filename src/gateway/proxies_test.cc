#include "gateway/proxies.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "gateway/gateway_test_support.h"
#include "wire/php_serialize.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using wire::Command;

net::Address address_of(const std::string& ip) { return net::Address::from_bytes(*parse_ip(ip), 1); }

/// Whom a request with these fields is from, "IP:PORT", when it comes from a trusted 10.0.0.1.
std::string client_of(RealIpHeader header, const std::vector<std::pair<std::string, std::string>>& fields) {
  const Proxies proxies({.header = header, .trusted = net::AddressSet::parse({"10.0.0.0/8", "2001:db8:1::/48", "::1"}).value()});
  wire::HttpHead head;
  for (const auto& [name, value] : fields) head.fields.emplace_back(name, value);
  return proxies.client_of(head, address_of("10.0.0.1")).to_string();
}
std::string forwarded_for(const std::string& list) {
  return client_of(RealIpHeader::x_forwarded_for, {{"Host", "x"}, {"x-forwarded-for", list}});
}

TEST(Proxies, ForwardedForIsWalkedFromTheRightPastTrustedOnes) {
  EXPECT_EQ(forwarded_for("192.0.2.7"), "192.0.2.7:0");
  EXPECT_EQ(forwarded_for("203.0.113.1, 192.0.2.7"), "192.0.2.7:0") << "the left one is the client's invention";
  EXPECT_EQ(forwarded_for("203.0.113.1, 192.0.2.7 ,10.2.3.4,\t2001:db8:1::5, ::1"), "192.0.2.7:0");
  EXPECT_EQ(forwarded_for("10.9.9.9, 10.2.3.4"), "10.9.9.9:0") << "trusted to the end: the first one";
  EXPECT_EQ(forwarded_for("2001:db8:2::9, 10.2.3.4"), "[2001:db8:2::9]:0");
  EXPECT_EQ(forwarded_for("::ffff:192.0.2.7, ::ffff:10.0.0.9"), "192.0.2.7:0") << "IPv4 is IPv4";
  EXPECT_EQ(forwarded_for("192.0.2.7:5678"), "192.0.2.7:5678");
  EXPECT_EQ(forwarded_for("[2001:db8:2::9]:443"), "[2001:db8:2::9]:443");
  EXPECT_EQ(forwarded_for("[2001:db8:2::9]"), "[2001:db8:2::9]:0");
}

TEST(Proxies, SeveralFieldsAreOneList) {
  EXPECT_EQ(
      client_of(RealIpHeader::x_forwarded_for,
                {{"X-Forwarded-For", "203.0.113.1"}, {"X-Other", "203.0.113.2"}, {"X-FORWARDED-FOR", "192.0.2.7, 10.1.1.1"}}),
      "192.0.2.7:0");
  EXPECT_EQ(
      client_of(RealIpHeader::x_forwarded_for, {{"X-Forwarded-For", "203.0.113.1, 192.0.2.7"}, {"X-Forwarded-For", "10.1.1.1"}}),
      "192.0.2.7:0");
}

TEST(Proxies, WhatIsNoAddressEndsTheWalk) {
  const std::string proxy = "10.0.0.1:1";
  for (const char* list :
       {"", " ", ",", "unknown", "192.0.2.7, unknown", "192.0.2.7,", "192.0.2.7, 192.0.2.256", "localhost", "192.0.2.7 192.0.2.8",
        "[192.0.2.7", "[::1]x", "192.0.2.7:port", "192.0.2.7:65536", "192.0.2.7:", "\"192.0.2.7\"", "fe80::1%eth0"}) {
    EXPECT_EQ(forwarded_for(list), proxy) << list;
  }
  EXPECT_EQ(forwarded_for("192.0.2.7, unknown, 10.2.3.4"), "10.2.3.4:0");
  EXPECT_EQ(client_of(RealIpHeader::x_forwarded_for, {{"X-Real-IP", "192.0.2.7"}}), proxy) << "the other field says nothing";
}

TEST(Proxies, RealIpIsOneAddress) {
  const auto real_ip = [](const std::vector<std::pair<std::string, std::string>>& fields) {
    return client_of(RealIpHeader::x_real_ip, fields);
  };
  EXPECT_EQ(real_ip({{"X-Real-IP", "192.0.2.7"}}), "192.0.2.7:0");
  EXPECT_EQ(real_ip({{"x-real-ip", "2001:db8:2::9"}}), "[2001:db8:2::9]:0");
  EXPECT_EQ(real_ip({{"X-Real-IP", "10.0.0.8"}}), "10.0.0.8:0");
  EXPECT_EQ(real_ip({{"X-Real-IP", "192.0.2.7, 192.0.2.8"}}), "10.0.0.1:1");
  EXPECT_EQ(real_ip({{"X-Real-IP", "192.0.2.7"}, {"X-Real-IP", "192.0.2.8"}}), "10.0.0.1:1");
  EXPECT_EQ(real_ip({{"X-Forwarded-For", "192.0.2.7"}}), "10.0.0.1:1");
}

TEST(Proxies, OnlyTrustedOnesSpeakForOthers) {
  const Proxies proxies({true, RealIpHeader::x_real_ip, net::AddressSet::parse({"10.0.0.0/8"}).value()});
  EXPECT_TRUE(proxies.send_header(address_of("10.0.0.1")) && proxies.send_field(address_of("10.0.0.1")));
  EXPECT_FALSE(proxies.send_header(address_of("192.0.2.1")) || proxies.send_field(address_of("192.0.2.1")));
  const Proxies off({false, RealIpHeader::none, net::AddressSet::parse({"0.0.0.0/0"}).value()});
  EXPECT_FALSE(off.send_header(address_of("10.0.0.1")) || off.send_field(address_of("10.0.0.1")));
}

/// A gateway behind a proxy on the loopback.
GatewayOptions behind(bool proxy_protocol, RealIpHeader header = RealIpHeader::none) {
  GatewayOptions options = TestGateway::options();
  options.trusted_proxies = {"127.0.0.1", "::1", "10.0.0.0/8"};
  options.proxy_protocol = proxy_protocol;
  options.real_ip_header = header;
  return options;
}

std::string line_of(const std::string& ip, int port = 4711) {
  const bool is_v6 = ip.find(':') != std::string::npos;
  return std::string("PROXY ") + (is_v6 ? "TCP6 " + ip + " ::1 " : "TCP4 " + ip + " 127.0.0.1 ") + std::to_string(port) +
         " 80\r\n";
}

std::uint64_t limit_hits(const TestGateway& test, const std::string& limit) {
  const auto limits = test.gateway->status().limits;
  const auto found = limits.find(limit);
  return found == limits.end() ? 0 : found->second;
}

std::string address_in(const InnerPeer::Frame& frame) {
  if ((frame.header.flags & wire::flag::kAddress) != 0)
    return net::Address::from_bytes(frame.ext_data.data(), frame.header.client_port).to_string();
  return net::Address::from_ipv4(frame.header.client_ip, frame.header.client_port).to_string();
}

/// Of a worker of PHP's event.
wire::PhpValue server_value(const InnerPeer::Frame& frame, const char* key) {
  wire::PhpValue values;
  EXPECT_EQ(wire::unserialize(frame.body, values), wire::PhpStatus::ok);
  return *values.array()->find(wire::PhpKey::from_text("server"))->array()->find(wire::PhpKey::from_text(key));
}

std::unique_ptr<WebSocketPeer> proxied(TestGateway& test, const std::string& header, const std::string& fields = {}) {
  auto peer = std::make_unique<WebSocketPeer>(test.client_endpoint);
  peer->write(header + WebSocketPeer::request("/", fields));
  EXPECT_TRUE(test.until([&] {
    peer->poll();
    return !peer->head.empty() || peer->ended();
  }));
  return peer;
}

TEST(BehindProxies, WorkersSeeTheAddressOfThePROXYHeaderFromTheFirstEventOn) {
  TestGateway test(behind(true));
  const auto worker = test.worker("test:0", true);
  const auto four = proxied(test, line_of("192.0.2.7"));
  const auto six = proxied(test, line_of("2001:db8::7", 4712));
  four->say("hello");
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 1; }));
  for (const Command command : {Command::on_connect, Command::on_websocket_connect}) {
    const auto events = worker->events(command);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(address_in(events[0]), "192.0.2.7:4711");
    EXPECT_EQ(address_in(events[1]), "[2001:db8::7]:4712");
  }
  EXPECT_EQ(address_in(worker->events(Command::on_message).at(0)), "192.0.2.7:4711");
  std::string shown;
  test.loop.for_each_connection([&](net::Connection& connection) { shown += connection.describe().remote_address + " "; });
  EXPECT_NE(shown.find("192.0.2.7:4711"), std::string::npos) << shown;
}

TEST(BehindProxies, AWorkerOfPHPSeesItInTheHeaderOfTheFrame) {
  TestGateway test(behind(true));
  const auto worker = test.worker("php:0", false);
  const auto four = proxied(test, line_of("192.0.2.7"));
  const auto event = worker->events(Command::on_websocket_connect).at(0);
  EXPECT_EQ(address_in(event), "192.0.2.7:4711");
  EXPECT_EQ(*server_value(event, "REMOTE_ADDR").string(), "192.0.2.7");
}

TEST(BehindProxies, TheHeaderMayComeInPiecesAndWithWhatFollows) {
  TestGateway test(behind(true));
  const auto worker = test.worker("test:0", true);
  const std::string bytes = line_of("192.0.2.7") + WebSocketPeer::request() + WebSocketPeer::frame("glued");
  for (const std::size_t cut : {std::size_t{1}, std::size_t{5}, std::size_t{6}, line_of("192.0.2.7").size() - 1,
                                line_of("192.0.2.7").size(), line_of("192.0.2.7").size() + 1, bytes.size() - 3}) {
    const std::size_t before = worker->said().size();
    WebSocketPeer peer(test.client_endpoint);
    peer.write(bytes.substr(0, cut));
    test.settle();
    EXPECT_EQ(worker->count(Command::on_connect), before + (cut < line_of("192.0.2.7").size() ? 0U : 1U))
        << "nobody hears of a client whose address is not known";
    peer.write(bytes.substr(cut));
    ASSERT_TRUE(test.until([&] { return worker->said().size() == before + 1; })) << cut;
  }
}

TEST(BehindProxies, Version2AndHealthChecks) {
  TestGateway test(behind(true));
  const auto worker = test.worker("test:0", true);
  std::string header("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f", 16);
  header += std::string("\xc0\0\x02\x07\x7f\0\0\x01\x12\x67\0\x50", 12) + std::string("\x04\0\0", 3);
  const auto client = proxied(test, header);
  EXPECT_TRUE(client->is_open());
  const auto local = proxied(test, std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16));
  EXPECT_TRUE(local->is_open());
  const auto events = worker->events(Command::on_connect);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(address_in(events[0]), "192.0.2.7:4711");
  EXPECT_TRUE(address_in(events[1]).starts_with("127.0.0.1:"));
  EXPECT_EQ(limit_hits(test, "proxy_header"), 0U);
}

TEST(BehindProxies, ATrustedOneThatSaysNothingOrNonsenseIsClosed) {
  TestGateway test(behind(true));
  const auto worker = test.worker("test:0", true);
  std::uint64_t refused = 0;
  for (const std::string header : {"", "PROXY TCP4 192.0.2.7 127.0.0.1 4711\r\n", "PROXY TCP4 192.0.2.7 127.0.0.1 x 80\r\n"}) {
    const auto peer = proxied(test, header);
    EXPECT_EQ(peer->head.substr(0, 12), "HTTP/1.1 400");
    EXPECT_EQ(limit_hits(test, "proxy_header"), ++refused);
  }
  const auto last = proxied(test, std::string(1000, 'P'));
  EXPECT_EQ(limit_hits(test, "proxy_header"), ++refused);
  EXPECT_EQ(worker->count(Command::on_connect), 0U);
  // A probe that only looks whether somebody listens is nothing.
  {
    const Peer probe(test.client_endpoint);
  }
  test.settle();
  EXPECT_EQ(limit_hits(test, "proxy_header"), refused);
}

TEST(BehindProxies, AnUntrustedOneIsTakenByItsWord) {
  GatewayOptions options = behind(true, RealIpHeader::x_forwarded_for);
  options.trusted_proxies = {"10.0.0.0/8"};
  TestGateway test(options);
  const auto worker = test.worker("test:0", true);
  const auto liar = proxied(test, line_of("192.0.2.7"));
  EXPECT_EQ(liar->head.substr(0, 12), "HTTP/1.1 400") << "its PROXY line is no HTTP";
  const auto direct = proxied(test, "", "X-Forwarded-For: 192.0.2.7\r\n");
  EXPECT_TRUE(direct->is_open());
  const auto events = worker->events(Command::on_connect);
  ASSERT_EQ(events.size(), 2U);
  for (const auto& event : events) EXPECT_TRUE(address_in(event).starts_with("127.0.0.1:"));
}

TEST(BehindProxies, ForwardedForReachesOnConnectToo) {
  TestGateway test(behind(false, RealIpHeader::x_forwarded_for));
  auto worker = test.worker("test:0", true);
  WebSocketPeer peer(test.client_endpoint);
  const std::string request = WebSocketPeer::request("/", "X-Forwarded-For: 203.0.113.1, 2001:db8::9, 10.1.1.1\r\n");
  peer.write(request.substr(0, 40));
  test.settle();
  EXPECT_EQ(worker->count(Command::on_connect), 0U);
  peer.write(request.substr(40) + WebSocketPeer::frame("glued"));
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 1; }));
  for (const Command command : {Command::on_connect, Command::on_websocket_connect, Command::on_message})
    EXPECT_EQ(address_in(worker->events(command).at(0)), "[2001:db8::9]:0");
  worker.reset();
  test.settle();
  const auto php = test.worker("php:0", false);
  const auto other = proxied(test, "", "X-Forwarded-For: 203.0.113.1, 2001:db8::9, 10.1.1.1\r\n");
  const auto handshake = php->events(Command::on_websocket_connect).at(0);
  EXPECT_EQ(*server_value(handshake, "REMOTE_ADDR").string(), "2001:db8::9");
  EXPECT_EQ(*server_value(handshake, "HTTP_X_FORWARDED_FOR").string(), "203.0.113.1, 2001:db8::9, 10.1.1.1");
  EXPECT_EQ(proxied(test, "GARBAGE\r\n\r\n")->head.substr(0, 12), "HTTP/1.1 400");
}

TEST(BehindProxies, BothOneAfterTheOther) {
  TestGateway test(behind(true, RealIpHeader::x_real_ip));
  const auto worker = test.worker("test:0", true);
  // A trusted proxy behind another one; and a client that came to the first one directly and invents a field.
  const auto two = proxied(test, line_of("10.1.1.1"), "X-Real-IP: 192.0.2.8\r\n");
  const auto one = proxied(test, line_of("192.0.2.7"), "X-Real-IP: 192.0.2.9\r\n");
  const auto events = worker->events(Command::on_connect);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(address_in(events[0]), "192.0.2.8:0");
  EXPECT_EQ(address_in(events[1]), "192.0.2.7:4711");
}

TEST(BehindProxies, LimitsAreOfTheRealAddress) {
  for (const bool by_header : {true, false}) {
    GatewayOptions options = behind(by_header, by_header ? RealIpHeader::none : RealIpHeader::x_forwarded_for);
    options.max_connections_per_address = 2;
    TestGateway test(options);
    const auto worker = test.worker("test:0", true);
    const auto come = [&](const std::string& ip) {
      return by_header ? proxied(test, line_of(ip)) : proxied(test, "", "X-Forwarded-For: " + ip + "\r\n");
    };
    std::vector<std::unique_ptr<WebSocketPeer>> clients;
    for (int round = 0; round < 3; ++round) {
      for (const char* ip : {"192.0.2.1", "192.0.2.2", "2001:db8:0:1::1"}) {
        clients.push_back(come(ip));
        clients.push_back(come(ip[0] == '2' ? "2001:db8:0:1:ffff::2" : ip));
        EXPECT_TRUE(clients.back()->is_open()) << ip;
        EXPECT_EQ(come(ip)->head.substr(0, 12), "HTTP/1.1 429") << ip;
      }
      EXPECT_EQ(limit_hits(test, "connections_per_address"), 3U * static_cast<unsigned>(round + 1));
      // All places are free again when they have gone.
      clients.clear();
      ASSERT_TRUE(test.until([&] { return test.gateway->status().connections == 0; }));
    }
    EXPECT_EQ(worker->count(Command::on_connect), 18U) << "no worker hears of those that were refused";
  }
}

TEST(BehindProxies, AProxyThatDoesNotSayItHasItsTime) {
  for (const bool by_header : {true, false}) {
    GatewayOptions options = behind(by_header, by_header ? RealIpHeader::none : RealIpHeader::x_forwarded_for);
    options.handshake_timeout = milliseconds(300);
    options.max_connections = 1;
    TestGateway test(options);
    const auto worker = test.worker("test:0", true);
    auto silent = std::make_unique<WebSocketPeer>(test.client_endpoint);
    silent->write(by_header ? "PROXY TCP4 " : "GET / HT");
    ASSERT_TRUE(test.until([&] { return silent->ended(); }));
    EXPECT_EQ(silent->head.substr(0, 12), "HTTP/1.1 408");
    silent.reset();
    test.settle();
    EXPECT_EQ(limit_hits(test, "handshake_time"), 1U);
    EXPECT_EQ(worker->count(Command::on_connect), 0U);
    // Its place is free again.
    const auto next = by_header ? proxied(test, line_of("192.0.2.1")) : proxied(test, "", "X-Forwarded-For: 192.0.2.1\r\n");
    EXPECT_TRUE(next->is_open());
  }
}

TEST(BehindProxies, OtherProtocolsToo) {
  TestGateway test(behind(true), wire::make_stream_protocol("text"));
  const auto worker = test.worker("test:0", true);
  Peer client(test.client_endpoint);
  client.write(line_of("192.0.2.7") + "hello\nand more\n");
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 2; }));
  EXPECT_EQ(worker->said().at(0), "hello");
  EXPECT_EQ(address_in(worker->events(Command::on_connect).at(0)), "192.0.2.7:4711");
  Peer bad(test.client_endpoint);
  bad.write("hello\n");
  ASSERT_TRUE(test.until([&] { return bad.ended(); }));
  EXPECT_EQ(bad.socket.received, "");
}

TEST(BehindProxies, OverIPv6) {
  TestGateway test(behind(true), nullptr, "[::]");
  const auto worker = test.worker("test:0", true);
  const auto client = proxied(test, line_of("2001:db8::7"));
  EXPECT_TRUE(client->is_open());
  EXPECT_EQ(address_in(worker->events(Command::on_connect).at(0)), "[2001:db8::7]:4711");
}

TEST(BehindProxies, WhoHasNotSaidItIsClosedWhenTheGatewayStops) {
  TestGateway test(behind(true));
  const auto worker = test.worker("test:0", true);
  Peer silent(test.client_endpoint);
  test.settle();
  bool stopped = false;
  const auto start = std::chrono::steady_clock::now();
  test.gateway->stop([&] { stopped = true; });
  ASSERT_TRUE(test.until([&] { return stopped; }));
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(900)) << "it is not waited for";
  EXPECT_TRUE(test.until([&] { return silent.ended(); }));
}

}  // namespace
}  // namespace gatehouse::gateway
