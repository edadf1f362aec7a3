#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "net/loop.h"
#include "net/loop_test_support.h"

namespace gatehouse::net {
namespace {

using testing::AcceptedPair;
using testing::LocalListener;
using testing::milliseconds;
using testing::pattern;
using testing::RawPeer;
using testing::Recorder;
using testing::run_for;
using testing::run_until;
using testing::wait_readable;

std::size_t echo(Connection& connection, std::span<char> bytes, std::size_t) {
  connection.send(std::string_view(bytes.data(), bytes.size()));
  return bytes.size();
}

TEST(LoopIo, EchoesAnySizeInRandomChunks) {
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{4096}, Loop::kReadSize, Loop::kReadBudget + 1, std::size_t{8'000'000}}) {
    AcceptedPair pair;
    pair.server.when_data = echo;
    const std::string sent = pattern(size);
    std::mt19937 random(static_cast<unsigned>(size));
    std::size_t written = 0;
    ASSERT_TRUE(run_until(pair.loop, [&] {
      for (int i = 0; i < 20 && written < size; ++i) {
        const std::size_t chunk = random() % (random() % 2 == 0 ? 100 : 300'000);
        written += pair.client().write(std::string_view(sent).substr(written, chunk));
      }
      pair.client().read();
      return pair.client().received.size() >= size;
    }));
    EXPECT_TRUE(pair.client().received == sent) << size;
    EXPECT_EQ(pair.connection()->bytes_received(), size);
    EXPECT_EQ(pair.connection()->bytes_sent(), size);
    EXPECT_EQ(pair.connection()->queued_bytes(), 0U);
  }
}

TEST(LoopIo, OneWayThroughTwoLoopSockets) {
  LocalListener listener;
  Recorder server;
  Recorder client;
  Loop loop(Log("test"));
  loop.listen(std::move(listener.socket), server);
  const std::string sent = pattern(20'000'000);
  client.when_open = [&](Connection& connection) {
    std::size_t at = 0;
    const auto next = [&](std::size_t size) {
      const std::string_view piece = std::string_view(sent).substr(at, size);
      at += piece.size();
      return piece;
    };
    while (at < sent.size()) {
      connection.send(next(100'000));
      connection.send(SharedBytes::copy_of(next(1000)));
      connection.send(SharedBytes::copy_of(next(10)));
      const std::string_view piece = next(777);
      std::memcpy(connection.grow(piece.size()), piece.data(), piece.size());
    }
    connection.close();
  };
  const ConnectionId id = loop.dial(listener.endpoint, client);
  ASSERT_TRUE(run_until(loop, [&] { return server.received.size() == sent.size() && client.closed.size() == 1; }));
  EXPECT_TRUE(server.received == sent);
  EXPECT_EQ(client.closed[0].id, id);
  EXPECT_EQ(server.closed[0].cause, CloseCause::peer_closed);
}

/// A handler of messages of a 4-byte length and as many bytes, which changes what it has seen in place, as a codec that unmasks
/// does.
class InPlace {
 public:
  std::size_t on_data(std::span<char> bytes, std::size_t seen) {
    EXPECT_EQ(seen, left_.size()) << "exactly what was left counts as seen";
    EXPECT_EQ(std::string_view(bytes.data(), std::min(seen, bytes.size())), left_) << "what was changed in place is kept";
    EXPECT_GT(bytes.size(), seen);
    for (std::size_t i = seen; i < bytes.size(); ++i) bytes[i] = static_cast<char>(bytes[i] ^ 0x5a);
    std::size_t done = 0;
    while (bytes.size() - done >= 4) {
      std::uint32_t length = 0;
      std::memcpy(&length, bytes.data() + done, 4);
      if (bytes.size() - done - 4 < length) break;
      messages.emplace_back(bytes.data() + done + 4, length);
      done += 4 + std::size_t{length};
    }
    left_.assign(bytes.data() + done, bytes.size() - done);
    return done;
  }
  std::vector<std::string> messages;

 private:
  std::string left_;
};

TEST(LoopIo, KeepsWhatIsNotConsumedAndCountsWhatWasSeen) {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    AcceptedPair pair;
    InPlace in_place;
    pair.server.when_data = [&](Connection&, std::span<char> bytes, std::size_t seen) { return in_place.on_data(bytes, seen); };
    std::mt19937 random(seed);
    std::vector<std::string> messages;
    std::string wire;
    for (const std::size_t size :
         {0UL, 1UL, 4000UL, 4093UL, 4096UL, 4097UL, 9000UL, 262'140UL, 262'144UL, 300'000UL, 3'000'000UL, 5UL, 2UL}) {
      messages.push_back(pattern(size, seed));
      const auto length = static_cast<std::uint32_t>(size);
      wire.append(reinterpret_cast<const char*>(&length), 4);  // NOLINT
      wire += messages.back();
    }
    for (char& byte : wire) byte = static_cast<char>(byte ^ 0x5a);
    std::size_t written = 0;
    ASSERT_TRUE(run_until(pair.loop, [&] {
      const std::size_t chunk = random() % 3 == 0 ? random() % 10 : random() % 150'000;
      written += pair.client().write(std::string_view(wire).substr(written, chunk));
      return in_place.messages.size() == messages.size();
    }));
    EXPECT_TRUE(in_place.messages == messages);
    EXPECT_EQ(pair.connection()->unread_bytes(), 0U);
    if (HasFailure()) break;
  }
}

TEST(LoopIo, AMessageInSingleBytesArrivesWhole) {
  AcceptedPair pair;
  int calls = 0;
  pair.server.when_data = [&](Connection&, std::span<char> bytes, std::size_t seen) {
    ++calls;
    EXPECT_LT(seen, bytes.size());
    return bytes.size() < 5000 ? std::size_t{0} : bytes.size();  // more than the padding, so both buffers take part
  };
  const std::string sent = pattern(5000);
  std::size_t written = 0;
  ASSERT_TRUE(run_until(pair.loop, [&] {
    for (int i = 0; i < 25 && written < sent.size(); ++i) {
      written += pair.client().write(std::string_view(sent).substr(written, 1));
      // Each in its own event.
      pair.loop.post([&] { pair.loop.stop(); });
      pair.loop.run();
    }
    return pair.server.received.size() == sent.size();
  }));
  EXPECT_TRUE(pair.server.received == sent);
  EXPECT_GT(calls, 1000);
}

TEST(LoopIo, DeliversDataThatComesWithTheEnd) {
  AcceptedPair pair;
  const std::string sent = pattern(700'000);  // more than one budget
  std::size_t written = 0;
  ASSERT_TRUE(run_until(pair.loop, [&] {
    if (written < sent.size()) {
      written += pair.client().write(std::string_view(sent).substr(written));
      if (written == sent.size()) pair.client().close();
    }
    return !pair.server.closed.empty();
  }));
  EXPECT_TRUE(pair.server.received == sent);
  EXPECT_EQ(pair.server.closed[0].cause, CloseCause::peer_closed);
  EXPECT_EQ(pair.server.closed[0].error, 0);
  EXPECT_EQ(pair.loop.find(pair.id()), nullptr);
}

TEST(LoopIo, DataAndEndInOneEventAreBothSeen) {
  AcceptedPair pair;
  pair.client().write("last words");
  pair.client().close();
  ASSERT_TRUE(wait_readable(pair.connection()->fd(), POLLRDHUP));
  ASSERT_TRUE(pair.run_until_closed());
  EXPECT_EQ(pair.server.received, "last words");
  EXPECT_EQ(pair.server.closed.size(), 1U);
}

TEST(LoopIo, AnswersAQuestionThatEndsWithAHalfClose) {
  AcceptedPair pair;
  pair.server.when_data = [&](Connection& connection, std::span<char> bytes, std::size_t) {
    connection.send("answer");
    return bytes.size();
  };
  pair.client().write("question");
  pair.client().finish_writing();
  ASSERT_TRUE(wait_readable(pair.connection()->fd(), POLLRDHUP));
  ASSERT_TRUE(run_until(pair.loop, [&] {
    pair.client().read();
    return pair.client().ended;
  }));
  EXPECT_EQ(pair.client().received, "answer");
  ASSERT_EQ(pair.server.closed.size(), 1U);
  EXPECT_EQ(pair.server.closed[0].cause, CloseCause::peer_closed);
}

TEST(LoopIo, AFloodingPeerDoesNotStarveAnother) {
  LocalListener listener;
  Recorder server;
  Loop loop(Log("test"));
  loop.listen(std::move(listener.socket), server);
  RawPeer flooder(listener.endpoint);
  RawPeer modest(listener.endpoint);
  ASSERT_TRUE(run_until(loop, [&] { return server.opened.size() == 2; }));
  std::map<std::uint32_t, std::uint64_t> in_iteration;
  std::uint64_t iteration = 0;
  std::uint64_t most = 0;
  std::uint64_t answers = 0;
  const std::string flood(1'000'000, 'f');
  server.when_data = [&](Connection& connection, std::span<char> bytes, std::size_t) {
    if (loop.iterations() != iteration) {
      iteration = loop.iterations();
      in_iteration.clear();
    }
    most = std::max(most, in_iteration[connection.id().slot] += bytes.size());
    if (bytes.size() == 1) ++answers;
    flooder.write(flood);  // the kernel's buffer is full again before the loop looks
    return bytes.size();
  };
  flooder.write(flood);
  modest.write("x");
  std::uint64_t asked = 1;
  ASSERT_TRUE(run_until(loop, [&] {
    if (answers == asked && asked < 50) {
      modest.write("x");
      ++asked;
    }
    flooder.write(flood);
    return answers == 50;
  }));
  EXPECT_LE(most, Loop::kReadBudget + Loop::kReadSize) << "one budget for one connection in one iteration";
}

TEST(LoopIo, NotifyBelowTellsOnceWhenTheQueueHasFallen) {
  AcceptedPair pair(8 * 1024);
  Connection* connection = pair.connection();
  constexpr std::size_t kMark = 500'000;
  std::size_t at_drain = SIZE_MAX;
  pair.server.when_drained = [&](Connection& drained) { at_drain = drained.queued_bytes(); };
  connection->send(std::string(20'000'000, 'n'));
  connection->notify_below(kMark);
  run_for(pair.loop, milliseconds(20));
  ASSERT_GT(connection->queued_bytes(), kMark);
  EXPECT_EQ(pair.server.drained, 0);
  ASSERT_TRUE(run_until(pair.loop, [&] {
    pair.client().read();
    return pair.client().received.size() == 20'000'000;
  }));
  EXPECT_EQ(pair.server.drained, 1);
  EXPECT_LT(at_drain, kMark);
}

TEST(LoopIo, OnDrainPumpsAStream) {
  AcceptedPair pair;
  const std::string sent = pattern(5'000'000);
  std::size_t at = 0;
  const auto pump = [&](Connection& connection) {
    connection.send(std::string_view(sent).substr(at, 100'000));
    at = std::min(at + 100'000, sent.size());
    if (at < sent.size()) {
      connection.notify_below(50'000);
    } else {
      connection.close();  // with the last piece just queued
    }
  };
  pair.server.when_drained = pump;
  pump(*pair.connection());
  ASSERT_TRUE(run_until(pair.loop, [&] {
    pair.client().read();
    return pair.client().ended || pair.client().error != 0;
  }));
  EXPECT_TRUE(pair.client().received == sent) << pair.client().received.size();
}

TEST(LoopIo, FlushWritesAtOnce) {
  AcceptedPair pair;
  pair.connection()->send("now");
  pair.connection()->flush();
  EXPECT_EQ(pair.connection()->queued_bytes(), 0U);
  ASSERT_TRUE(wait_readable(pair.client().fd(), POLLIN));
  pair.client().read();
  EXPECT_EQ(pair.client().received, "now");
  pair.connection()->flush();
  pair.connection()->send(std::string(50'000'000, 'z'));
  pair.connection()->flush();
  const std::size_t left = pair.connection()->queued_bytes();
  EXPECT_GT(left, 0U);
  pair.connection()->flush();  // the kernel has said no
  EXPECT_EQ(pair.connection()->queued_bytes(), left);
  ASSERT_TRUE(run_until(pair.loop, [&] {
    pair.client().read();
    return pair.client().received.size() == 50'000'003;
  }));
}

TEST(LoopIo, OneSharedFrameReachesAll) {
  LocalListener listener;
  Recorder server;
  Loop loop(Log("test"));
  loop.listen(std::move(listener.socket), server);
  std::vector<RawPeer> peers;
  for (int i = 0; i < 100; ++i) peers.emplace_back(listener.endpoint);
  ASSERT_TRUE(run_until(loop, [&] { return server.opened.size() == 100; }));
  const std::string sent = pattern(100'000);
  {
    const SharedBytes frame = SharedBytes::copy_of(sent);
    loop.for_each_connection([&](Connection& connection) { connection.send(frame); });
  }
  ASSERT_TRUE(run_until(loop, [&] {
    return std::all_of(peers.begin(), peers.end(), [&](RawPeer& peer) {
      peer.read();
      return peer.received.size() >= sent.size();
    });
  }));
  for (const RawPeer& peer : peers) EXPECT_TRUE(peer.received == sent);
}

}  // namespace
}  // namespace gatehouse::net
