#include "net/accept_share.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace gatehouse::net {
namespace {

/// Several processes of one port, in one: each maps the memory by itself.
struct Processes {
  explicit Processes(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) start(i);
  }
  AcceptShare& start(std::size_t index) {
    if (shares.size() <= index) shares.resize(index + 1);
    shares[index].reset();
    shares[index] = std::make_unique<AcceptShare>(memory, index);
    shares[index]->set_open(true);
    return *shares[index];
  }
  AcceptShare& operator[](std::size_t index) { return *shares[index]; }

  Socket memory = AcceptShare::make_memory().value();
  std::vector<std::unique_ptr<AcceptShare>> shares;
};

TEST(AcceptShare, OneThatHasClearlyMoreThanAnotherIsAhead) {
  Processes p(3);
  EXPECT_FALSE(p[0].is_ahead());
  p[0].set_clients(1, true);
  EXPECT_FALSE(p[0].is_ahead()) << "one more is no reason";
  p[0].set_clients(2, true);
  EXPECT_TRUE(p[0].is_ahead());
  EXPECT_FALSE(p[1].is_ahead());
  p[1].set_clients(1, true);
  EXPECT_TRUE(p[0].is_ahead()) << "the third has none";
  p[2].set_clients(1, true);
  EXPECT_FALSE(p[0].is_ahead());
}

TEST(AcceptShare, AmongManyClientsAFewMoreAreNoReason) {
  Processes p(2);
  p[1].set_clients(320, true);
  p[0].set_clients(331, true);
  EXPECT_FALSE(p[0].is_ahead()) << "one in 32, and one";
  p[0].set_clients(332, true);
  EXPECT_TRUE(p[0].is_ahead());
  p[1].set_clients(100'000, true);
  p[0].set_clients(100'032, true);
  EXPECT_FALSE(p[0].is_ahead());
  p[0].set_clients(100'033, true);
  EXPECT_TRUE(p[0].is_ahead()) << "never more than 32";
}

TEST(AcceptShare, AFullOneLeavesClientsToAnyWithRoom) {
  Processes p(2);
  p[1].set_clients(500, true);
  int changes = 0;
  p[0].when_room_changes([&] { ++changes; });
  p[0].set_clients(3, false);
  EXPECT_TRUE(p[0].is_ahead());
  EXPECT_FALSE(p[1].is_ahead()) << "nobody waits for one that is full";
  p[1].set_clients(501, false);
  EXPECT_FALSE(p[0].is_ahead()) << "all are full: somebody has to refuse";
  EXPECT_FALSE(p[1].is_ahead());
  p[0].set_clients(2, true);
  EXPECT_EQ(changes, 2);
  EXPECT_TRUE(p[1].is_ahead());
}

TEST(AcceptShare, OneThatIsClosedOrGoneIsNotWaitedFor) {
  Processes p(3);
  p[0].set_clients(10, true);
  EXPECT_TRUE(p[0].has_takers());
  p[1].set_open(false);
  p.shares[2].reset();
  EXPECT_FALSE(p[0].has_takers());
  EXPECT_FALSE(p[0].is_ahead());
  p[1].set_open(true);
  EXPECT_TRUE(p[0].is_ahead());
}

TEST(AcceptShare, OneThatTakesNobodyIsLeftOutUntilItDoes) {
  Processes p(2);
  p[0].set_clients(10, true);
  p[0].begin_watching();
  EXPECT_FALSE(p[0].others_move());
  p[1].took();
  EXPECT_TRUE(p[0].others_move());
  EXPECT_FALSE(p[0].others_move()) << "not since it was last asked";
  p[0].leave_out_others();
  EXPECT_FALSE(p[0].is_ahead());
  EXPECT_FALSE(p[0].has_takers());
  p[0].begin_watching();
  EXPECT_FALSE(p[0].is_ahead()) << "still";
  p[1].took();
  EXPECT_TRUE(p[0].is_ahead());
}

TEST(AcceptShare, OneThatIsStartedAgainBeginsWithNobody) {
  Processes p(2);
  p[0].set_clients(50, true);
  p[1].set_clients(50, true);
  EXPECT_FALSE(p[0].is_ahead());
  // Killed, with everything left as it was: that is seen by what it does not do.
  static auto* killed = p.shares[1].release();  // a process that is killed runs no destructor
  ASSERT_NE(killed, nullptr);
  p.shares[1] = std::make_unique<AcceptShare>(p.memory, 1);
  EXPECT_FALSE(p[0].is_ahead()) << "it does not listen yet";
  p[1].set_open(true);
  EXPECT_TRUE(p[0].is_ahead());
}

TEST(AcceptShare, ThoseBeyondTheLimitTakePartInNothing) {
  Processes p(1);
  AcceptShare last(p.memory, AcceptShare::kMostProcesses - 1);
  last.set_open(true);
  EXPECT_TRUE(p[0].has_takers());
  AcceptShare beyond(p.memory, AcceptShare::kMostProcesses);
  beyond.set_open(true);
  beyond.set_clients(1000, true);
  EXPECT_FALSE(beyond.is_ahead());
  EXPECT_FALSE(beyond.has_takers());
  AcceptShare without(Socket(), 0);
  without.set_clients(1000, true);
  without.took();
  EXPECT_FALSE(without.is_ahead());
}

}  // namespace
}  // namespace gatehouse::net
