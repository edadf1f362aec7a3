// The limits of a gateway, each at the limit and one past it. The names of the tests begin with the row of docs/security.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gateway/gateway_test_support.h"
#include "gateway/unfinished_messages.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using wire::Command;
using Strings = std::vector<std::string>;

std::uint64_t hits(const TestGateway& test, const std::string& limit) {
  const auto limits = test.gateway->status().limits;
  const auto found = limits.find(limit);
  return found == limits.end() ? 0 : found->second;
}

/// How a refused client is answered: "HTTP/1.1 503".
std::string refusal(TestGateway& test, std::string_view fields = {}, std::string_view more = {}) {
  WebSocketPeer peer(test.client_endpoint);
  peer.write(WebSocketPeer::request("/", fields));
  peer.write(more);
  EXPECT_TRUE(test.until([&] { return peer.ended(); }));
  return peer.head.substr(0, 12);
}

TEST(Limits, ConnectionsInAll) {
  GatewayOptions options = TestGateway::options();
  options.max_connections = 3;
  TestGateway test(options);
  const auto worker = test.worker("test:0", true);
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(test.client());
  EXPECT_EQ(hits(test, "connections"), 0U);
  EXPECT_EQ(refusal(test), "HTTP/1.1 503");
  EXPECT_EQ(hits(test, "connections"), 1U);
  EXPECT_EQ(worker->count(Command::on_connect), 3U) << "no worker hears of one that was refused";
  clients.pop_back();
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_close) == 1; }));
  clients.push_back(test.client());
}

TEST(Limits, ConnectionsPerAddress) {
  GatewayOptions options = TestGateway::options();
  options.max_connections_per_address = 2;
  TestGateway test(options);
  const auto worker = test.worker();
  const auto one = test.client();
  const auto two = test.client();
  EXPECT_EQ(refusal(test), "HTTP/1.1 429");
  EXPECT_EQ(hits(test, "connections_per_address"), 1U);
}

TEST(Limits, NewConnectionsPerSecond) {
  GatewayOptions options = TestGateway::options();
  options.max_new_connections_per_second = 5;
  TestGateway test(options);
  const auto worker = test.worker();
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(std::make_unique<WebSocketPeer>(test.client_endpoint));
  for (int i = 0; i < 5; ++i) clients.push_back(std::make_unique<WebSocketPeer>(test.client_endpoint));
  ASSERT_TRUE(test.until([&] { return hits(test, "new_connections") >= 3; }));
  EXPECT_LE(test.gateway->status().connections, 7U);
  // A fifth of a second later there is room for one more.
  net::testing::run_for(test.loop, milliseconds(250));
  const auto later = test.client();
}

TEST(Limits, RawProtocolsAreClosedWithoutAnAnswer) {
  GatewayOptions options = TestGateway::options();
  options.max_connections = 1;
  TestGateway test(options, wire::make_stream_protocol("text"));
  const auto worker = test.worker();
  Peer first(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_connect) == 1; }));
  Peer second(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return second.ended(); }));
  EXPECT_EQ(second.socket.received, "");
  EXPECT_FALSE(first.ended());
}

#ifndef __SANITIZE_ADDRESS__  // whose allocator does not tell mallinfo2
TEST(Limits, MemoryShedsNewConnectionsFirst) {
  GatewayOptions options = TestGateway::options();
  options.max_memory = 20 * 1024 * 1024;
  TestGateway test(options);
  const auto worker = test.worker();
  const auto old = test.client();
  auto ballast = std::make_unique<std::string>(64 * 1024 * 1024, 'x');
  ASSERT_TRUE(test.until([&] {
    if (hits(test, "memory") == 0) WebSocketPeer probe(test.client_endpoint);
    return hits(test, "memory") > 0;
  }));
  EXPECT_EQ(refusal(test), "HTTP/1.1 503");
  old->say("still served");
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"still served"}); }));
  ballast.reset();
  net::testing::run_for(test.loop, milliseconds(1100));
  const auto later = test.client();
}
#endif

// threats: origin
TEST(Limits, OriginsAreExact) {
  GatewayOptions options = TestGateway::options();
  options.allowed_origins = {"https://chat.example", "http://localhost:8080"};
  TestGateway test(options);
  const auto worker = test.worker();
  EXPECT_TRUE(test.client(0, "Origin: https://chat.example\r\n")->is_open());
  EXPECT_TRUE(test.client(0, "origin: http://localhost:8080\r\n")->is_open());
  std::uint64_t refused = 0;
  for (const std::string fields :
       {"", "Origin: null\r\n", "Origin: https://chat.example.evil.example\r\n", "Origin: https://evilchat.example\r\n",
        "Origin: http://chat.example\r\n", "Origin: https://chat.example:8443\r\n", "Origin: https://chat.example/\r\n",
        "Origin: https://CHAT.example\r\n", "Origin:\r\n", "Origin: https://chat.example\r\nOrigin: https://chat.example\r\n"}) {
    EXPECT_EQ(refusal(test, fields), "HTTP/1.1 403") << fields;
    EXPECT_EQ(hits(test, "origin"), ++refused);
  }
}

