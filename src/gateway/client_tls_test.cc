#include "gateway/client_tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/admission.h"
#include "gateway/gateway_test_support.h"
#include "link/inner_tls.h"
#include "net/tls_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using net::testing::OpenSslEnd;
using net::testing::TestDirectory;
using net::testing::TestIdentity;
using net::testing::TlsPeer;
using std::chrono::milliseconds;
using wire::Command;

/// A gateway whose clients speak TLS.
class ClientTls : public ::testing::Test {
 protected:
  ClientTls() {
    const net::TlsFiles files = identity_.write(directory_, "own");
    options_.listen = "wss://127.0.0.1:1";
    options_.tls_cert = {files.certificate};
    options_.tls_key = {files.key};
  }
  void start(std::unique_ptr<Protocol> protocol = nullptr) {
    auto made = make_client_tls(options_, nullptr, false);
    ASSERT_TRUE(made) << made.error().message;
    tls_ = std::move(*made);
    test_.emplace(options_, std::move(protocol), "127.0.0.1", Gateway::Tls{tls_.get(), nullptr});
    worker_ = test_->worker("test:0", true);
  }
  bool until(const std::function<bool()>& condition) { return test_->until(condition); }
  /// A client that has shaken both hands, with nothing of that left in what it received.
  std::unique_ptr<TlsPeer> client() {
    auto peer = std::make_unique<TlsPeer>(test_->client_endpoint, OpenSslEnd::Wish{.protocols = {"http/1.1"}});
    EXPECT_TRUE(until([&] { return peer->is_established(); })) << peer->end.error;
    peer->write(WebSocketPeer::request());
    EXPECT_TRUE(until([&] { return peer->received().ends_with("\r\n\r\n"); }));
    EXPECT_TRUE(peer->end.received.starts_with("HTTP/1.1 101 ")) << peer->end.received;
    peer->end.received.clear();
    return peer;
  }
  [[nodiscard]] std::uint64_t hits(const std::string& limit) const {
    const auto limits = test_->gateway->status().limits;
    return limits.contains(limit) ? limits.at(limit) : 0;
  }

  TestDirectory directory_;
  TestIdentity identity_{TestIdentity::Wish{}};
  GatewayOptions options_ = TestGateway::options();
  std::unique_ptr<net::TlsContext> tls_;
  std::optional<TestGateway> test_;
  std::unique_ptr<InnerPeer> worker_;
};

TEST_F(ClientTls, MessagesBothWaysAndToAll) {
  start();
  const auto one = client();
  const auto two = client();
  one->write(WebSocketPeer::frame("from one"));
  two->write(WebSocketPeer::frame("from two"));
  ASSERT_TRUE(until([&] { return worker_->said().size() == 2; }));
  worker_->send(Command::send_to_all, 0, {}, "to all");
  const std::string frame = "\x81\x06to all";
  ASSERT_TRUE(until([&] { return one->received() == frame && two->received() == frame; }));
  EXPECT_EQ(hits("tls"), 0U);
}

TEST_F(ClientTls, TheEndHasItsCloseFrameAndCloseNotify) {
  start();
  const auto peer = client();
  bool stopped = false;
  test_->gateway->stop([&] { stopped = true; });
  ASSERT_TRUE(until([&] {
    peer->pump();
    return peer->end.ended;
  }));
  EXPECT_EQ(peer->end.received.substr(0, 4), std::string("\x88\x11\x03\xe9", 4)) << "going away";
  peer->socket.close();
  ASSERT_TRUE(until([&] { return stopped; }));
}

TEST_F(ClientTls, EveryOtherProtocolToo) {
  options_.listen = "text+tls://127.0.0.1:1";
  start(wire::make_stream_protocol(wire::split_scheme("text+tls").protocol));
  TlsPeer peer(test_->client_endpoint, OpenSslEnd::Wish{.protocols = {"irc"}});
  ASSERT_TRUE(until([&] { return peer.is_established(); })) << peer.end.error;
  peer.write("hello\r\n");
  ASSERT_TRUE(until([&] { return worker_->said() == std::vector<std::string>{"hello"}; }));
  worker_->send(Command::send_to_all, 0, {}, "welcome");
  ASSERT_TRUE(until([&] { return peer.received() == "welcome\n"; }));
}

