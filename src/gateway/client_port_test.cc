#include "gateway/client_port.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "gateway/gateway_test_support.h"
#include "wire/http_head.h"
#include "wire/websocket_handshake.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using wire::Command;
namespace flag = wire::flag;
using Strings = std::vector<std::string>;

TEST(ClientPort, AWorkerHearsOfAClientAtTheAcceptAndOfItsHandshakeLater) {
  TestGateway test;
  const auto worker = test.worker();
  WebSocketPeer client(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_connect) == 1; }));
  const wire::GatewayHeader header = worker->events(Command::on_connect)[0].header;
  EXPECT_EQ(header.local_ip, 0x7f000001U);
  EXPECT_EQ(header.local_port, test.inner_port);
  EXPECT_EQ(header.gateway_port, test.client_port);
  EXPECT_EQ(header.client_ip, 0x7f000001U);
  EXPECT_EQ(header.client_port, net::local_address(client.socket.fd()).port());
  EXPECT_NE(header.connection_id, 0U);
  EXPECT_EQ(worker->count(Command::on_websocket_connect), 0U);

  client.shake_hands("/chat?room=1");
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_websocket_connect) == 1; }));
  const InnerPeer::Frame event = worker->events(Command::on_websocket_connect)[0];
  EXPECT_EQ(event.header.flags, 0);
  EXPECT_EQ(event.header.connection_id, header.connection_id);
  EXPECT_NE(event.body.find("s:4:\"room\";s:1:\"1\";"), std::string::npos);
  EXPECT_NE(event.body.find("s:11:\"REMOTE_ADDR\";s:9:\"127.0.0.1\";"), std::string::npos);
  ASSERT_TRUE(test.until([&] { return client.texts().empty() && client.is_open(); }));
}

TEST(ClientPort, ANativeWorkerIsShownTheRequestAsItCame) {
  TestGateway test;
  auto native = test.worker("native:0", true);
  const std::string request = WebSocketPeer::request("/chat?room=1", "X-A: 1\r\nx-a: 2\r\n");
  WebSocketPeer client(test.client_endpoint);
  client.write(request.substr(0, 50));
  test.settle();
  client.write(request.substr(50) + WebSocketPeer::frame("glued"));
  ASSERT_TRUE(test.until([&] { return native->said() == Strings({"glued"}); }));
  const InnerPeer::Frame event = native->events(Command::on_websocket_connect).at(0);
  EXPECT_EQ(event.header.flags, flag::kScalar);
  EXPECT_EQ(event.body, request);

  // One that is told of the same request in its place knows upstream's form alone.
  native.reset();
  test.settle();
  WebSocketPeer waits(test.client_endpoint);
  waits.write(request);
  test.settle();
  const auto php = test.worker("php:0");
  ASSERT_TRUE(test.until([&] { return php->count(Command::on_websocket_connect) == 1; }));
  const InnerPeer::Frame told = php->events(Command::on_websocket_connect).at(0);
  wire::HttpHead head;
  ASSERT_EQ(wire::parse_http_head(request, 0, head).status, wire::HttpStatus::complete);
  EXPECT_EQ(told.header.flags, 0);
  EXPECT_EQ(told.body, wire::handshake_body(head, "127.0.0.1", net::local_address(waits.socket.fd()).port(), test.client_port));
}

TEST(ClientPort, WhatIsSentBeforeTheHandshakeFollowsThe101) {
  TestGateway test;
  const auto worker = test.worker();
  WebSocketPeer client(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_connect) == 1; }));
  const std::uint32_t id = worker->frames[0].header.connection_id;
  worker->send(Command::send_to_one, id, {}, "first");
  worker->send(Command::send_to_all, 0, {}, "second");
  worker->send(Command::send_to_one, id, {}, "\x82\x05third", flag::kScalar | flag::kRaw);
  test.settle();
  client.poll();
  EXPECT_EQ(client.socket.received, "");
  client.shake_hands();
  ASSERT_TRUE(test.until([&] { return client.texts() == Strings({"first", "second", "third"}); }));
  EXPECT_TRUE(client.messages[2].binary);
}