// threats: handshake header abuse
TEST(Limits, HeaderBytesAndFields) {
  GatewayOptions options = TestGateway::options();
  options.max_header_fields = 10;
  options.max_header_size = 1000;
  TestGateway test(options);
  const auto worker = test.worker();
  const std::size_t bare = WebSocketPeer::request("/", "X: \r\n").size();
  EXPECT_TRUE(test.client(0, "X: " + std::string(1000 - bare, 'x') + "\r\n")->is_open());
  EXPECT_EQ(refusal(test, "X: " + std::string(1001 - bare, 'x') + "\r\n"), "HTTP/1.1 431");
  std::string fields;
  for (int i = 0; i < 5; ++i) fields += "X" + std::to_string(i) + ": y\r\n";
  EXPECT_TRUE(test.client(0, fields)->is_open()) << "ten, with those of every handshake";
  EXPECT_EQ(refusal(test, fields + "One-More: y\r\n"), "HTTP/1.1 431");
  EXPECT_EQ(hits(test, "header"), 2U);
}

// threats: never-finished handshake
TEST(Limits, HandshakeTime) {
  GatewayOptions options = TestGateway::options();
  options.handshake_timeout = milliseconds(300);
  TestGateway test(options);
  const auto worker = test.worker();
  WebSocketPeer silent(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return silent.ended(); }));
  EXPECT_EQ(hits(test, "handshake_time"), 1U);
}

TEST(Limits, FirstBindOrGroup) {
  GatewayOptions options = TestGateway::options();
  options.first_bind_timeout = milliseconds(1000);
  TestGateway test(options);
  const auto worker = test.worker("test:0", true);
  const auto stranger = test.client();
  const auto named = test.client();
  const auto member = test.client();
  const auto ids = worker->events(Command::on_connect);
  worker->send(Command::bind_uid, ids.at(1).header.connection_id, "u1", {});
  worker->send(Command::join_group, ids.at(2).header.connection_id, "room", {});
  ASSERT_TRUE(test.until([&] { return stranger->ended(); }));
  EXPECT_EQ(stranger->close_code, wire::close_code::kPolicy);
  net::testing::run_for(test.loop, milliseconds(1200));
  EXPECT_FALSE(named->ended());
  EXPECT_FALSE(member->ended());
  EXPECT_EQ(hits(test, "first_bind"), 1U);
}

TEST(Limits, MessagesPerSecondClose) {
  GatewayOptions options = TestGateway::options();
  options.max_messages_per_second = 10;
  options.over_rate = RateAction::close;
  TestGateway test(options);
  const auto worker = test.worker("test:0", true);
  const auto good = test.client();
  for (int i = 0; i < 10; ++i) good->say("x");
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 10; }));
  EXPECT_FALSE(good->ended());
  const auto bad = test.client();
  std::string burst;
  for (int i = 0; i < 11; ++i) burst += WebSocketPeer::frame("y");
  bad->write(burst);
  ASSERT_TRUE(test.until([&] { return bad->ended(); }));
  EXPECT_EQ(bad->close_code, wire::close_code::kPolicy);
  EXPECT_EQ(worker->said().size(), 20U) << "what was one too many is not delivered";
  EXPECT_EQ(hits(test, "message_rate"), 1U);
}

TEST(Limits, MessagesPerSecondDelay) {
  GatewayOptions options = TestGateway::options();
  options.max_messages_per_second = 20;
  TestGateway test(options);
  const auto worker = test.worker();
  const auto client = test.client();
  std::string burst;
  for (int i = 0; i < 30; ++i) burst += WebSocketPeer::frame(std::to_string(i));
  const auto start = std::chrono::steady_clock::now();
  client->write(burst);
  ASSERT_TRUE(test.until([&] { return worker->said().size() >= 20; }));
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 30; }));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(450)) << "ten more take half a second";
  EXPECT_FALSE(client->ended());
  EXPECT_GE(hits(test, "message_rate"), 1U);
  for (std::size_t i = 0; i < 30; ++i) EXPECT_EQ(worker->said()[i], std::to_string(i));
}

