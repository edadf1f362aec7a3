#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <random>
#include <span>
#include <string>
#include <tuple>
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

/// The client reads so much in each turn of the loop, until its end or an error; false when neither comes.
bool reads_to_the_end(AcceptedPair& pair, std::size_t at_once = SIZE_MAX) {
  return run_until(pair.loop, [&] {
    pair.client().read(at_once);
    return pair.client().ended || pair.client().error != 0;
  });
}

TEST(LoopClose, AResetIsALostConnection) {
  AcceptedPair pair;
  pair.client().reset();
  ASSERT_TRUE(pair.run_until_closed());
  EXPECT_EQ(pair.server.closed[0].cause, CloseCause::connection_lost);
  EXPECT_EQ(pair.server.closed[0].error, ECONNRESET);
}

TEST(LoopClose, CloseDeliversTheLastWordsOfAMegabyteToASlowReader) {
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

TEST(LoopClose, AReaderThatTakesLongerThanTheLingerTimeStillGetsAll) {
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

TEST(LoopClose, AReaderSoSlowThatTheKernelAsksForNothingIsNotCutOff) {
  AcceptedPair pair(8 * 1024);
  pair.connection()->send(pattern(20'000'000));
  pair.connection()->close();
  // Far less than what makes room for another write in time.
  const TimerId reading = pair.loop.every(milliseconds(20), [&] { pair.client().read(2000); });
  run_for(pair.loop, milliseconds(Connection::kLingerMs * 5 / 2));
  pair.loop.cancel(reading);
  EXPECT_TRUE(pair.server.closed.empty());
  EXPECT_LT(pair.client().received.size(), 1'000'000U);
}

TEST(LoopClose, CloseLosesNothingWhenThePeerGoesOnTalking) {
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

TEST(LoopClose, AHalfClosedPeerStillGetsWhatCloseHasToWrite) {
  AcceptedPair pair(8 * 1024);
  const std::string sent = pattern(3'000'000);
  pair.connection()->send(sent);
  pair.connection()->close();
  pair.client().finish_writing();
  ASSERT_TRUE(reads_to_the_end(pair, 20'000));
  EXPECT_TRUE(pair.client().received == sent);
  ASSERT_TRUE(pair.run_until_closed());
  EXPECT_EQ(pair.server.closed[0].cause, CloseCause::closed_here);
}

TEST(LoopClose, FinishDoesNotWaitForThePeersEnd) {
  AcceptedPair pair;
  pair.connection()->send("last words");
  pair.connection()->finish();
  ASSERT_TRUE(pair.run_until_closed());  // and the peer has said nothing
  EXPECT_EQ(pair.server.closed[0].cause, CloseCause::closed_here);
  ASSERT_TRUE(reads_to_the_end(pair));
  EXPECT_EQ(pair.client().received, "last words");
  EXPECT_EQ(pair.client().error, 0);
}

TEST(LoopClose, FinishWritesAllToASlowReader) {
  AcceptedPair pair(8 * 1024);
  const std::string sent = pattern(3'000'000);
  pair.connection()->send(sent);
  pair.connection()->finish();
  EXPECT_FALSE(pair.connection()->is_open());
  ASSERT_TRUE(reads_to_the_end(pair, 20'000));
  EXPECT_TRUE(pair.client().received == sent);
  ASSERT_TRUE(pair.run_until_closed());
  EXPECT_EQ(pair.server.closed[0].cause, CloseCause::closed_here);
}

TEST(LoopClose, ALongIdleConnectionIsClosedInOrderToo) {
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

TEST(LoopClose, APeerThatNeitherReadsNorClosesIsEndedAfterTheLingerTime) {
  struct Way {
    std::size_t queued;
    void (Connection::*end)();
  };
  for (const Way way : {Way{5, &Connection::close}, Way{20'000'000, &Connection::close}, Way{20'000'000, &Connection::finish}}) {
    AcceptedPair pair(8 * 1024);
    pair.connection()->send(std::string(way.queued, 'q'));
    const auto start = std::chrono::steady_clock::now();
    (pair.connection()->*way.end)();
    ASSERT_TRUE(pair.run_until_closed());
    const auto took = std::chrono::steady_clock::now() - start;
    EXPECT_GE(took, milliseconds(Connection::kLingerMs));
    EXPECT_EQ(pair.server.closed[0].cause, CloseCause::closed_here);
    EXPECT_EQ(pair.server.closed.size(), 1U);
  }
}

TEST(LoopClose, DestroyDropsWhatIsQueued) {
  AcceptedPair pair;
  pair.connection()->send("never");
  pair.connection()->destroy();
  EXPECT_FALSE(pair.connection()->is_open());
  ASSERT_TRUE(pair.run_until_closed());
  ASSERT_TRUE(reads_to_the_end(pair));
  EXPECT_EQ(pair.client().received, "");
}

TEST(LoopClose, SendsToTheDeadAreCountedNoOps) {
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

using End = void (Connection::*)();

class LoopCloseAnywhere : public ::testing::TestWithParam<std::tuple<Where, End>> {};

TEST_P(LoopCloseAnywhere, EndsInEveryCallback) {
  const auto [where, end] = GetParam();
  LocalListener listener;
  Recorder server;
  Loop loop(Log("test"));
  loop.listen(std::move(listener.socket), server);
  const auto finish = [end = end](Connection& connection) {
    connection.send("bye");
    (connection.*end)();
    (connection.*end)();
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
  if (end == &Connection::close && where != Where::on_close_of_another) {
    for (const RawPeer& peer : peers)
      EXPECT_EQ(peer.received.substr(peer.received.size() - std::min<std::size_t>(peer.received.size(), 3)), "bye");
  }
}

INSTANTIATE_TEST_SUITE_P(Everywhere, LoopCloseAnywhere,
                         ::testing::Combine(::testing::Values(Where::on_open, Where::on_data, Where::on_drain,
                                                              Where::on_close_of_another, Where::timer, Where::post),
                                            ::testing::Values(&Connection::close, &Connection::finish, &Connection::destroy)));

TEST(LoopClose, NothingIsDeliveredAfterDestroy) {
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

TEST(LoopClose, OneEndsAllOthersWhileTheirEventsAreInTheSameBatch) {
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
  for (const ConnectionId id : server.opened) ASSERT_TRUE(wait_readable(loop.find(id)->fd(), POLLIN));
  ASSERT_TRUE(run_until(loop, [&] { return server.closed.size() >= 50; }));
  EXPECT_EQ(calls, 1);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(server.times_closed(server.opened[static_cast<std::size_t>(i)]), 1);
}

/// Clients that do everything at random, in a loop of their own kind: nobody is reported twice, nobody is forgotten.
TEST(LoopClose, RandomLivesEndExactlyOnce) {
  LocalListener listener;
  Recorder server;
  Recorder client;
  Loop loop(Log("test"));
  std::mt19937 random(7);
  loop.listen(std::move(listener.socket), server);
  const auto act = [&](Connection& connection) {
    switch (random() % 13) {
      case 0: connection.close(); break;
      case 1: connection.destroy(); break;
      case 2: connection.pause(); break;
      case 3: connection.resume(); break;
      case 4: connection.send(std::string(random() % 300'000, 'a')); break;
      case 5: connection.send(SharedBytes::copy_of(std::string(random() % 3000, 'b'))); break;
      case 6: connection.notify_below(random() % 10'000); break;
      case 7: connection.flush(); break;
      case 8: connection.finish(); break;
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