TEST(ClientPort, FramesGluedToTheHandshakeAreHeard) {
  TestGateway test;
  const auto worker = test.worker();
  WebSocketPeer client(test.client_endpoint);
  client.write(WebSocketPeer::request() + WebSocketPeer::frame("one") + WebSocketPeer::frame("two") +
               WebSocketPeer::frame("?", wire::Opcode::ping));
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"one", "two"}); }));
  ASSERT_TRUE(test.until([&] { return client.texts().empty() && client.pongs == Strings({"?"}); }));
  EXPECT_EQ(worker->frames[1].header.command, Command::on_websocket_connect);
}

TEST(ClientPort, EveryByteAloneIsHeardAsWell) {
  TestGateway test;
  const auto worker = test.worker();
  WebSocketPeer client(test.client_endpoint);
  for (const char byte : WebSocketPeer::request() + WebSocketPeer::frame("hello")) {
    client.write({&byte, 1});
    test.loop.post([&] { test.loop.stop(); });
    test.loop.run();
  }
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"hello"}); }));
}

TEST(ClientPort, ARefusedHandshakeIsAnsweredAndItsWorkerHears) {
  TestGateway test;
  const auto worker = test.worker();
  for (const auto& [request, status] :
       {std::pair<std::string, std::string>{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400"},
        {"POST / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405"},
        {"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", "HTTP/1.1 400"},
        {"GET / HTTP/1.1\r\nX: " + std::string(9000, 'x'), "HTTP/1.1 431"},
        {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), "HTTP/1.1 400"}}) {
    WebSocketPeer client(test.client_endpoint);
    const std::size_t closed = worker->count(Command::on_close);
    client.write(request + WebSocketPeer::frame("never"));
    ASSERT_TRUE(test.until([&] { return client.ended(); })) << request.substr(0, 40);
    EXPECT_EQ(client.head.substr(0, 12), status);
    ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == closed + 1; }));
  }
  EXPECT_EQ(worker->count(Command::on_websocket_connect), 0U);
  EXPECT_EQ(worker->said(), Strings());
  EXPECT_EQ(test.gateway->status().connections, 0U);
}

TEST(ClientPort, AHandshakeHasItsTime) {
  GatewayOptions options = TestGateway::options();
  options.handshake_timeout = std::chrono::milliseconds(500);
  TestGateway test(options);
  const auto worker = test.worker("test:0", true);
  const auto done = test.client();
  WebSocketPeer silent(test.client_endpoint);
  WebSocketPeer slow(test.client_endpoint);
  slow.write("GET / HTTP/1.1\r\nHost:");
  ASSERT_TRUE(test.until([&] { return silent.ended() && slow.ended(); }));
  EXPECT_FALSE(done->ended());
  silent.poll();
  slow.poll();
  EXPECT_TRUE(silent.head.starts_with("HTTP/1.1 408 ")) << silent.head;
  EXPECT_TRUE(slow.head.starts_with("HTTP/1.1 408 ")) << slow.head;
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == 2; }));
  EXPECT_EQ(worker->events(Command::on_close)[0].body[0], static_cast<char>(CloseReason::Cause::timeout));
}

TEST(ClientPort, ACloseFrameComesBackAndItsReasonGoesToTheWorker) {
  TestGateway test;
  const auto worker = test.worker("test:0", true);
  struct Case {
    std::string payload;
    std::uint16_t answered;
    std::string told;  // code and reason
  };
  std::size_t times = 0;
  for (const Case& each :
       {Case{std::string("\x0f\xa0gone", 6), 4000, std::string("\x0f\xa0gone", 6)},
        Case{std::string("\x03\xe8", 2), 1000, std::string("\x03\xe8", 2)}, Case{"", 1005, std::string(2, '\0')}}) {
    // Nothing may follow a close frame; to one that goes on all the same no reset takes the answer away.
    for (const std::string& behind : {std::string(), WebSocketPeer::frame("never")}) {
      const auto client = test.client();
      client->write(WebSocketPeer::frame(each.payload, wire::Opcode::close) + behind);
      ASSERT_TRUE(test.until([&] { return client->ended(); }));
      EXPECT_EQ(client->close_code, each.answered);
      ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == times + 1; }));
      EXPECT_EQ(worker->events(Command::on_close)[times].body,
                std::string(1, static_cast<char>(CloseReason::Cause::client_closed)) + each.told);
      ++times;
    }
  }
  EXPECT_EQ(worker->said(), Strings());
}

