// What one client may have done for it before others have their turn.
#include "gateway/turns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gateway/acking_worker_test_support.h"
#include "gateway/gateway_test_support.h"
#include "wire/deflate.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using wire::Opcode;
using Strings = std::vector<std::string>;

std::string times(const std::string& bytes, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += bytes;
  return out;
}

std::string tiny_messages(int count) { return times(WebSocketPeer::frame("x"), count); }

/// Without a copy: some are of a megabyte.
std::size_t messages_at(const InnerPeer& worker) {
  return static_cast<std::size_t>(std::count_if(worker.frames.begin(), worker.frames.end(), [](const InnerPeer::Frame& frame) {
    return frame.header.command == wire::Command::on_message;
  }));
}

/// How many messages of others a worker gets before the one that a client says at the same moment as `flood` is said by another.
/// Both are there before the gateway looks.
std::size_t messages_before_an_honest_one(const std::string& flood, std::size_t in_all, const GatewayOptions& options,
                                          std::string_view fields = {}) {
  TestGateway test(options);
  const auto worker = test.worker();
  const auto hostile = test.client(0, fields);
  const auto honest = test.client();
  hostile->write(flood);
  honest->say("honest");
  EXPECT_TRUE(test.until([&] {
    hostile->pump();
    worker->poll();
    return messages_at(*worker) == in_all + 1;
  }));
  const Strings said = worker->said();
  return static_cast<std::size_t>(std::find(said.begin(), said.end(), "honest") - said.begin());
}

TEST(Turns, NobodyWaitsForManyTinyMessages) {
  // Each turn has room for a turn's work and what it overdraws; the honest one is served in the same iteration or in the next.
  constexpr std::size_t kInATurn = Turns::kWork / Turns::kMessage;
  EXPECT_LE(messages_before_an_honest_one(tiny_messages(20'000), 20'000, TestGateway::options()), 3 * kInATurn);
}

TEST(Turns, NobodyWaitsForManyEmptyFragments) {
  const std::string message = WebSocketPeer::frame("", Opcode::text, false) +
                              times(WebSocketPeer::frame("", Opcode::continuation, false), 1000) +
                              WebSocketPeer::frame("", Opcode::continuation);
  EXPECT_LE(messages_before_an_honest_one(times(message, 20), 20, TestGateway::options()), 3U);
}

TEST(Turns, NobodyWaitsForMessagesThatInflate) {
  GatewayOptions options = TestGateway::options();
  options.deflate = true;
  wire::Deflater deflater(6, 15);
  std::string frame = WebSocketPeer::frame(deflater.deflate(std::string(1'000'000, '\0'), false), Opcode::binary);
  frame[0] = static_cast<char>(frame[0] | 0x40);
  EXPECT_LE(messages_before_an_honest_one(times(frame, 10), 10, options, "Sec-WebSocket-Extensions: permessage-deflate\r\n"), 2U);
}

TEST(Turns, WhoDoesNotReadItsPongsIsHeardAllTheSame) {
  TestGateway test;
  const auto worker = test.worker();
  const auto client = test.client(4096);
  client->reading = false;
  const std::string pings = times(WebSocketPeer::frame(std::string(125, 'p'), Opcode::ping), 2'000);
  // Until the kernel takes no more pongs, and what the gateway may hold of them is full.
  for (int i = 0; i < 5; ++i) client->write(pings);
  client->say("here");
  ASSERT_TRUE(test.until([&] {
    client->pump();
    return worker->said().size() == 1;
  }));
}

TEST(Turns, NobodyWaitsForMessagesOfAnotherProtocol) {
  TestGateway test(TestGateway::options(), wire::make_stream_protocol("text"));
  const auto worker = test.worker();
  Peer hostile(test.client_endpoint);
  Peer honest(test.client_endpoint);
  hostile.write(times("x\n", 20'000));
  honest.write("honest\n");
  ASSERT_TRUE(test.until([&] {
    hostile.pump();
    return worker->said().size() == 20'001;
  }));
  const Strings said = worker->said();
  EXPECT_LE(std::find(said.begin(), said.end(), "honest") - said.begin(), 3 * Turns::kWork / Turns::kMessage);
}

TEST(Turns, AWorkerHasTwoTurnsOfOneClientAtMost) {
  TestGateway test;
  AckingWorker worker(test, "w:0");
  const auto client = test.client();
  client->write(tiny_messages(5'000));
  constexpr std::size_t kInATurn = Turns::kWork / Turns::kMessage;
  ASSERT_TRUE(test.until([&] { return worker.said().size() >= 2 * kInATurn; }));
  test.settle();
  test.settle();
  const std::size_t first = worker.said().size();
  EXPECT_LE(first, 3 * kInATurn) << "and what was on its way";
  // Somebody else is served meanwhile.
  const auto other = test.client();
  other->say("other");
  ASSERT_TRUE(test.until([&] { return worker.said().size() == first + 1; }));
  EXPECT_EQ(worker.said().back(), "other");
  // All of it comes, as the worker finishes what it has.
  ASSERT_TRUE(test.until([&] {
    worker.finish_all();
    return worker.said().size() == 5'001;
  }));
}

TEST(Turns, AClientThatWaitsForAWorkerThatDiesGoesOnWithAnother) {
  TestGateway test;
  auto worker = std::make_unique<AckingWorker>(test, "w:0");
  const auto client = test.client();
  client->write(tiny_messages(2'000));
  ASSERT_TRUE(test.until([&] { return worker->said().size() >= 2 * Turns::kWork / Turns::kMessage; }));
  test.settle();
  worker->die();
  test.settle();
  AckingWorker next(test, "w:1");
  ASSERT_TRUE(test.until([&] {
    next.finish_all();
    return next.said().size() == 2'000;
  }));
}

TEST(Turns, OneThatHasGoneIsForgotten) {
  TestGateway test;
  AckingWorker worker(test, "w:0");
  {
    const auto client = test.client();
    client->write(tiny_messages(2'000));
    ASSERT_TRUE(test.until([&] { return worker.said().size() >= 2 * Turns::kWork / Turns::kMessage; }));
    test.settle();
  }
  ASSERT_TRUE(test.until([&] {
    worker.finish_all();
    return test.gateway->status().connections == 0;
  }));
  EXPECT_EQ(worker.said().size(), 2'000U) << "what it had said counts";
}

}  // namespace
}  // namespace gatehouse::gateway
