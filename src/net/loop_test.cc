#include "net/loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <optional>
#include <string_view>
#include <thread>

#include "net/descriptors_lost.h"
#include "net/loop_test_support.h"

namespace gatehouse::net {
namespace {

using testing::AcceptedPair;
using testing::LocalListener;
using testing::milliseconds;
using testing::RawPeer;
using testing::Recorder;
using testing::run_for;
using testing::run_until;

std::uint64_t real_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

/// Keeps the loop's thread busy, as a slow callback does.
void spin_ms(std::uint64_t time) {
  const std::uint64_t end = real_ms() + time;
  while (real_ms() < end) {
  }
}

TEST(Loop, StopsInACallbackAndRunsAgain) {
  Loop loop(Log("test"));
  int runs = 0;
  for (int i = 0; i < 3; ++i) {
    loop.after(milliseconds(1), [&] {
      ++runs;
      loop.stop();
    });
    loop.run();
  }
  EXPECT_EQ(runs, 3);
}

TEST(Loop, AStopBeforeRunCounts) {
  Loop loop(Log("test"));
  loop.stop();
  loop.run();
  EXPECT_EQ(loop.iterations(), 0U);
}

TEST(Loop, TimersAreNeverEarly) {
  Loop loop(Log("test"));
  spin_ms(30);  // between making the loop and using it
  for (const int delay : {0, 1, 5, 20, 50}) {
    const std::uint64_t start = real_ms();
    std::uint64_t fired = 0;
    loop.after(milliseconds(delay), [&] { fired = real_ms(); });
    ASSERT_TRUE(run_until(loop, [&] { return fired != 0; }));
    EXPECT_GE(fired, start + static_cast<std::uint64_t>(delay));
  }
}

TEST(Loop, ATimerStartedAfterALongWaitCountsFromNow) {
  AcceptedPair pair;
  // No timer and no event for longer than the delay, then a timer started by data: it must not be due at once.
  std::uint64_t started = 0;
  std::uint64_t fired = 0;
  pair.server.when_data = [&](Connection&, std::span<char> bytes, std::size_t) {
    started = real_ms();
    pair.loop.after(milliseconds(60), [&] {
      fired = real_ms();
      pair.loop.stop();
    });
    return bytes.size();
  };
  std::thread writer([&] {
    std::this_thread::sleep_for(milliseconds(150));  // the length of the wait is what is tested
    pair.client().write("x");
  });
  pair.loop.run();
  writer.join();
  EXPECT_GE(fired, started + 60);
}

TEST(Loop, ATimerStartedInASlowCallbackCountsFromItsStart) {
  Loop loop(Log("test"));
  std::uint64_t started = 0;
  std::uint64_t fired = 0;
  loop.after(milliseconds(1), [&] {
    spin_ms(40);
    started = real_ms();
    loop.after(milliseconds(20), [&] { fired = real_ms(); });
  });
  ASSERT_TRUE(run_until(loop, [&] { return fired != 0; }));
  EXPECT_GE(fired, started + 20);
}

// Code of a handler that closes all descriptors: nothing was heard of any more, and the loop turned round and round.
TEST(Loop, EndsWhenItsOwnDescriptorsHaveBeenClosed) {
  for (const bool all : {true, false}) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      // In a process of its own, for these are everybody's.
      AcceptedPair pair;
      pair.server.when_data = [all](Connection& connection, std::span<char> bytes, std::size_t) {
        if (all) {
          closefrom(3);
        } else {
          ::close(connection.fd());
          connection.send("x");
        }
        return bytes.size();
      };
      pair.client().write("go");
      try {
        pair.loop.run();
      } catch (const DescriptorsLost& error) {
        const std::string_view what = error.what();
        _exit(what.find("closed by code that did not open them") != what.npos ? 7 : 8);
      }
      _exit(9);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
  }
}

TEST(Loop, PeriodicTimersGoOnUntilCancelled) {
  Loop loop(Log("test"));
  int fired = 0;
  TimerId id;
  id = loop.every(milliseconds(2), [&] {
    if (++fired == 5) loop.cancel(id);
  });
  bool later = false;
  loop.after(milliseconds(60), [&] { later = true; });
  ASSERT_TRUE(run_until(loop, [&] { return later; }));
  EXPECT_EQ(fired, 5);
}

TEST(Loop, NegativeDelaysAreNone) {
  Loop loop(Log("test"));
  bool fired = false;
  loop.after(milliseconds(-5), [&] { fired = true; });
  EXPECT_TRUE(run_until(loop, [&] { return fired; }));
}

TEST(Loop, AnIdleLoopSleeps) {
  AcceptedPair pair;
  Recorder watcher;
  const std::uint64_t before = pair.loop.iterations();
  const std::uint64_t busy = pair.loop.busy_ns();
  run_for(pair.loop, milliseconds(300));
  // The timer that ends it, and the steps of the wheel towards it.
  EXPECT_LE(pair.loop.iterations() - before, 5U);
  EXPECT_LE(pair.loop.busy_ns() - busy, 200'000'000U);  // where it is displaced by others it is busy for that long
}

TEST(Loop, PostFromTheLoopsOwnThreadRunsOnce) {
  Loop loop(Log("test"));
  int ran = 0;
  loop.post([&] {
    ++ran;
    loop.post([&] { ++ran; });
  });
  ASSERT_TRUE(run_until(loop, [&] { return ran == 2; }));
  run_for(loop, milliseconds(5));
  EXPECT_EQ(ran, 2);
}

TEST(Loop, PostFromOtherThreadsLosesNothing) {
  Loop loop(Log("test"));
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  int ran = 0;
  std::vector<int> next(kThreads, 0);
  bool in_order = true;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        loop.post([&, t, i] {
          in_order = in_order && next[static_cast<std::size_t>(t)]++ == i;
          ++ran;
        });
      }
    });
  }
  EXPECT_TRUE(run_until(loop, [&] { return ran == kThreads * kEach; }));
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(in_order);
}

