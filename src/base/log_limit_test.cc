#include "base/log_limit.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

TEST(LogLimit, LetsSoManyThroughInASecondAndCountsTheRest) {
  LogLimit limit(2);
  EXPECT_TRUE(limit.allow(5000));
  EXPECT_TRUE(limit.allow(5000));
  EXPECT_FALSE(limit.allow(5500));
  EXPECT_FALSE(limit.allow(5999));
  EXPECT_TRUE(limit.allow(6000));
  EXPECT_EQ(limit.take_suppressed(), 2U);
  EXPECT_EQ(limit.take_suppressed(), 0U);
  EXPECT_EQ(limit.take_suppressed_words(), "");
  EXPECT_TRUE(limit.allow(6000));
  EXPECT_FALSE(limit.allow(6000));
  EXPECT_EQ(limit.take_suppressed_words(), " (and 1 lines like it before)");
}

TEST(LogLimit, WhatStrangersCauseIsALineAtOnceAndThenOneInTenSeconds) {
  LogLimit limit = LogLimit::for_strangers();
  EXPECT_TRUE(limit.allow(50)) << "also in the first seconds of a machine";
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(limit.allow(51));
  EXPECT_FALSE(limit.allow(10'049));
  EXPECT_TRUE(limit.allow(10'050));
  EXPECT_EQ(limit.take_suppressed_words(), " (and 101 lines like it before)");
}

}  // namespace
}  // namespace gatehouse
