#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

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

std::size_t echo(Connection& connection, std::span<char> bytes, std::size_t) {
  connection.send(std::string_view(bytes.data(), bytes.size()));
  return bytes.size();
}

/// Waits outside the loop until the peer's bytes or its end are in the kernel's hands, so that one event tells of all.
void wait_readable(int fd, short events) {
  pollfd poll{.fd = fd, .events = events, .revents = 0};
  ASSERT_EQ(::poll(&poll, 1, 10'000), 1);
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
  wait_readable(pair.connection()->fd(), POLLRDHUP);
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
  wait_readable(pair.connection()->fd(), POLLRDHUP);
  ASSERT_TRUE(run_until(pair.loop, [&] {
    pair.client().read();
    return pair.client().ended;
  }));
  EXPECT_EQ(pair.client().received, "answer");
  ASSERT_EQ(pair.server.closed.size(), 1U);
  EXPECT_EQ(pair.server.closed[0].cause, CloseCause::peer_closed);
}

TEST(LoopIo, AResetIsALostConnection) {
  AcceptedPair pair;
  pair.client().reset();
  ASSERT_TRUE(pair.run_until_closed());
  EXPECT_EQ(pair.server.closed[0].cause, CloseCause::connection_lost);
  EXPECT_EQ(pair.server.closed[0].error, ECONNRESET);
}

TEST(LoopIo, CloseDeliversTheLastWordsOfAMegabyteToASlowReader) {
  AcceptedPair pair(8 * 1024);
  const std::string sent = pattern(1'000'000);
  pair.connection()->send(sent);
  pair.connection()->close();
  EXPECT_FALSE(pair.connection()->is_open());
  std::size_t most = 0;
  ASSERT_TRUE(run_until(pair.loop, [&] {
    pair.client().read(10'000 + most++ % 7);
    return pair.client().ended || pair.client().error != 0;
  }));
  EXPECT_EQ(pair.client().error, 0);
  EXPECT_TRUE(pair.client().received == sent);
  pair.client().close();
  ASSERT_TRUE(pair.run_until_closed());
  EXPECT_EQ(pair.server.closed[0].cause, CloseCause::closed_here);
}

TEST(LoopIo, AReaderThatTakesLongerThanTheLingerTimeStillGetsAll) {
  AcceptedPair pair(8 * 1024);
  constexpr std::size_t kSize = 8'000'000;
  const std::string sent = pattern(kSize);
  pair.connection()->send(sent);
  pair.connection()->close();
  // As much of it as of the time that it may take.
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(run_until(pair.loop, [&] {
    const auto passed = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start).count();
    const std::size_t due = static_cast<std::size_t>(passed) * kSize / (Connection::kLingerMs * 3 / 2);
    if (due > pair.client().received.size()) pair.client().read(due - pair.client().received.size());
    return pair.client().ended || pair.client().error != 0;
  }));
  EXPECT_EQ(pair.client().error, 0);
  EXPECT_TRUE(pair.client().received == sent) << pair.client().received.size();
}

TEST(LoopIo, CloseLosesNothingWhenThePeerGoesOnTalking) {
  AcceptedPair pair;
  // Bytes unread at close(2) would turn the FIN into a reset, which may overtake the last words.
  pair.server.when_data = [&](Connection& connection, std::span<char> bytes, std::size_t) {
    if (connection.is_open()) {
      connection.send("last words");
      connection.close();
    }
    return bytes.size();
  };
  const std::string flood(100'000, 'f');
  bool ended = false;
  ASSERT_TRUE(run_until(pair.loop, [&] {
    if (!ended) pair.client().write(flood);
    pair.client().read();
    if (pair.client().ended && !ended) {
      ended = true;
      pair.client().finish_writing();
    }
    return !pair.server.closed.empty();
  }));
  EXPECT_EQ(pair.client().received, "last words");
  EXPECT_EQ(pair.client().error, 0);
}

TEST(LoopIo, AHalfClosedPeerStillGetsWhatCloseHasToWrite) {
  AcceptedPair pair(8 * 1024);
  const std::string sent = pattern(3'000'000);
  pair.connection()->send(sent);
  pair.connection()->close();
  pair.client().finish_writing();
  ASSERT_TRUE(run_until(pair.loop, [&] {
    pair.client().read(20'000);
    return pair.client().ended || pair.client().error != 0;
  }));
  EXPECT_TRUE(pair.client().received == sent);
  ASSERT_TRUE(pair.run_until_closed());
  EXPECT_EQ(pair.server.closed[0].cause, CloseCause::closed_here);
}

TEST(LoopIo, ALongIdleConnectionIsClosedInOrderToo) {
  AcceptedPair pair;
  // Asleep for longer than the linger time, then closed by data: the time must count from the close.
  pair.server.when_data = [&](Connection& connection, std::span<char> bytes, std::size_t) {
    connection.send("bye");
    connection.close();
    return bytes.size();
  };
  pair.loop.after(milliseconds(Connection::kLingerMs + 200), [&] { pair.client().write("x"); });
  bool closed_before_the_end = false;
  ASSERT_TRUE(run_until(pair.loop, [&] {
    pair.client().read();
    closed_before_the_end = closed_before_the_end || (!pair.server.closed.empty() && !pair.client().ended);
    return pair.client().ended;
  }));
  EXPECT_EQ(pair.client().received, "bye");
  EXPECT_FALSE(closed_before_the_end);
  EXPECT_TRUE(pair.server.closed.empty()) << "it waits for the peer's end";
}

TEST(LoopIo, APeerThatNeitherReadsNorClosesIsEndedAfterTheLingerTime) {
  for (const std::size_t queued : {std::size_t{5}, std::size_t{20'000'000}}) {  // lingering, and still flushing
    AcceptedPair pair(8 * 1024);
    pair.connection()->send(std::string(queued, 'q'));
    const auto start = std::chrono::steady_clock::now();
    pair.connection()->close();
    ASSERT_TRUE(pair.run_until_closed());
    const auto took = std::chrono::steady_clock::now() - start;
    EXPECT_GE(took, milliseconds(Connection::kLingerMs));
    EXPECT_EQ(pair.server.closed[0].cause, CloseCause::closed_here);
    EXPECT_EQ(pair.server.closed.size(), 1U);
  }
}

TEST(LoopIo, DestroyDropsWhatIsQueued) {
  AcceptedPair pair;
  pair.connection()->send("never");
  pair.connection()->destroy();
  EXPECT_FALSE(pair.connection()->is_open());
  ASSERT_TRUE(pair.run_until_closed());
  ASSERT_TRUE(run_until(pair.loop, [&] {
    pair.client().read();
    return pair.client().ended || pair.client().error != 0;
  }));
  EXPECT_EQ(pair.client().received, "");
}

TEST(LoopIo, PauseHoldsThePeerBackAndResumeLosesAndDoublesNothing) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    AcceptedPair pair;
    std::mt19937 random(seed);
    const std::string sent = pattern(6'000'000, seed);
    std::size_t at_pause = 0;
    bool paused = false;
    pair.server.when_data = [&](Connection& connection, std::span<char> bytes, std::size_t) -> std::size_t {
      EXPECT_FALSE(paused);
      if (random() % 4 == 0) {
        connection.pause();
        paused = true;
        return random() % (bytes.size() + 1);
      }
      return random() % 8 == 0 ? bytes.size() / 2 : bytes.size();
    };
    std::size_t written = 0;
    ASSERT_TRUE(run_until(pair.loop, [&] {
      written += pair.client().write(std::string_view(sent).substr(written, random() % 400'000));
      if (written == sent.size()) pair.client().finish_writing();
      if (paused) {
        if (at_pause == 0) at_pause = pair.server.received.size();
        EXPECT_EQ(pair.server.received.size(), at_pause);
        if (random() % 2 == 0) {
          paused = false;
          at_pause = 0;
          pair.connection()->resume();
        }
      } else if (random() % 3 == 0 && pair.connection() != nullptr) {
        // From outside a callback, between events, also back and forth.
        pair.connection()->pause();
        if (random() % 2 == 0) {
          pair.connection()->resume();
        } else {
          paused = true;
        }
      }
      return !pair.server.closed.empty();
    }));
    // What it had not consumed when the peer ended is the only thing that may be missing.
    EXPECT_EQ(pair.server.received, sent.substr(0, pair.server.received.size()));
    EXPECT_GE(pair.server.received.size(), sent.size() / 2);
  }
}

TEST(LoopIo, APausedPeerIsSlowedDown) {
  AcceptedPair pair;
  pair.connection()->pause();
  const std::string flood(100'000, 'f');
  std::size_t written = 0;
  for (int i = 0; i < 500; ++i) {
    written += pair.client().write(flood);
    pair.loop.post([&] { pair.loop.stop(); });
    pair.loop.run();
  }
  EXPECT_LT(written, 500 * flood.size()) << "the kernel's buffers fill";
  EXPECT_TRUE(pair.server.received.empty());
  pair.connection()->resume();
  ASSERT_TRUE(run_until(pair.loop, [&] { return pair.server.received.size() == written; }));
}

/// Writes up to `bytes` into the kernel's buffers while the loop does not run; returns how much went in.
std::size_t fill_kernel(AcceptedPair& pair, std::string_view bytes) {
  const int large = 8 * 1024 * 1024;
  setsockopt(pair.client().fd(), SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
  setsockopt(pair.connection()->fd(), SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
  std::size_t written = 0;
  for (int idle = 0; idle < 20 && written < bytes.size();) {
    const std::size_t took = pair.client().write(bytes.substr(written, 100'000));
    written += took;
    idle = took == 0 ? idle + 1 : 0;
    if (took == 0) ::poll(nullptr, 0, 1);  // acknowledgements move the window
  }
  return written;
}

TEST(LoopIo, APauseAndResumeAfterAnExhaustedBudgetReadsOn) {
  AcceptedPair pair;
  // The kernel told once of all these bytes. Between two budgets the handler pauses and resumes; nobody announces the rest again.
  std::string sent(3'000'000, 'p');
  sent.resize(fill_kernel(pair, sent));
  ASSERT_GT(sent.size(), 2 * Loop::kReadBudget);
  std::size_t pauses = 0;
  const TimerId flip = pair.loop.every(milliseconds(1), [&] {
    if (pair.connection() == nullptr) return;
    pair.connection()->pause();
    pair.connection()->resume();
    ++pauses;
  });
  pair.server.when_data = [&](Connection& connection, std::span<char> bytes, std::size_t) {
    connection.loop().post([&pair] {
      if (pair.connection() == nullptr) return;
      pair.connection()->pause();
      pair.connection()->resume();
    });
    return bytes.size();
  };
  EXPECT_TRUE(run_until(pair.loop, [&] { return pair.server.received.size() == sent.size(); }));
  pair.loop.cancel(flip);
}

TEST(LoopIo, AfterAResumeNothingCountsAsSeenEvenWhenNewBytesCameFirst) {
  AcceptedPair pair;
  // Lines, found by looking only at what is new. The handler stops in front of a whole one.
  std::vector<std::string> lines;
  bool stop_after_first = true;
  pair.server.when_data = [&](Connection& connection, std::span<char> bytes, std::size_t seen) {
    const std::string_view all(bytes.data(), bytes.size());
    std::size_t done = 0;
    std::size_t from = seen;
    for (std::size_t end = all.find('\n', from); end != std::string_view::npos; end = all.find('\n', from)) {
      lines.emplace_back(all.substr(done, end - done));
      done = from = end + 1;
      if (std::exchange(stop_after_first, false)) {
        connection.pause();
        break;
      }
    }
    return done;
  };
  pair.client().write("one\ntwo\n");
  ASSERT_TRUE(run_until(pair.loop, [&] { return lines.size() == 1; }));
  pair.client().write("three\n");
  // Resumed by a timer, so that the next iteration has the event of "four" before the resumption.
  run_for(pair.loop, milliseconds(5));
  pair.loop.after(milliseconds(1), [&] {
    pair.connection()->resume();
    pair.client().write("four\n");
  });
  ASSERT_TRUE(run_until(pair.loop, [&] { return lines.size() >= 4; }));
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two", "three", "four"}));
}

TEST(LoopIo, APauseTakenBackInTheSameCallbackMakesNothingSeenEither) {
  AcceptedPair pair;
  std::string sent;
  for (int i = 0; sent.size() < 2 * Loop::kReadSize; ++i) sent += "line " + std::to_string(i) + "\n";
  ASSERT_EQ(fill_kernel(pair, sent), sent.size());
  std::string lines;
  bool first = true;
  pair.server.when_data = [&](Connection& connection, std::span<char> bytes, std::size_t seen) {
    const std::string_view all(bytes.data(), bytes.size());
    std::size_t done = 0;
    std::size_t from = seen;
    for (std::size_t end = all.find('\n', from); end != std::string_view::npos; end = all.find('\n', from)) {
      EXPECT_EQ(all.substr(done, end - done).find('\n'), std::string_view::npos) << "two lines in one";
      lines.append(all.substr(done, end - done)).append("\n");
      done = from = end + 1;
      if (std::exchange(first, false)) {
        connection.pause();
        connection.resume();
        break;
      }
    }
    return done;
  };
  ASSERT_TRUE(run_until(pair.loop, [&] { return lines.size() >= sent.size(); }));
  EXPECT_TRUE(lines == sent);
}

TEST(LoopIo, AResumeShowsWhatWasLeftAlthoughNothingComes) {
  AcceptedPair pair;
  pair.server.when_data = [&](Connection& connection, std::span<char> bytes, std::size_t) -> std::size_t {
    if (pair.server.received.empty()) {
      connection.pause();
      return 3;
    }
    return bytes.size();
  };
  pair.client().write("onetwo");
  ASSERT_TRUE(run_until(pair.loop, [&] { return pair.server.received == "one"; }));
  EXPECT_EQ(pair.connection()->unread_bytes(), 3U);
  EXPECT_TRUE(pair.connection()->is_paused());
  pair.connection()->resume();
  EXPECT_EQ(pair.server.received, "one") << "not inside the call";
  ASSERT_TRUE(run_until(pair.loop, [&] { return pair.server.received == "onetwo"; }));
  EXPECT_EQ(pair.connection()->unread_bytes(), 0U);
}

TEST(LoopIo, TheEndDuringAPauseIsReportedAfterIt) {
  AcceptedPair pair;
  pair.connection()->pause();
  pair.client().write("all of it");
  pair.client().close();
  run_for(pair.loop, milliseconds(10));
  EXPECT_TRUE(pair.server.closed.empty());
  pair.connection()->resume();
  ASSERT_TRUE(pair.run_until_closed());
  EXPECT_EQ(pair.server.received, "all of it");
}

TEST(LoopIo, APausedConnectionStillCloses) {
  AcceptedPair pair;
  pair.connection()->pause();
  pair.client().write("unread");
  pair.connection()->send("bye");
  pair.connection()->close();
  ASSERT_TRUE(run_until(pair.loop, [&] {
    pair.client().read();
    return pair.client().ended;
  }));
  EXPECT_EQ(pair.client().received, "bye");
  const auto start = std::chrono::steady_clock::now();
  pair.client().close();
  ASSERT_TRUE(pair.run_until_closed());
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(Connection::kLingerMs / 2))
      << "at the peer's end, not by the timer";
  EXPECT_TRUE(pair.server.received.empty());
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

TEST(LoopIo, SendsToTheDeadAreCountedNoOps) {
  AcceptedPair pair;
  Connection* connection = pair.connection();
  connection->close();
  connection->send("a");
  connection->send(SharedBytes::copy_of("b"));
  EXPECT_EQ(connection->grow(10), nullptr);
  EXPECT_EQ(pair.loop.dropped_sends(), 3U);
  connection->destroy();
  connection->send("c");
  EXPECT_EQ(pair.loop.dropped_sends(), 4U);
  pair.server.when_closed = [](Connection& dead, CloseCause) {
    dead.send("d");
    dead.close();
    dead.destroy();
    dead.pause();
    dead.resume();
  };
  ASSERT_TRUE(pair.run_until_closed());
  EXPECT_EQ(pair.loop.dropped_sends(), 5U);
  EXPECT_EQ(pair.loop.find(pair.id()), nullptr);
  run_for(pair.loop, milliseconds(5));
  EXPECT_EQ(pair.server.closed.size(), 1U);
}

enum class Where { on_open, on_data, on_drain, on_close_of_another, timer, post };

class LoopIoEnding : public ::testing::TestWithParam<std::tuple<Where, bool>> {};

TEST_P(LoopIoEnding, CloseAndDestroyInEveryCallback) {
  const auto [where, destroy] = GetParam();
  LocalListener listener;
  Recorder server;
  Loop loop(Log("test"));
  loop.listen(std::move(listener.socket), server);
  const auto finish = [&, destroy = destroy](Connection& connection) {
    connection.send("bye");
    if (destroy) {
      connection.destroy();
      connection.destroy();
    } else {
      connection.close();
      connection.close();
    }
    EXPECT_FALSE(connection.is_open());
  };
  switch (where) {
    case Where::on_open: server.when_open = finish; break;
    case Where::on_data:
      server.when_data = [&](Connection& connection, std::span<char> bytes, std::size_t) {
        finish(connection);
        return bytes.size() / 2;
      };
      break;
    case Where::on_drain:
      server.when_open = [](Connection& connection) {
        connection.send("drain me");
        connection.notify_below(1);
      };
      server.when_drained = finish;
      break;
    case Where::on_close_of_another:
      server.when_closed = [&](Connection&, CloseCause) { loop.for_each_connection(finish); };
      server.when_open = [&](Connection& connection) {
        if (server.opened.size() == 10) connection.destroy();
      };
      break;
    case Where::timer:
      loop.every(milliseconds(1), [&] {
        if (server.opened.size() == 10) loop.for_each_connection(finish);
      });
      break;
    case Where::post:
      server.when_open = [&](Connection& connection) { loop.post([&, id = connection.id()] { finish(*loop.find(id)); }); };
      break;
  }
  std::vector<RawPeer> peers;
  for (int i = 0; i < 10; ++i) {
    peers.emplace_back(listener.endpoint);
    peers.back().write(std::string(600'000, 'x'));
  }
  ASSERT_TRUE(run_until(loop, [&] {
    for (RawPeer& peer : peers) {
      peer.read();
      if (peer.ended && peer.fd() >= 0) peer.close();
    }
    return server.closed.size() == 10;
  }));
  for (const ConnectionId id : server.opened) EXPECT_EQ(server.times_closed(id), 1);
  EXPECT_EQ(loop.connection_count(), 0U);
  if (!destroy && where != Where::on_close_of_another) {
    for (const RawPeer& peer : peers)
      EXPECT_EQ(peer.received.substr(peer.received.size() - std::min<std::size_t>(peer.received.size(), 3)), "bye");
  }
}

INSTANTIATE_TEST_SUITE_P(Everywhere, LoopIoEnding,
                         ::testing::Combine(::testing::Values(Where::on_open, Where::on_data, Where::on_drain,
                                                              Where::on_close_of_another, Where::timer, Where::post),
                                            ::testing::Bool()));

TEST(LoopIo, NothingIsDeliveredAfterDestroy) {
  AcceptedPair pair;
  int calls = 0;
  pair.server.when_data = [&](Connection& connection, std::span<char>, std::size_t) {
    ++calls;
    connection.destroy();
    return std::size_t{0};
  };
  pair.client().write(std::string(400'000, 'x'));
  ASSERT_TRUE(pair.run_until_closed());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(pair.server.closed[0].cause, CloseCause::closed_here);
}

TEST(LoopIo, OneEndsAllOthersWhileTheirEventsAreInTheSameBatch) {
  LocalListener listener;
  Recorder server;
  Loop loop(Log("test"));
  loop.listen(std::move(listener.socket), server);
  std::vector<RawPeer> peers;
  for (int i = 0; i < 50; ++i) peers.emplace_back(listener.endpoint);
  ASSERT_TRUE(run_until(loop, [&] { return server.opened.size() == 50; }));
  int calls = 0;
  server.when_data = [&](Connection&, std::span<char> bytes, std::size_t) {
    ++calls;
    loop.for_each_connection([](Connection& each) { each.destroy(); });
    // The freed descriptors and slots must not be mistaken for those of the batch.
    for (int i = 0; i < 5; ++i) loop.dial(listener.endpoint, server);
    return bytes.size();
  };
  for (RawPeer& peer : peers) peer.write("x");
  for (const ConnectionId id : server.opened) wait_readable(loop.find(id)->fd(), POLLIN);
  ASSERT_TRUE(run_until(loop, [&] { return server.closed.size() >= 50; }));
  EXPECT_EQ(calls, 1);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(server.times_closed(server.opened[static_cast<std::size_t>(i)]), 1);
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
  wait_readable(pair.client().fd(), POLLIN);
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

/// Clients that do everything at random, in a loop of their own kind: nobody is reported twice, nobody is forgotten.
TEST(LoopIo, RandomLivesEndExactlyOnce) {
  LocalListener listener;
  Recorder server;
  Recorder client;
  Loop loop(Log("test"));
  std::mt19937 random(7);
  loop.listen(std::move(listener.socket), server);
  const auto act = [&](Connection& connection) {
    switch (random() % 12) {
      case 0: connection.close(); break;
      case 1: connection.destroy(); break;
      case 2: connection.pause(); break;
      case 3: connection.resume(); break;
      case 4: connection.send(std::string(random() % 300'000, 'a')); break;
      case 5: connection.send(SharedBytes::copy_of(std::string(random() % 3000, 'b'))); break;
      case 6: connection.notify_below(random() % 10'000); break;
      case 7: connection.flush(); break;
      default: connection.send("hello");
    }
  };
  const auto data = [&](Connection& connection, std::span<char> bytes, std::size_t seen) {
    EXPECT_LE(seen, bytes.size());
    act(connection);
    return random() % (bytes.size() + 1);
  };
  for (Recorder* each : {&server, &client}) {
    each->when_data = data;
    each->when_open = act;
    each->when_drained = act;
  }
  std::size_t dialled = 0;
  ASSERT_TRUE(run_until(
      loop,
      [&] {
        for (int i = 0; i < 3 && dialled < 600; ++i, ++dialled) loop.dial(listener.endpoint, client);
        loop.for_each_connection([&](Connection& connection) {
          if (random() % 8 == 0) act(connection);
          if (dialled == 600 && random() % 50 == 0) connection.destroy();
        });
        return dialled == 600 && loop.connection_count() == 0;
      },
      milliseconds(60'000)));
  EXPECT_EQ(client.closed.size(), 600U);
  for (const ConnectionId id : server.opened) EXPECT_EQ(server.times_closed(id), 1);
  for (const ConnectionId id : client.opened) EXPECT_EQ(client.times_closed(id), 1);
  EXPECT_EQ(server.closed.size(), server.opened.size());
}

}  // namespace
}  // namespace gatehouse::net