TEST(Loop, StopsFromAnotherThreadWhileItSleeps) {
  Loop loop(Log("test"));
  std::thread stopper([&] { loop.stop_from_any_thread(); });
  loop.run();  // returns or the test hangs into its time-out
  stopper.join();
  EXPECT_GE(loop.iterations(), 1U);
}

TEST(Loop, WatchesADescriptorUntilUnwatched) {
  Loop loop(Log("test"));
  const Socket event(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  int readable = 0;
  const WatchId id = loop.watch(event.fd(), {.readable = true}, [&](Readiness ready) {
    EXPECT_TRUE(ready.readable);
    EXPECT_FALSE(ready.writable);
    ++readable;
  });
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(event.fd(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  // Level-triggered: told again while it stays readable.
  ASSERT_TRUE(run_until(loop, [&] { return readable >= 3; }));
  loop.unwatch(id);
  const int then = readable;
  run_for(loop, milliseconds(10));
  EXPECT_EQ(readable, then);
  loop.unwatch(id);  // names nothing any more
}

TEST(Loop, AWatchMayEndItselfAndItsPlaceIsReused) {
  Loop loop(Log("test"));
  const Socket event(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
  WatchId first;
  WatchId second;
  int first_calls = 0;
  int second_calls = 0;
  const std::string big(100, 'b');
  first = loop.watch(event.fd(), {.readable = true, .writable = true}, [&, big](Readiness ready) {
    EXPECT_TRUE(ready.readable);
    EXPECT_TRUE(ready.writable);
    ++first_calls;
    loop.unwatch(first);
    // Many more, so that the table of watches moves under the running callback.
    for (int i = 0; i < 50; ++i) loop.unwatch(loop.watch(event.fd(), {.readable = true}, [](Readiness) {}));
    second = loop.watch(event.fd(), {.readable = true}, [&](Readiness) {
      ++second_calls;
      loop.unwatch(second);
    });
    EXPECT_EQ(big, std::string(100, 'b'));
  });
  ASSERT_TRUE(run_until(loop, [&] { return second_calls == 1; }));
  EXPECT_EQ(first_calls, 1);
  EXPECT_EQ(second.index, first.index);
  EXPECT_NE(second, first);
  loop.unwatch(first);  // must not end the second, had it lived
}

TEST(Loop, AWatchEndedByAnotherOfTheSameBatchIsNotCalled) {
  Loop loop(Log("test"));
  const Socket a(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
  const Socket b(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
  WatchId ids[2];
  int calls = 0;
  const auto end_both = [&](Readiness) {
    ++calls;
    loop.unwatch(ids[0]);
    loop.unwatch(ids[1]);
  };
  ids[0] = loop.watch(a.fd(), {.readable = true}, end_both);
  ids[1] = loop.watch(b.fd(), {.readable = true}, end_both);
  run_for(loop, milliseconds(5));
  EXPECT_EQ(calls, 1);
}

TEST(Loop, AWatchHearsOfAHangUp) {
  Loop loop(Log("test"));
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Socket reader(ends[0]);
  Socket writer(ends[1]);
  bool told = false;
  const WatchId id = loop.watch(reader.fd(), {.readable = true}, [&](Readiness ready) { told = ready.readable; });
  writer = Socket();
  EXPECT_TRUE(run_until(loop, [&] { return told; }));
  loop.unwatch(id);
}

TEST(Loop, WatchingWhatIsNoDescriptorThrows) {
  Loop loop(Log("test"));
  EXPECT_THROW(loop.watch(-1, {.readable = true}, [](Readiness) {}), std::system_error);
  const Socket event(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
  bool told = false;
  const WatchId id = loop.watch(event.fd(), {.readable = true}, [&](Readiness) { told = true; });
  EXPECT_TRUE(run_until(loop, [&] { return told; }));
  loop.unwatch(id);
}

/// Gives the signal mask back when the test is over.
class SignalMask {
 public:
  SignalMask() { pthread_sigmask(SIG_BLOCK, nullptr, &before_); }
  SignalMask(const SignalMask&) = delete;
  SignalMask& operator=(const SignalMask&) = delete;
  ~SignalMask() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

TEST(Loop, SignalsArriveInTheLoop) {
  const SignalMask mask;
  Loop loop(Log("test"));
  std::string heard;
  loop.on_signal(SIGUSR1, [&] { heard += '1'; });
  loop.on_signal(SIGUSR2, [&] { heard += '2'; });
  loop.on_signal(SIGUSR2, [&] { heard += '+'; });
  ::raise(SIGUSR1);
  ASSERT_TRUE(run_until(loop, [&] { return heard == "1"; }));
  ::raise(SIGUSR2);
  ASSERT_TRUE(run_until(loop, [&] { return heard == "12+"; })) << heard;
  loop.after(milliseconds(10), [] { ::raise(SIGUSR1); });
  ASSERT_TRUE(run_until(loop, [&] { return heard == "12+1"; })) << heard;
}

TEST(Loop, ASignalCallbackMayRegisterMoreSignals) {
  const SignalMask mask;
  Loop loop(Log("test"));
  const std::string big(100, 's');
  std::string seen;
  int second = 0;
  loop.on_signal(SIGUSR1, [&, big] {
    for (int i = 0; i < 20; ++i) loop.on_signal(SIGUSR2, [&] { ++second; });  // moves the callback that is running
    seen = big;
  });
  ::raise(SIGUSR1);
  ASSERT_TRUE(run_until(loop, [&] { return seen == big; }));
  ::raise(SIGUSR2);
  EXPECT_TRUE(run_until(loop, [&] { return second == 20; }));
}

TEST(Loop, VisitsTheOpenConnectionsOnly) {
  LocalListener listener;
  Recorder server;
  Loop loop(Log("test"));
  loop.listen(std::move(listener.socket), server, 9);
  std::vector<RawPeer> peers;
  for (int i = 0; i < 300; ++i) peers.emplace_back(listener.endpoint);  // more than one chunk of the table
  ASSERT_TRUE(run_until(loop, [&] { return server.opened.size() == 300; }));
  EXPECT_EQ(loop.connection_count(), 300U);
  std::size_t visited = 0;
  loop.for_each_connection([&](Connection& connection) {
    EXPECT_EQ(connection.tag, 9U);
    EXPECT_EQ(&connection.loop(), &loop);
    if (++visited % 2 == 0) connection.destroy();
  });
  EXPECT_EQ(visited, 300U);
  visited = 0;
  loop.for_each_connection([&](Connection&) { ++visited; });
  EXPECT_EQ(visited, 150U);
  ASSERT_TRUE(run_until(loop, [&] { return server.closed.size() == 150; }));
  EXPECT_EQ(loop.connection_count(), 150U);
}

TEST(Loop, EndsWithConnectionsTimersAndPostsInIt) {
  LocalListener listener;
  Recorder server;
  RawPeer peer(listener.endpoint);
  {
    Loop loop(Log("test"));
    loop.listen(std::move(listener.socket), server);
    ASSERT_TRUE(run_until(loop, [&] { return !server.opened.empty(); }));
    Connection* connection = loop.find(server.opened[0]);
    ASSERT_NE(connection, nullptr);
    server.when_data = [](Connection&, std::span<char>, std::size_t) { return std::size_t{0}; };
    peer.write("incomplete");
    ASSERT_TRUE(run_until(loop, [&] { return connection->unread_bytes() == 10; }));
    connection->send("never written");
    connection->send(SharedBytes::copy_of(std::string(10'000, 's')));
    loop.after(std::chrono::hours(1), [big = std::string(1000, 'x')] {});
    loop.post([big = std::string(1000, 'x')] {});
  }
  peer.read();
  EXPECT_TRUE(peer.ended || peer.error != 0);
  EXPECT_TRUE(server.closed.empty());  // handlers may be gone before the loop: nothing is called any more
}

}  // namespace
}  // namespace gatehouse::net