TEST(Limits, BytesPerSecond) {
  GatewayOptions options = TestGateway::options();
  options.max_bytes_per_second = 10'000;
  options.over_rate = RateAction::close;
  TestGateway test(options);
  const auto worker = test.worker();
  const auto good = test.client();
  good->say(std::string(10'000 - 8, 'x'));
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 1; }));
  EXPECT_FALSE(good->ended());
  const auto bad = test.client();
  bad->say(std::string(10'000 - 7, 'x'));
  ASSERT_TRUE(test.until([&] { return bad->ended(); }));
  EXPECT_EQ(bad->close_code, wire::close_code::kPolicy);
  EXPECT_EQ(hits(test, "byte_rate"), 1U);
  EXPECT_EQ(worker->said().size(), 1U);
}

// Found by review: only what came was counted, and a compressed message brings a thousand times as much to the business.
TEST(Limits, BytesPerSecondCountWhatIsInflated) {
  GatewayOptions options = TestGateway::options();
  options.max_bytes_per_second = 10'000;
  options.over_rate = RateAction::close;
  options.deflate = true;
  TestGateway test(options);
  const auto worker = test.worker();
  const auto send = [&](std::size_t size) {
    auto client = test.client(0, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    wire::Deflater deflater(6, 15);
    std::string frame = WebSocketPeer::frame(deflater.deflate(std::string(size, 'x'), false));
    frame[0] = static_cast<char>(static_cast<unsigned char>(frame[0]) | 0x40U);
    client->write(frame);
    return client;
  };
  const auto good = send(10'000 - 6);  // with the header of its frame, which is masked
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 1; }));
  EXPECT_FALSE(good->ended());
  const auto bad = send(10'000 - 5);
  ASSERT_TRUE(test.until([&] { return bad->ended(); }));
  EXPECT_EQ(bad->close_code, wire::close_code::kPolicy);
  EXPECT_EQ(hits(test, "byte_rate"), 1U);
  EXPECT_EQ(worker->said().size(), 1U);
}

TEST(Limits, BytesOfAMessage) {
  GatewayOptions options = TestGateway::options();
  options.max_package_size = 5000;
  TestGateway test(options);
  const auto worker = test.worker();
  const auto good = test.client();
  good->say(std::string(5000, 'x'));
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 1; }));
  EXPECT_EQ(hits(test, "message_size"), 0U);
  const auto bad = test.client();
  bad->say(std::string(5001, 'x'));
  ASSERT_TRUE(test.until([&] { return bad->ended(); }));
  EXPECT_EQ(bad->close_code, wire::close_code::kTooBig);
  EXPECT_EQ(hits(test, "message_size"), 1U);
}

// threats: many tiny or empty fragments
TEST(Limits, FragmentsOfAMessage) {
  GatewayOptions options = TestGateway::options();
  options.max_fragments = 100;
  TestGateway test(options);
  const auto worker = test.worker();
  const auto send = [&](WebSocketPeer& client, int count) {
    std::string frames;
    for (int i = 0; i < count; ++i)
      frames += WebSocketPeer::frame("x", i == 0 ? wire::Opcode::text : wire::Opcode::continuation, i + 1 == count);
    client.write(frames);
  };
  const auto good = test.client();
  send(*good, 100);
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({std::string(100, 'x')}); }));
  const auto bad = test.client();
  send(*bad, 101);
  ASSERT_TRUE(test.until([&] { return bad->ended(); }));
  EXPECT_EQ(bad->close_code, wire::close_code::kPolicy);
  EXPECT_EQ(hits(test, "fragments"), 1U);
}

