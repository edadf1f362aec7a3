// What an idle client costs this process: the connection, its record, and their places in the tables. Not what the kernel keeps.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "base/heap_test_support.h"
#include "gateway/compression.h"
#include "gateway/gateway_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using wire::Command;

/// Clients as plain descriptors, and a worker whose events are thrown away: what the test itself allocates must not be counted.
class Crowd {
 public:
  static constexpr std::size_t kClients = 5000;
  static constexpr std::size_t kBatch =
      50;  // at a time, since the loop's pools keep what was in use at once (bounded per process)

  Crowd() {
    clients_.reserve(kClients);
    ids_.reserve(kClients);
    worker_.connect_as_worker("test:0");
    test_.settle();
    // What the first of all cost is not theirs, nor what the loop's pools keep of a burst, which is bounded for the whole
    // process.
    join(kBatch);
    burst();
  }

  void join(std::size_t count) {
    const std::string request = WebSocketPeer::request("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    for (std::size_t i = 0; i < count; ++i) {
      clients_.push_back(net::testing::RawPeer(test_.client_endpoint));
      ASSERT_TRUE(clients_.back().connected());
      clients_.back().write(request);
      if (clients_.size() % kBatch == 0) {
        for (std::size_t j = clients_.size() - kBatch; j < clients_.size(); ++j) read(j, 100);
      }
    }
    note_events();
  }
  /// Runs the loop until a client has been sent that many bytes.
  void read(std::size_t client, std::size_t bytes) {
    net::testing::RawPeer& peer = clients_[client];
    ASSERT_TRUE(test_.until([&] {
      note_events();
      peer.read();
      return peer.received.size() >= bytes;
    }));
    std::string().swap(peer.received);
  }
  void note_events() {
    worker_.poll();
    for (const InnerPeer::Frame& frame : worker_.frames) {
      if (frame.header.command == Command::on_websocket_connect) ids_.push_back(frame.header.connection_id);
    }
    std::vector<InnerPeer::Frame>().swap(worker_.frames);
    if (worker_.socket.received.empty()) std::string().swap(worker_.socket.received);
  }
  /// The heap after what was on its way has been dealt with, and handshakes are out of their deadlines.
  std::size_t settled_heap() {
    test_.settle();
    net::testing::run_for(test_.loop, std::chrono::milliseconds(2500));
    note_events();
    return gatehouse::testing::heap_bytes();
  }
  void name(std::size_t client) {
    worker_.send(Command::bind_uid, ids_[client], "user-" + std::to_string(client), {});
    worker_.send(Command::join_group, ids_[client], "room-" + std::to_string(client % 100), {});
    if (client % kBatch == 0) test_.settle();
  }
  void burst() {
    const std::string message(16 * 1024, 'x');
    const std::string frame = WebSocketPeer::frame(message);
    for (std::size_t first = 0; first < clients_.size(); first += kBatch) {
      for (std::size_t i = first; i < first + kBatch; ++i) {
        ASSERT_EQ(clients_[i].write(frame), frame.size());
        worker_.send(Command::send_to_one, ids_[i], {}, message);
      }
      for (std::size_t i = first; i < first + kBatch; ++i) read(i, message.size());
    }
  }
  [[nodiscard]] std::size_t size() const { return clients_.size(); }

 private:
  static GatewayOptions options() {
    GatewayOptions options = TestGateway::options();
    options.handshake_timeout = std::chrono::milliseconds(1000);
    // Agreed on with all of them, and not used, so that the bytes of a burst can be counted.
    options.deflate = true;
    options.deflate_threshold = 1024 * 1024;
    return options;
  }
  TestGateway test_{options()};
  InnerPeer worker_{test_.inner_endpoint};
  std::vector<net::testing::RawPeer> clients_;
  std::vector<std::uint32_t> ids_;
};

TEST(Memory, AnIdleClientCostsAtMost256BytesAnd384WithANameAndAGroup) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 2 * Crowd::kClients + 200);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur < 2 * Crowd::kClients + 200) GTEST_SKIP() << "only " << limit.rlim_cur << " descriptors are allowed";

  Crowd crowd;
  const std::size_t nobody = crowd.settled_heap();
  const std::size_t first = crowd.size();
  crowd.join(Crowd::kClients - first);
  const std::size_t count = crowd.size() - first;
  const auto each = [&](std::size_t heap) {
    return (static_cast<double>(heap) - static_cast<double>(nobody)) / static_cast<double>(count);
  };

  const double plain = each(crowd.settled_heap());
  std::cout << "heap bytes per idle client: " << plain << '\n';
  EXPECT_LE(plain, 256);

  crowd.burst();
  const double rested = each(crowd.settled_heap());
  std::cout << "after a burst: " << rested << '\n';
  EXPECT_LE(rested, 256);

  for (std::size_t i = 0; i < crowd.size(); ++i) crowd.name(i);
  const double named = each(crowd.settled_heap());
  std::cout << "with a uid and a group: " << named << '\n';
  EXPECT_LE(named, 384);

  crowd.burst();
  const double named_rested = each(crowd.settled_heap());
  std::cout << "after a burst: " << named_rested << '\n';
  EXPECT_LE(named_rested, 384);
}

// Found by review: each context kept what its last message had become, up to 64 KB in each direction, beside what was counted.
TEST(Memory, CompressionContextsTakeNoMoreThanTheyReserve) {
  Compression::Settings settings;
  settings.rules = {.context_takeover = true, .window_bits = 9};
  Compression compression(settings);
  wire::HttpHead head;
  head.fields.emplace_back("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits=9");
  std::string message;
  for (int i = 0; message.size() < 60'000; ++i) message += "{\"number\":" + std::to_string(i * 7919) + "}";
  wire::Deflater peer(1, 9);
  const std::string deflated(peer.deflate(message, false));
  std::vector<ClientRecord> clients(50);
  const std::size_t before = gatehouse::testing::heap_bytes();
  for (std::uint32_t i = 0; i < clients.size(); ++i) {
    clients[i].id = i + 1;
    const wire::DeflateAnswer answer = compression.agree(clients[i], head);
    ASSERT_TRUE(answer.server_keeps_context && answer.client_keeps_context);
    ASSERT_EQ(compression.inflate(clients[i], deflated).message, message);
    ASSERT_FALSE(compression.deflate_for(clients[i], message).empty());
  }
  EXPECT_LE(gatehouse::testing::heap_bytes() - before, compression.context_bytes() + compression.buffer_bytes() + 64 * 1024);
  EXPECT_LE(compression.buffer_bytes(), 256U * 1024);
  for (const ClientRecord& client : clients) compression.forget(client);
  EXPECT_EQ(compression.context_bytes(), 0U);
}

}  // namespace
}  // namespace gatehouse::gateway
