#include "base/secret_keys.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

TEST(SecretKeys, TheOldOneIsAcceptedForATime) {
  SecretKeys keys("a");
  EXPECT_TRUE(keys.accepts("a", 0));
  EXPECT_FALSE(keys.accepts("", 0));
  EXPECT_FALSE(keys.accepts("b", 0));
  keys.change("b", "a", 1000);
  EXPECT_TRUE(keys.accepts("b", 999));
  EXPECT_TRUE(keys.accepts("a", 999));
  EXPECT_FALSE(keys.accepts("a", 1000));
  EXPECT_TRUE(keys.accepts("b", 1000));
  keys.change("c", "b", 2000);
  EXPECT_FALSE(keys.accepts("a", 1500)) << "only the last one";
}

TEST(SecretKeys, FromNoneToOneAndBack) {
  SecretKeys keys("");
  EXPECT_TRUE(keys.is_open(0));
  EXPECT_TRUE(keys.accepts("", 0));
  keys.change("a", "", 1000);
  EXPECT_TRUE(keys.is_open(999));
  EXPECT_FALSE(keys.is_open(1000));
  EXPECT_FALSE(keys.accepts("", 1000));
  keys.change("", "a", 2000);
  EXPECT_TRUE(keys.is_open(1500));
  EXPECT_TRUE(keys.accepts("a", 1500));
}

}  // namespace
}  // namespace gatehouse
