// What goes to very many is written in slices of time: on a virtual clock, on which each write takes a millisecond.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fake_kernel/fake_kernel.h"
#include "net/loop.h"

namespace gatehouse::faults {
namespace {

using gatehouse::testing::Call;
using gatehouse::testing::FakeKernel;

constexpr std::uint16_t kPort = 8282;
constexpr std::size_t kMembers = 300;

/// Sends "news" to all members when the publisher says something, and everything back to everybody else.
class Room : public net::ConnectionHandler {
 public:
  void on_open(net::Connection& connection) override { members.push_back(connection.id()); }
  std::size_t on_data(net::Connection& connection, std::span<char> bytes, std::size_t /*seen*/) override {
    const std::string_view words(bytes.data(), bytes.size());
    if (words == "publish") {
      const net::SharedBytes news = net::SharedBytes::copy_of("news;");
      for (const net::ConnectionId id : members) {
        if (net::Connection* member = connection.loop().find(id)) member->send(news, true);
      }
    } else if (words == "bye") {
      connection.send("closing;");
      connection.close();
    } else {
      connection.send(words);
    }
    return bytes.size();
  }
  void on_close(net::Connection& /*connection*/, net::CloseCause /*cause*/, int /*error*/) override {}

  std::vector<net::ConnectionId> members;
};

struct SlowWrites {
  SlowWrites() {
    loop.listen(net::Socket(kernel.listen_here(kPort)), room);
    for (std::size_t i = 0; i < kMembers; ++i) ends.push_back(kernel.dial(kPort));
    turn_until([&] { return room.members.size() == kMembers; });
    kernel.fault = [this](Call call, int) {
      if (call == Call::sendmsg) {
        kernel.pass(1);
        ++writes;
      }
      return 0;
    };
  }
  void turn_until(const std::function<bool()>& condition) {
    // Not by stop(), since a loop that stops writes everything first.
    struct Enough {};
    int turns = 0;
    kernel.on_wait = [&, condition](int) {
      if (condition() || ++turns > 5'000) throw Enough();
    };
    try {
      loop.run();
    } catch (const Enough&) {
    }
    kernel.on_wait = {};
    ASSERT_LE(turns, 5'000);
  }
  /// Until the publisher's words have been read, and the first members have the news.
  void publish() {
    kernel.put(ends[0], "publish");
    turn_until([&] { return writes > 0; });
    ASSERT_LT(writes, kMembers / 2) << "written in one go";
  }

  FakeKernel kernel;
  net::Loop loop{Log("test")};
  Room room;
  std::vector<int> ends;
  std::size_t writes = 0;
};

TEST(Slices, ABystanderIsServedBetweenTwoSlicesOfABroadcast) {
  SlowWrites world;
  const int bystander = world.kernel.dial(kPort);  // comes later, and is no member
  world.turn_until([&] { return world.room.members.size() == kMembers + 1; });
  world.room.members.pop_back();
  world.publish();
  const std::size_t before = world.writes;
  world.kernel.put(bystander, "hello");
  std::string heard;
  world.turn_until([&] { return !(heard += world.kernel.take(bystander)).empty(); });
  EXPECT_EQ(heard, "hello");
  EXPECT_LE(world.writes - before, 100U) << "a slice that ran, and the one behind the answer";
  EXPECT_LT(world.writes, kMembers);
  world.turn_until([&] { return world.writes >= kMembers + 1; });
  for (const int end : world.ends) EXPECT_EQ(world.kernel.take(end), "news;");
}

TEST(Slices, WhatAMemberIsSentLaterComesBehindTheBroadcast) {
  SlowWrites world;
  world.publish();
  const int last = world.ends.back();
  world.kernel.put(last, "mine;");
  std::string heard;
  world.turn_until([&] { return (heard += world.kernel.take(last)).size() >= 10; });
  EXPECT_EQ(heard, "news;mine;");
  EXPECT_LT(world.writes, kMembers) << "and need not wait for the others";
}

TEST(Slices, TwoBroadcastsComeInOrderToEverybody) {
  SlowWrites world;
  world.publish();
  world.kernel.put(world.ends[1], "own;");
  world.kernel.put(world.ends[0], "publish");
  std::vector<std::string> heard(kMembers);
  const auto all = [&] {
    bool done = true;
    for (std::size_t i = 0; i < kMembers; ++i) {
      heard[i] += world.kernel.take(world.ends[i]);
      done = done && heard[i].size() >= (i == 1 ? 14U : 10U);
    }
    return done;
  };
  world.turn_until(all);
  for (std::size_t i = 0; i < kMembers; ++i) {
    if (i == 1) {
      EXPECT_TRUE(heard[i] == "news;own;news;" || heard[i] == "news;news;own;") << heard[i];
    } else {
      EXPECT_EQ(heard[i], "news;news;") << i;
    }
  }
}

TEST(Slices, AMemberThatIsClosedMeanwhileGetsTheBroadcastFirst) {
  SlowWrites world;
  world.publish();
  const int last = world.ends.back();
  world.kernel.put(last, "bye");
  std::string heard;
  world.turn_until([&] {
    heard += world.kernel.take(last);
    return world.kernel.has_ended(last);
  });
  EXPECT_EQ(heard, "news;closing;");
}

TEST(Slices, ALoopThatStopsWritesEverythingFirst) {
  SlowWrites world;
  world.kernel.put(world.ends[0], "publish");
  int waits = 0;
  world.kernel.on_wait = [&](int) {
    if (++waits == 1) world.loop.stop();
  };
  world.loop.run();
  world.kernel.on_wait = {};
  for (const int end : world.ends) EXPECT_EQ(world.kernel.take(end), "news;");
}

}  // namespace
}  // namespace gatehouse::faults