// threats: many tiny or empty fragments
TEST(Limits, UnfinishedMessagesOfAllClients) {
  GatewayOptions options = TestGateway::options();
  options.unfinished_messages_size = 1'300'000;
  TestGateway test(options);
  const auto worker = test.worker();
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
  // In fragments, and as frames whose end does not come: both are held.
  for (int i = 0; i < 8; ++i) {
    clients.push_back(test.client());
    const std::string frame = WebSocketPeer::frame(std::string(100'000, 'x'), wire::Opcode::binary, i % 2 == 1);
    clients.back()->write(i % 2 == 0 ? frame : frame.substr(0, frame.size() - 1));
    ASSERT_TRUE(test.until([&] {
      clients.back()->pump();
      return clients.back()->unwritten() == 0;
    }));
  }
  test.settle();
  EXPECT_EQ(hits(test, "unfinished_messages"), 0U);
  for (auto& client : clients) EXPECT_FALSE(client->ended());
  const auto greedy = test.client();
  greedy->write(WebSocketPeer::frame(std::string(800'000, 'x'), wire::Opcode::binary, false));
  ASSERT_TRUE(test.until([&] { return greedy->ended(); }));
  EXPECT_EQ(greedy->close_code, wire::close_code::kTryLater);
  EXPECT_EQ(hits(test, "unfinished_messages"), 1U);
  // The others finish what they have begun.
  clients[0]->write(WebSocketPeer::frame("end", wire::Opcode::continuation));
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 1; }));
}

/// Of a message of 900,000 bytes the first `size`, header and all.
void hold(TestGateway& test, WebSocketPeer& client, std::size_t size) {
  static const std::string kFrame = WebSocketPeer::frame(std::string(900'000, 'x'), wire::Opcode::binary);
  client.write(std::string_view(kFrame).substr(0, size));
  ASSERT_TRUE(test.until([&] {
    client.pump();
    return client.unwritten() == 0;
  }));
  test.settle();
}

// A few connections filled the limit and cost their owner nothing from then on, and every honest client whose message came in two
// pieces was closed.
TEST(Limits, UnfinishedMessagesOfAFewDoNotKeepTheOthersFromSpeaking) {
  GatewayOptions options = TestGateway::options();
  options.unfinished_messages_size = 1'000'000;
  TestGateway test(options);
  const auto worker = test.worker();
  constexpr std::size_t kShare = UnfinishedMessages::kShare;
  std::vector<std::unique_ptr<WebSocketPeer>> greedy;
  for (int i = 0; i < 4; ++i) {
    greedy.push_back(test.client());
    hold(test, *greedy.back(), kShare + 250'000);
  }
  EXPECT_EQ(hits(test, "unfinished_messages"), 0U) << "that is the limit";

  const auto in_two_pieces = [&](std::size_t size) {
    const auto honest = test.client();
    const std::string frame = WebSocketPeer::frame(std::string(size, 'x'));
    const std::size_t before = worker->said().size();
    honest->write(frame.substr(0, frame.size() - 1));
    test.settle();
    EXPECT_FALSE(honest->ended()) << size;
    honest->write(frame.substr(frame.size() - 1));
    ASSERT_TRUE(test.until([&] { return worker->said().size() > before; })) << size;
  };
  in_two_pieces(2);
  in_two_pieces(1000);
  in_two_pieces(kShare - 10);
  EXPECT_EQ(hits(test, "unfinished_messages"), 0U) << "everybody's share is free";
  in_two_pieces(100'000);
  EXPECT_EQ(hits(test, "unfinished_messages"), 1U);
  std::size_t ended = 0;
  for (auto& each : greedy) {
    if (!each->ended()) continue;
    ++ended;
    EXPECT_EQ(each->close_code, wire::close_code::kTryLater);
  }
  EXPECT_EQ(ended, 1U) << "one of those who held much has gone";
}

TEST(Limits, UnfinishedMessagesAtTheLimitAndOnePastIt) {
  GatewayOptions options = TestGateway::options();
  options.unfinished_messages_size = 400'000;
  TestGateway test(options);
  const auto worker = test.worker();
  constexpr std::size_t kShare = UnfinishedMessages::kShare;
  const auto much = test.client();
  const auto little = test.client();
  hold(test, *much, kShare + 300'000);
  hold(test, *little, kShare + 100'000);
  EXPECT_FALSE(much->ended());
  EXPECT_EQ(hits(test, "unfinished_messages"), 0U);
  little->write("x");
  ASSERT_TRUE(test.until([&] { return much->ended(); }));
  EXPECT_EQ(much->close_code, wire::close_code::kTryLater);
  EXPECT_FALSE(little->ended()) << "who added to it is not the one who holds most";
  EXPECT_EQ(hits(test, "unfinished_messages"), 1U);
}

TEST(Limits, UnfinishedMessagesOfEveryProtocolLeaveRoomForOthers) {
  for (const char* scheme : {"text", "frame"}) {
    GatewayOptions options = TestGateway::options();
    options.unfinished_messages_size = 100'000;
    TestGateway test(options, wire::make_stream_protocol(scheme));
    const auto worker = test.worker();
    // 500,000 bytes in all, says the frame protocol's length; to text it is a line.
    const std::string words = std::string("\0\x07\xa1\x20", 4) + std::string(120'000, 'x');
    Peer greedy(test.client_endpoint);
    greedy.write(std::string_view(words).substr(0, 110'000));
    test.settle();
    EXPECT_FALSE(greedy.ended()) << scheme;
    const bool is_text = scheme == std::string_view("text");
    const std::string message = is_text ? "hello\n" : std::string("\0\0\0\x09hello", 9);
    Peer honest(test.client_endpoint);
    honest.write(message.substr(0, message.size() - 1));
    greedy.write(std::string_view(words).substr(110'000));
    ASSERT_TRUE(test.until([&] { return greedy.ended(); })) << scheme;
    EXPECT_EQ(hits(test, "unfinished_messages"), 1U);
    honest.write(message.substr(message.size() - 1));
    ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"hello"}); })) << scheme;
  }
}

// A client that had sent a message in fragments and then nothing more kept its memory, and it counted.
TEST(Limits, UnfinishedMessagesAreNotThoseThatWereDelivered) {
  GatewayOptions options = TestGateway::options();
  options.unfinished_messages_size = 300'000;
  options.message_timeout = milliseconds(500);
  TestGateway test(options);
  const auto worker = test.worker();
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(test.client());
    clients.back()->write(WebSocketPeer::frame(std::string(100'000, 'x'), wire::Opcode::binary, false) +
                          WebSocketPeer::frame("end", wire::Opcode::continuation));
  }
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 5; }));
  net::testing::run_for(test.loop, milliseconds(2500));
  for (auto& client : clients) EXPECT_FALSE(client->ended());
  EXPECT_EQ(hits(test, "unfinished_messages") + hits(test, "message_time"), 0U);
}

TEST(Limits, MessageTime) {
  GatewayOptions options = TestGateway::options();
  options.message_timeout = milliseconds(700);
  TestGateway test(options);
  const auto worker = test.worker();
  const auto silent = test.client();  // who is not in the middle of anything may be silent
  silent->say("whole");
  const auto frame = test.client();
  frame->write(WebSocketPeer::frame("hello").substr(0, 7));
  const auto header = test.client();
  header->write("\x81");
  const auto fragments = test.client();
  fragments->write(WebSocketPeer::frame("hello", wire::Opcode::text, false));
  ASSERT_TRUE(test.until([&] {
    fragments->write(WebSocketPeer::frame("", wire::Opcode::ping));  // is no progress
    return frame->ended() && header->ended() && fragments->ended();
  }));
  for (const auto* each : {&frame, &header, &fragments}) EXPECT_EQ((*each)->close_code, wire::close_code::kPolicy);
  EXPECT_EQ(hits(test, "message_time"), 3U);
  EXPECT_FALSE(silent->ended());
  silent->say("again");
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"whole", "again"}); }));
}

TEST(Limits, MessageTimeOfEveryProtocol) {
  for (const char* scheme : {"text", "frame"}) {
    GatewayOptions options = TestGateway::options();
    options.message_timeout = milliseconds(300);
    TestGateway test(options, wire::make_stream_protocol(scheme));
    const auto worker = test.worker();
    Peer half(test.client_endpoint);
    half.write(std::string_view("\0\0\0\x09he", 6));
    ASSERT_TRUE(test.until([&] { return half.ended(); })) << scheme;
    EXPECT_EQ(hits(test, "message_time"), 1U);
  }
}

TEST(Limits, MessageTimeCanBeSwitchedOff) {
  GatewayOptions options = TestGateway::options();
  options.message_timeout = milliseconds(0);
  TestGateway test(options);
  const auto worker = test.worker();
  const auto slow = test.client();
  slow->write(WebSocketPeer::frame("hello").substr(0, 7));
  net::testing::run_for(test.loop, milliseconds(2200));
  slow->write(WebSocketPeer::frame("hello").substr(7));
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"hello"}); }));
}