TEST(ClientPort, ABrokenProtocolCostsItsSenderTheConnectionAndNobodyElseAnything) {
  TestGateway test;
  const auto worker = test.worker("test:0", true);
  const auto other = test.client();
  struct Case {
    std::string bytes;
    std::uint16_t code;
    CloseReason::Cause cause;
  };
  std::string unmasked;
  wire::append_frame(unmasked, wire::Opcode::text, "never");
  std::string reserved = WebSocketPeer::frame("never");
  reserved[0] = static_cast<char>(reserved[0] | 0x40);
  std::string huge("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
  using Cause = CloseReason::Cause;
  for (const Case& each : {Case{unmasked, 1002, Cause::protocol_error}, Case{reserved, 1002, Cause::protocol_error},
                           Case{WebSocketPeer::frame("\xff"), 1007, Cause::protocol_error}, Case{huge, 1009, Cause::too_big},
                           Case{WebSocketPeer::frame("x", wire::Opcode::continuation), 1002, Cause::protocol_error}}) {
    const auto client = test.client();
    const std::size_t before = worker->count(Command::on_close);
    client->write(each.bytes + WebSocketPeer::frame("never"));
    ASSERT_TRUE(test.until([&] { return client->ended(); }));
    EXPECT_EQ(client->close_code, each.code);
    ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == before + 1; }));
    EXPECT_EQ(worker->events(Command::on_close)[before].body[0], static_cast<char>(each.cause));
  }
  other->say("still here");
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"still here"}); }));
}

