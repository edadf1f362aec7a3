#include "net/tls_slots.h"

#include <gtest/gtest.h>

namespace gatehouse::net {
namespace {

ConnectionId named(std::uint32_t slot) { return {slot, 1}; }

TEST(TlsSlots, OnePastTheLimitWaitsInLine) {
  TlsSlots slots(2);
  const std::uint64_t first = slots.take(named(1), false, 0);
  EXPECT_NE(first, 0U);
  EXPECT_NE(slots.take(named(2), false, 0), 0U);
  EXPECT_EQ(slots.take(named(3), false, 0), 0U);
  EXPECT_EQ(slots.take(named(4), false, 0), 0U);
  EXPECT_EQ(slots.waiting(), 2U);
  slots.give_back(first);
  EXPECT_TRUE(slots.has_room());
  EXPECT_EQ(slots.next(), named(3));
  EXPECT_NE(slots.take(named(3), true, 1), 0U);
  EXPECT_EQ(slots.next(), named(4));
  EXPECT_EQ(slots.take(named(5), false, 1), 0U);
  EXPECT_EQ(slots.take(named(4), true, 1), 0U);
  EXPECT_EQ(slots.next(), named(4)) << "who has waited stands in front";
  EXPECT_EQ(slots.next(), named(5));
  EXPECT_EQ(slots.next(), std::nullopt);
}

TEST(TlsSlots, TheOldestMakesWayAfterAWhile) {
  TlsSlots slots(2);
  const std::uint64_t first = slots.take(named(1), false, 1000);
  slots.take(named(2), false, 1500);
  EXPECT_EQ(slots.take(named(3), false, 1600), 0U);
  EXPECT_EQ(slots.in_the_way(1000 + TlsSlots::kPatienceMs - 1), std::nullopt);
  EXPECT_EQ(slots.wait_ms(1600), TlsSlots::kPatienceMs - 600);
  EXPECT_EQ(slots.in_the_way(1000 + TlsSlots::kPatienceMs), named(1));
  EXPECT_EQ(slots.wait_ms(1000 + TlsSlots::kPatienceMs), 0U);
  slots.give_back(first);
  EXPECT_EQ(slots.in_the_way(1'000'000), std::nullopt) << "while there is room";
  EXPECT_EQ(slots.wait_ms(3000), 0U);
  slots.take(named(3), true, 3000);
  EXPECT_EQ(slots.in_the_way(3000), std::nullopt);
  EXPECT_EQ(slots.in_the_way(3500), named(2));
}

TEST(TlsSlots, WhatIsGivenBackTwiceIsGivenBackOnce) {
  TlsSlots slots(1);
  const std::uint64_t first = slots.take(named(1), false, 0);
  slots.give_back(first);
  slots.give_back(first);
  slots.give_back(0);
  EXPECT_NE(slots.take(named(2), false, 0), 0U);
  slots.give_back(first);
  EXPECT_EQ(slots.taken(), 1U);
}

}  // namespace
}  // namespace gatehouse::net