// The time of one that is not read from is not its own.
TEST(Limits, MessageTimeDoesNotRunWhileAClientIsDelayed) {
  GatewayOptions options = TestGateway::options();
  options.message_timeout = milliseconds(300);
  options.max_messages_per_second = 1;
  TestGateway test(options);
  const auto worker = test.worker();
  const auto client = test.client();
  client->write(WebSocketPeer::frame("one") + WebSocketPeer::frame("two") + WebSocketPeer::frame("three"));
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"one", "two", "three"}); }));
  EXPECT_EQ(hits(test, "message_time"), 0U);
}

// Found by review: what inner connections had not finished counted too, and an innocent client was closed for it.
TEST(Limits, UnfinishedMessagesOfWorkersAreNotTheClients) {
  GatewayOptions options = TestGateway::options();
  options.unfinished_messages_size = 1'000'000;
  TestGateway test(options);
  const auto worker = test.worker();
  InnerPeer busy(test.inner_endpoint);
  std::string frame;
  wire::append_gateway_frame(frame, {.command = Command::send_to_all}, {}, std::string(3'000'000, 'x'));
  busy.write(frame.substr(0, frame.size() - 1));
  ASSERT_TRUE(test.until([&] {
    busy.pump();
    return busy.unwritten() == 0;
  }));
  test.settle();
  const auto client = test.client();
  const std::string half = WebSocketPeer::frame("hello");
  client->write(half.substr(0, 3));
  test.settle();
  EXPECT_FALSE(client->ended());
  client->write(half.substr(3));
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({"hello"}); }));
  EXPECT_EQ(hits(test, "unfinished_messages"), 0U);
}