TEST(ClientPort, AMessageOfTheLargestSizePassesAndOneByteMoreDoesNot) {
  GatewayOptions options = TestGateway::options();
  options.max_package_size = 100'000;
  TestGateway test(options);
  const auto worker = test.worker();
  const auto client = test.client();
  client->say(std::string(100'000, 'x'));
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({std::string(100'000, 'x')}); }));
  client->say(std::string(100'001, 'x'));
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_EQ(client->close_code, 1009);
  EXPECT_EQ(worker->said().size(), 1U);
}

TEST(ClientPort, FragmentsAreOneMessageAndPingsBetweenThemAreAnswered) {
  TestGateway test;
  const auto worker = test.worker("test:0", true);
  const auto client = test.client();
  client->write(WebSocketPeer::frame("he", wire::Opcode::binary, false) + WebSocketPeer::frame("p", wire::Opcode::ping) +
                WebSocketPeer::frame("llo", wire::Opcode::continuation));
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"hello"}); }));
  EXPECT_EQ(worker->events(Command::on_message)[0].header.flags, flag::kScalar | flag::kBinary);
  ASSERT_TRUE(test.until([&] { return client->texts().empty() && client->pongs == Strings({"p"}); }));
}

TEST(ClientPort, AFloodOfPingsThatNobodyReadsIsBounded) {
  TestGateway test;
  const auto worker = test.worker();
  const auto client = test.client(4096);
  client->reading = false;
  const std::string pings = [] {
    std::string out;
    for (int i = 0; i < 2000; ++i) out += WebSocketPeer::frame(std::string(125, 'p'), wire::Opcode::ping);
    return out;
  }();
  std::uint64_t most = 0;
  for (int i = 0; i < 20; ++i) {  // 5 MB
    client->write(pings);
    ASSERT_TRUE(test.until([&] {
      client->pump();
      most = std::max(most, test.gateway->status().queued_bytes);
      return client->unwritten() == 0;
    }));
  }
  EXPECT_LE(most, 70'000U);
}

TEST(ClientPort, AnEmptyLineBeforeTheHandshakeIsIgnored) {
  TestGateway test;
  const auto native = test.worker("native:0", true);
  for (const std::size_t cut : {0, 1, 2, 3}) {
    const std::string bytes = "\r\n" + WebSocketPeer::request("/chat");
    WebSocketPeer client(test.client_endpoint);
    client.write(std::string_view(bytes).substr(0, cut));
    test.settle();
    client.write(std::string_view(bytes).substr(cut));
    ASSERT_TRUE(test.until([&] {
      client.poll();
      return client.is_open();
    })) << cut;
    ASSERT_TRUE(test.until([&] { return native->count(Command::on_websocket_connect) > 0; }));
    EXPECT_EQ(native->events(Command::on_websocket_connect).back().body, WebSocketPeer::request("/chat")) << "and not passed on";
  }
}

TEST(ClientPort, MalformedExtensionsAreRefusedWithAndWithoutDeflate) {
  for (const bool deflate : {false, true}) {
    GatewayOptions options = TestGateway::options();
    options.deflate = deflate;
    TestGateway test(options);
    const auto worker = test.worker();
    WebSocketPeer client(test.client_endpoint);
    client.shake_hands("/", "Sec-WebSocket-Extensions: permessage-deflate;\r\n");
    ASSERT_TRUE(test.until([&] { return client.ended(); }));
    EXPECT_TRUE(client.head.starts_with("HTTP/1.1 400 ")) << client.head;
    EXPECT_EQ(worker->count(Command::on_websocket_connect), 0U);
  }
}

/// Takes "ok\n" alone.
class Picky final : public Protocol {
 public:
  [[nodiscard]] Input input(std::string_view buffer, std::size_t /*seen*/) const override {
    if (buffer.starts_with("throw")) throw std::runtime_error("thrown\x01");
    if (!std::string_view("ok\n").starts_with(buffer.substr(0, 3)))
      return Input::refuse("no ok, but \"" + std::string(buffer) + "\"");
    return buffer.size() < 3 ? Input::need_more(3) : Input::frame(3);
  }
  [[nodiscard]] std::string_view decode(std::string_view frame) const override { return frame; }
  void encode(std::string_view message, std::string& out) const override { out.append(message); }
};

TEST(ClientPort, WhatAProtocolRefusesIsCountedAndLoggedWithItsReason) {
  std::vector<std::string> lines;
  net::Loop loop(Log::to_function([&](LogLevel level, std::string_view message) {
    if (level >= LogLevel::warning) lines.emplace_back(message);
  }));
  Gateway gateway(loop, TestGateway::options(), 0, std::make_unique<Picky>());
  net::Socket clients = net::listen_tcp(*net::Endpoint::parse_numeric("127.0.0.1:0")).value();
  const auto endpoint = *net::Endpoint::parse_numeric(net::local_address(clients.fd()).to_string());
  net::Socket inner = net::listen_tcp(*net::Endpoint::parse_numeric("127.0.0.1:0")).value();
  InnerPeer worker(*net::Endpoint::parse_numeric(net::local_address(inner.fd()).to_string()));
  worker.connect_as_worker("test:0");
  gateway.serve(std::move(clients), std::move(inner));
  for (const std::string& bytes :
       {std::string("no\x1b[2J"), std::string("throw"), std::string("still no"), std::string("GET / HTTP/1.1\r\n\r\n")}) {
    Peer peer(endpoint);
    peer.write(bytes);
    ASSERT_TRUE(run_until(loop, [&] { return peer.ended(); })) << bytes;
  }
  EXPECT_EQ(gateway.status().limits.at("protocol"), 4U);
  ASSERT_EQ(lines.size(), 1U) << "the next ones are within the quiet time, and a probe is no line at all";
  EXPECT_NE(lines[0].find("limit protocol: "), std::string::npos);
  EXPECT_NE(lines[0].find("no ok, but"), std::string::npos);
  EXPECT_EQ(lines[0].find('\x1b'), std::string::npos) << "what strangers send does not reach a terminal";
}

TEST(ClientPort, TextClients) {
  TestGateway test(TestGateway::options(), wire::make_stream_protocol("text"));
  const auto worker = test.worker();
  Peer client(test.client_endpoint);
  client.write("a\r\nb\n\n  c  \r\r\nhal");
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"a", "b", "", "  c  "}); }));
  client.write("f\n");
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 5; }));
  EXPECT_EQ(worker->said()[4], "half");
  worker->send(Command::send_to_all, 0, {}, "x");
  worker->send(Command::send_to_one, worker->frames[0].header.connection_id, {}, "");
  worker->send(Command::send_to_all, 0, {}, "raw", flag::kScalar | flag::kRaw);
  ASSERT_TRUE(test.until([&] {
    client.pump();
    return client.socket.received == "x\n\nraw";
  }));
  client.socket.finish_writing();
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == 1; }));
  EXPECT_EQ(worker->count(Command::on_websocket_connect), 0U);
}

