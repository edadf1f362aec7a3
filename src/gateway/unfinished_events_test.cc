#include "gateway/unfinished_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace gatehouse::gateway {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> frames(const UnfinishedEvents& events) {
  std::vector<std::string> out;
  events.for_each([&](const UnfinishedEvents::Event& event) { out.emplace_back(event.frame); });
  return out;
}

std::vector<std::uint32_t> finish(UnfinishedEvents& events, std::uint64_t first, std::uint32_t count) {
  std::vector<std::uint32_t> clients;
  events.finish(first, count, [&](std::uint32_t id) { clients.push_back(id); });
  return clients;
}

TEST(UnfinishedEvents, AreForgottenWhenFinished) {
  net::OutPool pool;
  UnfinishedEvents events(pool);
  EXPECT_TRUE(events.empty());
  events.add(7, "a");
  events.add(8, "b");
  events.add(7, "c");
  events.add(9, "");
  EXPECT_EQ(events.size(), 4U);
  EXPECT_THAT(finish(events, 1, 2), ElementsAre(8, 7));
  EXPECT_THAT(frames(events), ElementsAre("a", ""));
  EXPECT_THAT(finish(events, 0, 1), ElementsAre(7));
  EXPECT_THAT(finish(events, 3, 1), ElementsAre(9));
  EXPECT_TRUE(events.empty());
  EXPECT_EQ(events.bytes(), 0U);
  events.add(1, "d");
  EXPECT_TRUE(finish(events, 3, 1).empty()) << "numbers go on";
  EXPECT_THAT(finish(events, 4, 1), ElementsAre(1));
}

TEST(UnfinishedEvents, WhatIsNotThereIsPassedOver) {
  net::OutPool pool;
  UnfinishedEvents events(pool);
  EXPECT_TRUE(finish(events, 0, 10).empty());
  events.begin(0);
  events.add(1, "a");
  events.add(2, "b");
  EXPECT_TRUE(finish(events, 2, 0xffffffffU).empty());
  EXPECT_TRUE(finish(events, 0xffffffffffffffffU, 0xffffffffU).empty());
  EXPECT_TRUE(finish(events, 0, 0).empty());
  EXPECT_THAT(finish(events, 1, 0xffffffffU), ElementsAre(2));
  EXPECT_TRUE(finish(events, 1, 1).empty()) << "twice";
  EXPECT_THAT(frames(events), ElementsAre("a"));
}

TEST(UnfinishedEvents, RememberHowOftenAndHowFar) {
  net::OutPool pool;
  UnfinishedEvents events(pool);
  events.add(1, "a");
  events.add(2, "b", 2, true);
  events.begin(1);
  std::vector<UnfinishedEvents::Event> all;
  events.for_each([&](const UnfinishedEvents::Event& event) { all.push_back(event); });
  ASSERT_EQ(all.size(), 2U);
  EXPECT_FALSE(all[0].redelivered || all[0].begun);
  EXPECT_TRUE(all[1].redelivered && all[1].begun);
  EXPECT_EQ(all[1].deaths, 2);
  EXPECT_EQ(all[1].connection_id, 2U);
  EXPECT_EQ(all[1].number, 1U);
}

TEST(UnfinishedEvents, OneThatTakesLongDoesNotKeepTheOthers) {
  net::OutPool pool;
  UnfinishedEvents events(pool);
  const std::string frame(1000, 'x');
  events.add(1, "slow");
  for (std::uint64_t number = 1; number <= 100'000; ++number) {
    events.add(2, frame);
    EXPECT_THAT(finish(events, number, 1), ElementsAre(2));
  }
  EXPECT_THAT(frames(events), ElementsAre("slow"));
  EXPECT_LT(events.capacity(), 1'000'000U);
  EXPECT_LT(events.bytes(), 100U);
}

TEST(UnfinishedEvents, ABurstDoesNotKeepItsMemory) {
  net::OutPool pool;
  UnfinishedEvents events(pool);
  const std::string frame(10'000, 'x');
  for (int i = 0; i < 1000; ++i) events.add(1, frame);
  EXPECT_GE(events.bytes(), 10'000'000U);
  finish(events, 0, 999);
  EXPECT_LT(events.capacity(), 1'000'000U);
  finish(events, 999, 1);
  EXPECT_LT(events.capacity(), 600'000U);
}

TEST(UnfinishedEvents, AreThoseOfASimpleMap) {
  std::minstd_rand random(1);
  net::OutPool pool;
  UnfinishedEvents events(pool);
  std::map<std::uint64_t, std::string> expected;
  std::uint64_t next = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 3 != 0) {
      const std::string frame(random() % 200, static_cast<char>('a' + next % 26));
      events.add(static_cast<std::uint32_t>(next), frame);
      expected[next++] = frame;
    } else {
      const std::uint64_t first = next - std::min<std::uint64_t>(next, random() % 50);
      const std::uint32_t count = random() % 8;
      for (const std::uint32_t id : finish(events, first, count)) {
        ASSERT_TRUE(id >= first && id < first + count);
        ASSERT_EQ(expected.erase(id), 1U);
      }
      ASSERT_TRUE(expected.lower_bound(first) == expected.lower_bound(first + count));
    }
  }
  std::vector<std::string> left;
  for (const auto& [number, frame] : expected) left.push_back(frame);
  EXPECT_EQ(frames(events), left);
}

}  // namespace
}  // namespace gatehouse::gateway
