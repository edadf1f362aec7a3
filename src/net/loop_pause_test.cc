#include <gtest/gtest.h>
#include <poll.h>

#include <random>
#include <span>
#include <string>
#include <vector>

#include "net/loop.h"
#include "net/loop_test_support.h"

namespace gatehouse::net {
namespace {

using testing::AcceptedPair;
using testing::milliseconds;
using testing::pattern;
using testing::run_for;
using testing::run_until;

TEST(LoopPause, PauseHoldsThePeerBackAndResumeLosesAndDoublesNothing) {
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
      // It may have been paused in the very iteration in which its end was read.
      if (!pair.server.closed.empty()) return true;
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

TEST(LoopPause, APausedPeerIsSlowedDown) {
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

TEST(LoopPause, APauseAndResumeAfterAnExhaustedBudgetReadsOn) {
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

TEST(LoopPause, AfterAResumeNothingCountsAsSeenEvenWhenNewBytesCameFirst) {
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

TEST(LoopPause, APauseTakenBackInTheSameCallbackMakesNothingSeenEither) {
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

TEST(LoopPause, AResumeShowsWhatWasLeftAlthoughNothingComes) {
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

TEST(LoopPause, TheEndDuringAPauseIsReportedAfterIt) {
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

TEST(LoopPause, APausedConnectionStillCloses) {
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

}  // namespace
}  // namespace gatehouse::net