TEST(ClientPort, FrameClients) {
  TestGateway test(TestGateway::options(), wire::make_stream_protocol("frame"));
  const auto worker = test.worker();
  Peer client(test.client_endpoint);
  client.write(std::string("\0\0\0\x04\0\0\0\x06hi\0\0\0\x07", 14));
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"", "hi"}); }));
  client.write("you");
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"", "hi", "you"}); }));
  worker->send(Command::send_to_all, 0, {}, "abc");
  ASSERT_TRUE(test.until([&] {
    client.pump();
    return client.socket.received == std::string(
                                         "\0\0\0\x07"
                                         "abc",
                                         7);
  }));
  client.write(std::string(4, '\0'));
  ASSERT_TRUE(test.until([&] { return client.ended(); }));
}

TEST(ClientPort, AStreamMessageOverTheLimitEndsItsSender) {
  for (const char* scheme : {"text", "frame"}) {
    GatewayOptions options = TestGateway::options();
    options.max_package_size = 1000;
    TestGateway test(options, wire::make_stream_protocol(scheme));
    const auto worker = test.worker("test:0", true);
    const bool is_text = scheme == std::string("text");
    Peer good(test.client_endpoint);
    good.write(is_text ? std::string(999, 'x') + "\n" : std::string("\0\0\x03\xe8", 4) + std::string(996, 'x'));
    ASSERT_TRUE(test.until([&] { return worker->said().size() == 1; }));
    Peer bad(test.client_endpoint);
    // Frame: its announcement alone is enough.
    bad.write(is_text ? std::string(1000, 'x') + "\n" : std::string("\0\0\x03\xe9", 4));
    ASSERT_TRUE(test.until([&] { return bad.ended(); })) << scheme;
    ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == 1; }));
    EXPECT_EQ(worker->events(Command::on_close)[0].body[0], static_cast<char>(CloseReason::Cause::too_big));
    EXPECT_EQ(worker->said().size(), 1U);
    EXPECT_FALSE(good.ended());
  }
}

TEST(ClientPort, ARawStreamHasNoMessageThatIsTooBig) {
  GatewayOptions options = TestGateway::options();
  options.max_package_size = 1000;
  TestGateway test(options, wire::make_stream_protocol("tcp"));
  const auto worker = test.worker();
  Peer client(test.client_endpoint);
  const std::string bytes = net::testing::pattern(300'000);
  client.write(bytes);
  std::string heard;
  ASSERT_TRUE(test.until([&] {
    client.pump();
    heard.clear();
    for (const std::string& part : worker->said()) heard += part;
    return heard.size() == bytes.size();
  }));
  EXPECT_EQ(heard, bytes);
  worker->send(Command::send_to_all, 0, {}, "as it is");
  ASSERT_TRUE(test.until([&] {
    client.pump();
    return client.socket.received == "as it is";
  }));
}

class Odd : public Protocol {
 public:
  [[nodiscard]] Input input(std::string_view buffer, std::size_t) const override {
    if (buffer[0] == 't') throw std::runtime_error("thrown");
    if (buffer[0] == 'r') return Input::refuse("refused");
    if (buffer[0] == '0') return Input::frame(0);
    if (buffer[0] == '+') return Input::frame(buffer.size() + 1);
    return Input::frame(1);
  }
  [[nodiscard]] std::string_view decode(std::string_view frame) const override {
    if (frame[0] == 'd') throw std::runtime_error("thrown");
    return frame;
  }
  void encode(std::string_view message, std::string& out) const override { out += message; }
};

TEST(ClientPort, AProtocolOfOnesOwnMayBeWrongAboutOneClient) {
  TestGateway test(TestGateway::options(), std::make_unique<Odd>());
  const auto worker = test.worker();
  for (const char* bad : {"at", "ar", "a0", "a+", "ad"}) {
    Peer client(test.client_endpoint);
    client.write(bad);
    ASSERT_TRUE(test.until([&] { return client.ended(); })) << bad;
  }
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == 5; }));
  EXPECT_EQ(worker->said(), Strings(5, "a"));
}

}  // namespace
}  // namespace gatehouse::gateway
