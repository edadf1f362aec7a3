#include "gateway/compression.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/gateway_test_support.h"
#include "gateway/parts_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using wire::Command;
using Strings = std::vector<std::string>;

constexpr std::string_view kOffer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

GatewayOptions deflating() {
  GatewayOptions options = TestGateway::options();
  options.deflate = true;
  return options;
}

std::string chat(int number) {
  std::string out = "{\"number\":" + std::to_string(number) + ",\"text\":\"";
  for (int i = 0; i < 40; ++i) out += "word" + std::to_string(i * number % 97) + " ";
  return out + "\"}";
}

std::string deflated(std::string_view message, bool mark = true) {
  wire::Deflater deflater(6, 15);
  std::string frame = WebSocketPeer::frame(deflater.deflate(message, false));
  if (mark) frame[0] = static_cast<char>(static_cast<unsigned char>(frame[0]) | 0x40U);
  return frame;
}

TEST(Compression, IsAgreedOnOnlyWhenItIsOn) {
  TestGateway off;
  const auto off_worker = off.worker();
  EXPECT_EQ(off.client(0, kOffer)->head.find("Sec-WebSocket-Extensions"), std::string::npos);
  TestGateway on(deflating());
  const auto on_worker = on.worker();
  EXPECT_NE(on.client(0, kOffer)->head.find(
                "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"),
            std::string::npos);
  EXPECT_EQ(on.client()->head.find("Sec-WebSocket-Extensions"), std::string::npos);
  WebSocketPeer broken(on.client_endpoint);
  broken.shake_hands("/", "Sec-WebSocket-Extensions: permessage-deflate;\r\n");
  ASSERT_TRUE(on.until([&] { return broken.ended(); }));
  EXPECT_TRUE(broken.head.starts_with("HTTP/1.1 400 ")) << broken.head;
}

TEST(Compression, MessagesInBothDirections) {
  TestGateway test(deflating());
  const auto worker = test.worker("test:0", true);
  const auto client = test.client(0, kOffer);
  const std::uint32_t id = worker->events(Command::on_connect).at(0).header.connection_id;
  client->write(deflated(chat(1)) + WebSocketPeer::frame("plain") + deflated(chat(2)));
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({chat(1), "plain", chat(2)}); }));
  worker->send(Command::send_to_one, id, {}, chat(3));
  worker->send(Command::send_to_one, id, {}, "short");
  worker->send(Command::send_to_one, id, {}, chat(4), wire::flag::kScalar | wire::flag::kBinary);
  ASSERT_TRUE(test.until([&] { return client->texts() == Strings({chat(3), "short", chat(4)}); }));
  EXPECT_EQ(client->compressed, 2U);
  EXPECT_TRUE(client->messages[2].binary);
}

TEST(Compression, OneCompressionPerBroadcast) {
  Parts parts(nullptr, 1, std::make_unique<Compression>(Compression::Settings{}));
  for (std::uint32_t id = 1; id <= 6; ++id) {
    const std::uint32_t client = parts.add(id);
    parts.table[client].deflate_bits = id == 6 ? 0 : id == 5 ? 9 : 15;
  }
  const std::string message = chat(7);
  parts.run(Command::send_to_all, 0, {}, message);
  const std::string frame = parts.received(1);
  EXPECT_EQ(static_cast<unsigned char>(frame.at(0)), 0xC1U);
  EXPECT_LT(frame.size(), message.size());
  for (std::uint32_t id = 2; id <= 4; ++id) EXPECT_EQ(parts.received(id), frame);
  EXPECT_EQ(static_cast<unsigned char>(parts.received(5).at(0)), 0xC1U);
  EXPECT_EQ(parts.received(6), text(message));
  const Compression& compression = *parts.framing.compression();
  EXPECT_EQ(compression.counts().deflated, 2U) << "one for each size of window";
  parts.run(Command::send_to_all, 0, {}, std::string(255, 'x'));
  EXPECT_EQ(parts.received(1), text(std::string(255, 'x'))) << "below the threshold";
  parts.run(Command::send_to_all, 0, {}, std::string(256, 'x'));
  EXPECT_EQ(static_cast<unsigned char>(parts.received(1).at(0)), 0xC1U) << "at the threshold";
}

