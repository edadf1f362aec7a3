#include "net/handshake_queue.h"

#include <gtest/gtest.h>

namespace gatehouse::net {
namespace {

ConnectionId id(std::uint32_t slot) { return {slot, 1}; }

int take_all(HandshakeQueue& queue, std::uint64_t now_ms) {
  int count = 0;
  while (queue.take(now_ms)) ++count;
  return count;
}

TEST(HandshakeQueue, WithoutALimitEverybodyIsNextInOrder) {
  HandshakeQueue queue;
  EXPECT_EQ(queue.wait_ms(0), -1);
  EXPECT_FALSE(queue.add_new(id(1), 0, 0));
  queue.add(id(2));
  EXPECT_EQ(queue.wait_ms(0), 0);
  EXPECT_EQ(queue.take(0), id(1));
  EXPECT_EQ(queue.take(0), id(2));
  EXPECT_EQ(queue.take(0), std::nullopt);
}

TEST(HandshakeQueue, NewOnesBeginAtTheRateAndInOrder) {
  HandshakeQueue queue;
  int delayed = 0;
  for (std::uint32_t i = 0; i < 150; ++i) delayed += queue.add_new(id(i), 100, 1000) ? 1 : 0;
  EXPECT_EQ(take_all(queue, 1000), 10) << "a tenth of a second's at once";
  EXPECT_EQ(delayed, 140);
  EXPECT_EQ(queue.wait_ms(1000), 10);
  EXPECT_EQ(queue.take(1009), std::nullopt);
  EXPECT_EQ(queue.take(1010), id(10));
  int begun = 0;
  for (std::uint64_t now_ms = 1011; now_ms <= 2000; ++now_ms) begun += take_all(queue, now_ms);
  EXPECT_EQ(begun, 99);
  EXPECT_EQ(queue.size(), 40U);
}

TEST(HandshakeQueue, OneThatHasBegunGoesFirstAndCostsNothing) {
  HandshakeQueue queue;
  for (std::uint32_t i = 0; i < 3; ++i) queue.add_new(id(i), 1, 0);
  queue.add(id(7));
  EXPECT_EQ(queue.take(0), id(7));
  EXPECT_EQ(queue.take(0), id(0));
  EXPECT_EQ(queue.take(0), std::nullopt);
  queue.add(id(8));
  EXPECT_EQ(queue.wait_ms(0), 0);
  EXPECT_EQ(queue.take(0), id(8));
  EXPECT_EQ(queue.wait_ms(0), 1000);
}

TEST(HandshakeQueue, TheDeadAreNotCounted) {
  HandshakeQueue queue;
  for (std::uint32_t i = 0; i < 100; ++i) queue.add_new(id(i), 1, 0);
  for (std::uint32_t i = 0; i < 99; ++i) {
    ASSERT_EQ(queue.take(0), id(i));
    queue.give_back();
  }
  EXPECT_EQ(queue.take(0), id(99));
  EXPECT_EQ(queue.wait_ms(0), -1);
}

}  // namespace
}  // namespace gatehouse::net