// Found by review: so did whole messages of clients that are not read from for the moment.
TEST(Limits, MessagesOfDelayedClientsAreNotUnfinished) {
  GatewayOptions options = TestGateway::options();
  options.unfinished_messages_size = 200'000;
  options.max_messages_per_second = 1;
  TestGateway test(options);
  const auto worker = test.worker();
  std::vector<std::unique_ptr<WebSocketPeer>> delayed;
  for (int i = 0; i < 4; ++i) {
    delayed.push_back(test.client());
    std::string flood;
    while (flood.size() < 100'000) flood += WebSocketPeer::frame(std::string(1000, 'x'));
    delayed.back()->write(flood);
  }
  ASSERT_TRUE(test.until([&] { return worker->said().size() == 4; }));
  EXPECT_GT(test.gateway->status().unread_bytes, 200'000U);
  const auto client = test.client();
  client->write(WebSocketPeer::frame("hello").substr(0, 3));
  test.settle();
  EXPECT_FALSE(client->ended());
  EXPECT_EQ(hits(test, "unfinished_messages"), 0U);
}

// threats: the inner port
TEST(Limits, StrangersAtTheInnerPortHaveTheirTime) {
  GatewayOptions options = TestGateway::options();
  options.secret_key = "s";
  options.inner_connect_timeout = milliseconds(300);
  TestGateway test(options);
  test.secret = "s";
  const auto worker = test.worker();
  InnerPeer silent(test.inner_endpoint);
  InnerPeer half(test.inner_endpoint);
  half.write(std::string("\0\0\0\x40\xca", 5));
  ASSERT_TRUE(test.until([&] { return silent.ended() && half.ended(); }));
  EXPECT_EQ(hits(test, "inner_connect"), 2U);
  EXPECT_FALSE(worker->ended());
  test.settle();
}

class SlowReader : public ::testing::Test {
 protected:
  void begin(SendBufferPolicy policy) {
    GatewayOptions options = TestGateway::options();
    options.send_to_client_buffer_size = 200'000;
    options.send_buffer_policy = policy;
    test = std::make_unique<TestGateway>(options);
    worker = test->worker("test:0", true);
    commander = test->commander();
    client = test->client(4096);
    client->reading = false;
    id = worker->events(Command::on_connect).at(0).header.connection_id;
  }
  static std::string message(int number) { return std::to_string(number) + " " + std::string(20'000, '.'); }
  void command(Command what, std::uint32_t connection_id, std::string_view body, std::uint8_t flags = wire::flag::kScalar) {
    commander->send(what, connection_id, {}, body, flags);
  }
  /// Runs the loop until all commands have been carried out: a question stands behind them.
  void carry_out() {
    const std::size_t before = commander->answers().size();
    commander->send(Command::get_client_count_by_group, 0, {}, {});
    ASSERT_TRUE(test->until([&] { return commander->answers().size() > before; }));
  }
  /// Sends until messages have been dropped, then 20 more, to one and to all in turns.
  int flood() {
    int sent = 0;
    int more = 20;
    while (more > 0 && sent < 2000) {
      command(sent % 2 == 0 ? Command::send_to_all : Command::send_to_one, sent % 2 == 0 ? 0 : id, message(sent));
      ++sent;
      carry_out();
      if (hits(*test, "send_buffer") > 0) --more;
    }
    return sent;
  }
  /// Sends until the kernel takes no more, also a little later, and some bytes wait here.
  void fill_the_kernel() {
    const auto queued = [&] { return test->gateway->status().queued_bytes; };
    std::size_t before = 0;
    do {
      while (queued() < 20'000 && flooded < 2000) {
        command(Command::send_to_all, 0, message(static_cast<int>(flooded++)));
        carry_out();
      }
      before = queued();
      net::testing::run_for(test->loop, milliseconds(50));
    } while (queued() != before && flooded < 2000);
    ASSERT_GT(queued(), 0U);
    ASSERT_LT(queued(), 100'000U);
  }
  void say_keyed(const std::string& text, const std::string& key) {
    std::string body = text;
    body.resize(text.size() + wire::key_suffix_size(key));
    wire::write_key_suffix(body.data() + text.size(), key);
    command(Command::send_to_one, id, body, wire::flag::kScalar | wire::flag::kKeyed);
  }
  /// How many messages have come: reading through all of them each time would take longer than they take to come.
  std::size_t come() {
    client->poll();
    return client->messages.size();
  }
  std::vector<int> numbers() {
    std::vector<int> out;
    for (const std::string& text : client->texts()) {
      EXPECT_EQ(text, message(std::stoi(text)));
      out.push_back(std::stoi(text));
    }
    return out;
  }

  std::unique_ptr<TestGateway> test;
  std::unique_ptr<InnerPeer> worker;
  std::unique_ptr<InnerPeer> commander;
  std::unique_ptr<WebSocketPeer> client;
  std::uint32_t id = 0;
  std::size_t flooded = 0;  // messages by which the kernel was filled
};

// threats: slow reader
TEST_F(SlowReader, DropNewestKeepsWhatWaits) {
  begin(SendBufferPolicy::drop_newest);
  const int sent = flood();
  client->reading = true;
  const auto before = test->gateway->status().send_failures;
  EXPECT_GE(before, 10U);
  ASSERT_TRUE(test->until([&] { return come() + before == static_cast<std::size_t>(sent); }))
      << come() << " came and " << before << " were dropped of " << sent;
  const auto got = numbers();
  // The kernel may take a little more now and then, which lets one of the later ones in.
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (i + 10 < got.size()) {
      EXPECT_EQ(got[i], static_cast<int>(i)) << "the first ones, without a gap";
    }
    if (i > 0) {
      EXPECT_LT(got[i - 1], got[i]);
    }
  }
  command(Command::send_to_one, id, message(7));
  ASSERT_TRUE(test->until([&] { return come() == got.size() + 1; }));
}

// threats: slow reader
TEST_F(SlowReader, DropOldestKeepsTheLatest) {
  begin(SendBufferPolicy::drop_oldest);
  const int sent = flood();
  EXPECT_LE(test->gateway->status().queued_bytes, 200'000U + 21'000U);
  client->reading = true;
  ASSERT_TRUE(
      test->until([&] { return come() > 0 && client->messages.back().text.starts_with(std::to_string(sent - 1) + " "); }));
  const auto got = numbers();
  EXPECT_LT(got.size(), static_cast<std::size_t>(sent));
  for (std::size_t i = 1; i < got.size(); ++i) EXPECT_LT(got[i - 1], got[i]);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(got[got.size() - 1 - static_cast<std::size_t>(i)], sent - 1 - i) << "the last ones, without a gap";
  EXPECT_EQ(test->gateway->status().send_failures + got.size(), static_cast<std::uint64_t>(sent));
}

// threats: slow reader
TEST_F(SlowReader, KeepLatestIsExactAtTheLimit) {
  begin(SendBufferPolicy::keep_latest);
  fill_the_kernel();
  const auto state = [&] { return test->gateway->status(); };
  // Each costs 1,004 bytes as a frame, 64 to keep it, and its key.
  const auto keyed = [&](int number, const std::string& key) {
    say_keyed(std::to_string(number) + std::string(1000 - std::to_string(number).size(), '.'), key);
  };
  const std::size_t before = state().queued_bytes;
  constexpr std::size_t kCost = 1004 + 64 + 4;
  const int fit = static_cast<int>((200'000 - before + kCost - 1) / kCost);
  for (int i = 0; i < fit; ++i) keyed(i, "key" + std::to_string(i % 10));
  carry_out();
  EXPECT_EQ(hits(*test, "send_buffer"), 0U);
  EXPECT_EQ(state().send_failures, 0U) << "below the limit nothing is dropped";
  EXPECT_EQ(state().queued_bytes, before + 1004U * static_cast<unsigned>(fit));
  keyed(fit, "key0");
  carry_out();
  EXPECT_EQ(hits(*test, "send_buffer"), 1U);
  EXPECT_EQ(state().queued_bytes, before + 1004U * 10) << "the latest of ten keys";
  EXPECT_EQ(state().send_failures, static_cast<unsigned>(fit) - 9U);
  client->reading = true;
  ASSERT_TRUE(test->until([&] { return come() >= flooded + 10; }));
  std::vector<int> got;
  for (std::size_t i = flooded; i < client->messages.size(); ++i) got.push_back(std::stoi(client->messages[i].text));
  std::sort(got.begin(), got.end());
  // How many fit depends on where the kernel's buffer ended; the last one took the place of the latest with its key.
  std::vector<int> expected;
  for (int number = fit - 10; number < fit; ++number) {
    if (number % 10 != 0) expected.push_back(number);
  }
  expected.push_back(fit);
  EXPECT_EQ(got, expected);
  // It has read: every message comes again.
  for (int i = 0; i < 5; ++i) say_keyed("again " + std::to_string(i), "key0");
  ASSERT_TRUE(test->until([&] { return come() == flooded + 15; }));
}

// threats: slow reader
TEST_F(SlowReader, KeepLatestNeverDropsWhatHasNoKey) {
  begin(SendBufferPolicy::keep_latest);
  fill_the_kernel();
  const std::string value(5000, 'v');
  say_keyed("1" + value, "k");
  say_keyed("2" + value, "k");
  int sent = 0;
  while (hits(*test, "send_buffer") == 0 && sent < 100) {
    command(Command::send_to_all, 0, message(sent++));
    carry_out();
  }
  ASSERT_EQ(hits(*test, "send_buffer"), 1U);
  // The value that is out of date made room or did not: either way the client is closed before anything else is lost.
  for (int i = 0; i < 3; ++i) command(Command::send_to_all, 0, message(sent++));
  carry_out();
  EXPECT_EQ(test->gateway->status().connections, 0U);
  ASSERT_TRUE(test->until([&] { return worker->count(Command::on_close) == 1; }));
  const auto close = worker->events(Command::on_close);
  EXPECT_EQ(static_cast<CloseReason::Cause>(close[0].body.at(0)), CloseReason::Cause::slow_consumer);
}

// threats: slow reader
TEST_F(SlowReader, KeysMeanNothingToOtherPolicies) {
  begin(SendBufferPolicy::drop_newest);
  fill_the_kernel();
  for (int i = 0; i < 40; ++i) say_keyed(message(i), "k");
  carry_out();
  EXPECT_GT(test->gateway->status().queued_bytes, 200'000U);
  EXPECT_GT(test->gateway->status().send_failures, 0U);
  client->reading = true;
  ASSERT_TRUE(test->until([&] { return come() >= flooded + 9; }));
  EXPECT_EQ(client->messages.at(flooded).text, message(0)) << "the key is not sent";
}

// threats: slow reader
TEST_F(SlowReader, KeepLatestWithCompression) {
  GatewayOptions options = TestGateway::options();
  options.send_to_client_buffer_size = 50'000;
  options.send_buffer_policy = SendBufferPolicy::keep_latest;
  options.deflate = true;
  options.deflate_context_takeover = true;
  test = std::make_unique<TestGateway>(options);
  worker = test->worker("test:0", true);
  commander = test->commander();
  client = test->client(4096, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  id = worker->events(Command::on_connect).at(0).header.connection_id;
  client->reading = false;
  // Messages with a context, and among them those with a key, of which some go.
  std::string noise;
  std::uint32_t state = 1;
  for (int i = 0; i < 3000; ++i) noise += static_cast<char>('a' + ((state = state * 1664525U + 1013904223U) >> 24U) % 26U);
  std::vector<std::string> plain;
  for (int i = 0, after = 0; i < 4000 && after < 300; ++i) {
    std::rotate(noise.begin(), noise.begin() + 37, noise.end());
    const std::string text = std::to_string(i) + noise;
    if (i % 100 == 0) {
      plain.push_back("plain " + text);
      command(Command::send_to_one, id, plain.back());
    } else {
      say_keyed(text, "key" + std::to_string(i % 3));
    }
    if (i % 20 == 0) carry_out();
    if (hits(*test, "send_buffer") > 0) ++after;
  }
  carry_out();
  ASSERT_GE(hits(*test, "send_buffer"), 1U);
  ASSERT_FALSE(client->ended());
  client->reading = true;
  command(Command::send_to_one, id, "the end");
  ASSERT_TRUE(test->until([&] {
    return come() > 0 && client->messages.back().text == "the end";  // which inflates them all
  }));
  std::vector<std::string> came;
  for (const std::string& text : client->texts()) {
    if (text.starts_with("plain ")) came.push_back(text);
  }
  EXPECT_EQ(came, plain) << "none of them is missing, and all in order";
  EXPECT_GT(test->gateway->status().send_failures, 0U);
}

// threats: slow reader
TEST_F(SlowReader, DropOldestBoundsEmptyMessagesToo) {
  begin(SendBufferPolicy::drop_oldest);
  flood();
  for (int i = 0; i < 20'000; ++i) command(Command::send_to_one, id, "");
  carry_out();
  EXPECT_LE(test->gateway->status().queued_bytes, 200'000U);
  EXPECT_GE(test->gateway->status().send_failures, 16'000U) << "each costs 66 bytes of the 200,000";
}

}  // namespace
}  // namespace gatehouse::gateway