TEST_F(ClientTls, NoiseIsCountedAndNotLogged) {
  std::vector<std::string> lines;
  tls_ = std::move(*make_client_tls(options_, nullptr, false));
  net::Loop loop(Log::to_function([&](LogLevel, std::string_view message) { lines.emplace_back(message); }));
  Gateway gateway(loop, options_, 0, nullptr, Gateway::Tls{tls_.get(), nullptr});
  net::Socket clients = net::listen_tcp(*net::Endpoint::parse_numeric("127.0.0.1:0")).value();
  const auto endpoint = *net::Endpoint::parse_numeric(net::local_address(clients.fd()).to_string());
  gateway.serve(std::move(clients), net::listen_tcp(*net::Endpoint::parse_numeric("127.0.0.1:0")).value());
  for (const std::string& noise : {WebSocketPeer::request(), std::string(400, '\0'), net::testing::pattern(400)}) {
    Peer peer(endpoint);
    peer.write(noise);
    ASSERT_TRUE(run_until(loop, [&] { return peer.ended(); }));
  }
  EXPECT_EQ(gateway.status().limits.at("tls"), 3U);
  EXPECT_EQ(lines, std::vector<std::string>());
  ASSERT_TRUE(run_until(loop, [&] { return gateway.status().connections == 0; }));
}

TEST_F(ClientTls, OneThatIsRefusedCostsNoHandshake) {
  options_.max_connections = 1;
  for (const char* listen : {"wss://127.0.0.1:1", "text+tls://127.0.0.1:1"}) {
    options_.listen = listen;
    worker_.reset();
    test_.reset();
    start(wire::make_stream_protocol(wire::split_scheme(options_.listen.substr(0, options_.listen.find("://"))).protocol));
    TlsPeer first(test_->client_endpoint);
    ASSERT_TRUE(until([&] { return first.is_established(); }));
    for (const bool speaks_first : {true, false}) {
      TlsPeer second(test_->client_endpoint);
      if (speaks_first) second.pump();
      ASSERT_TRUE(until([&] { return second.ended(); }));
      EXPECT_THAT(second.end.error, ::testing::HasSubstr("alert internal error")) << "it is told, at the price of seven bytes";
      EXPECT_FALSE(second.end.is_established());
    }
    EXPECT_EQ(hits("connections"), 2U);
    EXPECT_EQ(hits("tls"), 0U);
  }
}

/// All but the last byte of a record, for one that never sends it.
std::string all_but_the_end(TlsPeer& peer, std::string_view words) {
  peer.pump();
  peer.end.write(words);
  std::string record = peer.end.output();
  record.pop_back();
  return record;
}