TEST(Compression, WhatIsSharedIsGivenBackWhenItIsNotUsed) {
  Compression compression({});
  ClientRecord client;
  client.deflate_bits = 15;
  EXPECT_TRUE(compression.is_idle());
  EXPECT_FALSE(compression.deflate_for(client, chat(1)).empty());
  compression.free_unused(100'000);
  compression.free_unused(100'000 + Compression::kIdleMs - 1);
  EXPECT_FALSE(compression.is_idle());
  compression.free_unused(100'000 + Compression::kIdleMs);
  EXPECT_TRUE(compression.is_idle());
  EXPECT_FALSE(compression.deflate_for(client, chat(1)).empty());
}

TEST(Compression, AContextMakesDirectMessagesSmallerAndSurvivesBroadcasts) {
  GatewayOptions options = deflating();
  options.deflate_context_takeover = true;
  TestGateway test(options);
  const auto worker = test.worker("test:0", true);
  const auto client = test.client(0, kOffer);
  ASSERT_EQ(client->head.find("no_context_takeover"), std::string::npos);
  const std::uint32_t id = worker->events(Command::on_connect).at(0).header.connection_id;
  Strings expected;
  const auto send = [&](Command command, const std::string& message) {
    worker->send(command, command == Command::send_to_one ? id : 0, {}, message);
    expected.push_back(message);
    EXPECT_TRUE(test.until([&] { return client->texts() == expected; }));
    return std::exchange(client->compressed_bytes, 0);
  };
  const std::size_t first = send(Command::send_to_one, chat(5));
  EXPECT_LT(send(Command::send_to_one, chat(5)), first / 4);
  EXPECT_EQ(send(Command::send_to_all, chat(5)), first) << "shared, so without the context";
  for (int i = 0; i < 40; ++i) send(i % 3 == 0 ? Command::send_to_all : Command::send_to_one, chat(i % 7 + 1));
  EXPECT_EQ(client->compressed, expected.size());
}

TEST(Compression, AClientMayKeepItsContextToo) {
  GatewayOptions options = deflating();
  options.deflate_context_takeover = true;
  TestGateway test(options);
  const auto worker = test.worker("test:0", true);
  const auto client = test.client(0, kOffer);
  wire::Deflater deflater(6, 15);
  Strings expected;
  for (int i = 0; i < 10; ++i) {
    expected.push_back(chat(i % 3 + 1));
    std::string frame = WebSocketPeer::frame(deflater.deflate(expected.back(), true));
    frame[0] = static_cast<char>(static_cast<unsigned char>(frame[0]) | 0x40U);
    client->write(frame);
  }
  ASSERT_TRUE(test.until([&] { return worker->said() == expected; }));
}

TEST(Compression, ContextsBeyondTheirMemoryAreNotAgreedOn) {
  Compression::Settings settings;
  settings.rules = {.context_takeover = true, .window_bits = 9};
  settings.max_context_bytes = 2 * (wire::Deflater::memory(9) + wire::Inflater::memory(9));
  Compression compression(settings);
  wire::HttpHead head;
  head.fields.emplace_back("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits");
  std::vector<ClientRecord> clients(3);
  for (std::uint32_t i = 0; i < 3; ++i) {
    clients[i].id = i + 1;
    EXPECT_EQ(compression.agree(clients[i], head).server_keeps_context, i < 2) << i;
    EXPECT_EQ(compression.counts().without_context, i < 2 ? 0U : 1U);
  }
  EXPECT_EQ(compression.context_bytes(), settings.max_context_bytes);
  compression.forget(clients[0]);
  ClientRecord again;
  again.id = 9;
  EXPECT_TRUE(compression.agree(again, head).server_keeps_context);
  for (const ClientRecord* client : {&clients[1], &clients[2], &again}) compression.forget(*client);
  EXPECT_EQ(compression.context_bytes(), 0U);
}

TEST(Compression, ClientsThatAreLetInWithoutAContextAreCounted) {
  GatewayOptions options = deflating();
  options.deflate_context_takeover = true;
  options.deflate_context_memory = wire::Deflater::memory(15) + wire::Inflater::memory(15);
  TestGateway test(options);
  const auto worker = test.worker();
  const auto first = test.client(0, kOffer);
  EXPECT_EQ(first->head.find("no_context_takeover"), std::string::npos);
  EXPECT_FALSE(test.gateway->status().limits.contains("deflate_contexts"));
  const auto second = test.client(0, kOffer);
  EXPECT_NE(second->head.find("server_no_context_takeover"), std::string::npos);
  EXPECT_EQ(test.gateway->status().limits.at("deflate_contexts"), 1U);
}

// threats: inflate bomb before authentication
TEST(Compression, AnInflateBombIsStoppedAtTheLimit) {
  GatewayOptions options = deflating();
  options.max_package_size = 100'000;
  TestGateway test(options);
  const auto worker = test.worker("test:0", true);
  const auto good = test.client(0, kOffer);
  good->write(deflated(std::string(100'000, 'x')));
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({std::string(100'000, 'x')}); }));
  for (const std::size_t size : {std::size_t{100'001}, std::size_t{64} << 20}) {
    const auto bad = test.client(0, kOffer);
    bad->write(deflated(std::string(size, '\0')));
    ASSERT_TRUE(test.until([&] { return bad->ended(); }));
    EXPECT_EQ(bad->close_code, wire::close_code::kTooBig);
  }
  EXPECT_EQ(worker->said().size(), 1U);
  EXPECT_FALSE(good->ended());
}

// threats: one frame ends the process
TEST(Compression, WhatIsNotDeflateCostsItsSenderTheConnection) {
  TestGateway test(deflating());
  const auto worker = test.worker("test:0", true);
  const auto other = test.client(0, kOffer);
  std::string garbage = WebSocketPeer::frame(std::string(50, '\xff'));
  garbage[0] = static_cast<char>(static_cast<unsigned char>(garbage[0]) | 0x40U);
  for (const std::string& frame :
       {garbage, deflated("ok \xed\xa0\x80 not text, and long enough to be compressed, compressed, compressed")}) {
    const auto bad = test.client(0, kOffer);
    bad->write(frame);
    ASSERT_TRUE(test.until([&] { return bad->ended(); }));
    EXPECT_EQ(bad->close_code, wire::close_code::kInvalidData);
  }
  EXPECT_EQ(worker->said(), Strings());
  other->write(deflated(chat(1)));
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings({chat(1)}); }));
}

}  // namespace
}  // namespace gatehouse::gateway