// threats: declared length against what came
TEST_F(ClientTls, PartsOfRecordsCountAsWhatIsUnfinished) {
  // Three times a whole record and a part of nearly 16 KB, of which 16 KB are each one's share.
  options_.unfinished_messages_size = 50'000;
  start();
  std::vector<std::unique_ptr<TlsPeer>> peers;
  const std::string words = WebSocketPeer::frame(std::string(33'000, 'x')).substr(0, 32'000);
  for (int i = 0; i < 3; ++i) {
    peers.push_back(client());
    std::string record = all_but_the_end(*peers.back(), words);
    peers.back()->socket.write(record);
  }
  test_->settle();
  EXPECT_EQ(hits("unfinished_messages"), 0U);
  peers.push_back(client());
  peers.back()->socket.write(all_but_the_end(*peers.back(), words));
  const auto is_closed = [](const auto& peer) { return peer->received().starts_with("\x88"); };
  ASSERT_TRUE(until([&] { return std::any_of(peers.begin(), peers.end(), is_closed); }));
  EXPECT_EQ(hits("unfinished_messages"), 1U);
  EXPECT_EQ(std::count_if(peers.begin(), peers.end(), is_closed), 1);
  // Who goes, or says the rest, gives room.
  ASSERT_TRUE(until([&] { return test_->gateway->status().connections == 3; }));
  std::erase_if(peers, is_closed);
  peers.pop_back();
  ASSERT_TRUE(until([&] { return test_->gateway->status().connections == 2; }));
  const auto fifth = client();
  fifth->socket.write(all_but_the_end(*fifth, words));
  test_->settle();
  EXPECT_EQ(hits("unfinished_messages"), 1U);
}

TEST_F(ClientTls, APartOfARecordHasItsTime) {
  options_.message_timeout = milliseconds(300);
  start();
  const auto peer = client();
  peer->socket.write(all_but_the_end(*peer, WebSocketPeer::frame("hello")));
  ASSERT_TRUE(until([&] { return peer->received().starts_with("\x88"); }));
  EXPECT_EQ(hits("message_time"), 1U);
}

TEST_F(ClientTls, APartOfARecordCountsNoMoreWhenTheRestHasCome) {
  options_.unfinished_messages_size = 20'000;
  start();
  const auto peer = client();
  for (int i = 1; i <= 4; ++i) {
    peer->end.write(WebSocketPeer::frame(std::string(32'000, 'x')));
    const std::string record = peer->end.output();
    peer->socket.write(record.substr(0, 31'000));
    test_->settle();
    peer->socket.write(record.substr(31'000));
    ASSERT_TRUE(until([&] { return worker_->said().size() == static_cast<std::size_t>(i); })) << hits("unfinished_messages");
  }
  EXPECT_EQ(hits("unfinished_messages"), 0U);
}

// threats: memory taken by those who have said nothing true yet
TEST_F(ClientTls, HandshakesInFlightAreBounded) {
  options_.max_tls_handshakes = 2;
  start();
  std::vector<std::unique_ptr<TlsPeer>> stuck;
  for (int i = 0; i < 2; ++i) {
    stuck.push_back(std::make_unique<TlsPeer>(test_->client_endpoint));
    stuck.back()->pump();
  }
  ASSERT_TRUE(until([&] { return tls_->slots()->taken() == 2; }));
  EXPECT_EQ(hits("open_tls_handshakes"), 0U);
  const auto honest = client();  // as soon as the oldest has made way
  EXPECT_EQ(hits("open_tls_handshakes"), 2U) << "one waited, one was ended";
  EXPECT_EQ(tls_->slots()->taken(), 1U);
  honest->write(WebSocketPeer::frame("here"));
  ASSERT_TRUE(until([&] { return worker_->said() == std::vector<std::string>{"here"}; }));
}

// threats: memory taken by those who have said nothing true yet
TEST_F(ClientTls, AHelloThatClaimsMuchIsCountedAndCostsNothing) {
  start();
  Peer liar(test_->client_endpoint);
  liar.write(std::string_view("\x16\x03\x01\x01\x2c\x01\x01\xff\xb8", 9));
  ASSERT_TRUE(until([&] { return liar.ended(); }));
  EXPECT_EQ(hits("tls"), 1U);
  EXPECT_EQ(tls_->slots()->taken(), 0U);
}

#ifndef __SANITIZE_ADDRESS__  // whose allocator does not tell mallinfo2
// Many were let in between two looks at the memory, and took it afterwards.
TEST_F(ClientTls, MaxMemoryCountsWhatHandshakesMayStillTake) {
  options_.max_memory = heap_in_use() + 4 * 1024 * 1024;
  start();
  std::vector<std::unique_ptr<Peer>> silent;
  while (hits("memory") == 0 && silent.size() < 200) {
    silent.push_back(std::make_unique<Peer>(test_->client_endpoint));
    ASSERT_TRUE(until([&] { return test_->gateway->status().connections + hits("memory") >= silent.size(); }));
  }
  // 98 KB each: twice the head, room for a record, and OpenSSL.
  EXPECT_GE(silent.size(), 25U);
  EXPECT_LE(silent.size(), 60U);
  silent.clear();
  ASSERT_TRUE(until([&] { return test_->gateway->status().connections == 0; }));
  EXPECT_NE(client(), nullptr);
}
#endif

// threats: never-finished handshake, silence after connect
TEST_F(ClientTls, BothHandshakesTogetherHaveTheirTime) {
  for (const char* listen : {"wss://127.0.0.1:1", "text+tls://127.0.0.1:1"}) {
    options_.listen = listen;
    options_.handshake_timeout = milliseconds(500);
    worker_.reset();
    test_.reset();
    start(wire::make_stream_protocol(wire::split_scheme(options_.listen.substr(0, options_.listen.find("://"))).protocol));
    Peer silent(test_->client_endpoint);
    TlsPeer hello_alone(test_->client_endpoint);
    hello_alone.end.pump();
    hello_alone.socket.write(hello_alone.end.output());
    hello_alone.reading = false;
    ASSERT_TRUE(until([&] { return test_->gateway->status().connections == 2; }));
    ASSERT_TRUE(until([&] { return test_->gateway->status().connections == 0; }));
    EXPECT_EQ(hits("handshake_time"), 2U);
  }
}

TEST_F(ClientTls, BehindAProxyThatSaysWhoTheClientIs) {
  options_.trusted_proxies = {"127.0.0.1"};
  options_.proxy_protocol = true;
  for (const bool has_field : {false, true}) {
    if (has_field) options_.real_ip_header = RealIpHeader::x_forwarded_for;
    worker_.reset();
    test_.reset();
    start();
    for (const bool is_glued : {true, false}) {
      TlsPeer peer(test_->client_endpoint);
      peer.end.pump();
      const std::string hello = peer.end.output();
      peer.socket.write("PROXY TCP4 127.0.0.1 192.0.2.1 5000 443\r\n" + (is_glued ? hello : ""));
      if (!is_glued) {
        test_->settle();
        peer.socket.write(hello);
      }
      ASSERT_TRUE(until([&] { return peer.is_established(); })) << peer.end.error;
      peer.write(WebSocketPeer::request("/", "X-Forwarded-For: 203.0.113.9\r\n"));
      ASSERT_TRUE(until([&] { return peer.received().starts_with("HTTP/1.1 101 "); })) << peer.end.received;
      const auto told = worker_->events(Command::on_websocket_connect);
      ASSERT_FALSE(told.empty());
      EXPECT_EQ(told.back().header.client_ip, has_field ? 0xcb007109U : 0x7f000001U);
    }
    TlsPeer stranger(test_->client_endpoint);
    ASSERT_TRUE(until([&] { return stranger.ended(); })) << "no header";
    EXPECT_FALSE(stranger.end.is_established());
    EXPECT_EQ(hits("tls"), 0U);
  }
}

TEST_F(ClientTls, NewHandshakesOverTheRateWaitAndAreCounted) {
  options_.max_tls_handshakes_per_second = 20;
  start();
  std::vector<std::unique_ptr<TlsPeer>> crowd;
  for (int i = 0; i < 4; ++i) {
    crowd.push_back(std::make_unique<TlsPeer>(test_->client_endpoint));
    crowd.back()->pump();
  }
  const auto all = [&] {
    return std::all_of(crowd.begin(), crowd.end(), [](const auto& each) { return each->is_established(); });
  };
  ASSERT_TRUE(until(all));
  EXPECT_EQ(hits("tls_handshakes"), 2U) << "two at once";
}

TEST_F(ClientTls, ASlowReaderIsDisconnectedAsElsewhere) {
  options_.send_to_client_buffer_size = 256 * 1024;
  start();
  auto slow = client();
  slow->reading = false;
  for (int i = 0; i < 200; ++i) worker_->send(Command::send_to_all, 0, {}, std::string(100'000, 'x'));
  ASSERT_TRUE(until([&] {
    worker_->poll();
    return test_->gateway->status().connections == 0;
  }));
  EXPECT_EQ(hits("send_buffer"), 1U);
}

class InnerTlsPort : public ::testing::Test {
 protected:
  InnerTlsPort() {
    const net::TlsFiles files = member_.write(directory_, "member");
    const InnerTls inner{net::testing::write_text(directory_.file("ca.pem"), authority_.certificate_pem()), files.certificate,
                         files.key};
    tls_ = std::move(*link::make_inner_tls(inner, false, link::kUsesOfGateway));
    test_.emplace(TestGateway::options(), nullptr, "127.0.0.1", Gateway::Tls{nullptr, tls_.get()});
  }
  [[nodiscard]] std::uint64_t hits() const {
    const auto limits = test_->gateway->status().limits;
    return limits.contains("inner_tls") ? limits.at("inner_tls") : 0;
  }

  TestDirectory directory_;
  TestIdentity authority_{TestIdentity::Wish{.names = {"cluster"}, .is_authority = true}};
  TestIdentity member_{TestIdentity::Wish{.names = {"member"}}, &authority_};
  std::unique_ptr<net::TlsContext> tls_;
  std::optional<TestGateway> test_;
};

TEST_F(InnerTlsPort, LetsInWhoHasACertificateOfTheAuthority) {
  TlsPeer peer(test_->inner_endpoint, OpenSslEnd::Wish{.identity = &member_});
  std::string frame;
  wire::append_gateway_frame(frame, {.command = Command::is_online, .connection_id = 1}, {}, {});
  ASSERT_TRUE(test_->until([&] { return peer.is_established(); }));
  peer.write(frame);
  ASSERT_TRUE(test_->until([&] { return peer.received().ends_with("i:0;"); }));
  EXPECT_EQ(hits(), 0U);
}

TEST_F(InnerTlsPort, RefusesEverybodyElse) {
  const TestIdentity stranger(TestIdentity::Wish{.names = {"member"}});
  std::uint64_t refused = 0;
  for (const TestIdentity* identity : {static_cast<const TestIdentity*>(nullptr), &stranger}) {
    TlsPeer peer(test_->inner_endpoint, OpenSslEnd::Wish{.identity = identity});
    ASSERT_TRUE(test_->until([&] { return peer.ended(); }));
    EXPECT_EQ(peer.received(), "");
    EXPECT_EQ(hits(), ++refused);
  }
  // As PHP's peers speak.
  InnerPeer plain(test_->inner_endpoint);
  plain.connect_as_worker("php:0");
  ASSERT_TRUE(test_->until([&] { return plain.ended(); }));
  EXPECT_EQ(hits(), ++refused);
  EXPECT_EQ(test_->gateway->status().inner_connections, 0U);
}

}  // namespace
}  // namespace gatehouse::gateway
