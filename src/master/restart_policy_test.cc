#include "master/restart_policy.h"

#include <gtest/gtest.h>

namespace gatehouse::master {
namespace {

using std::chrono::milliseconds;

TEST(RestartPolicy, StartsAgainAtOnceTheFirstTime) {
  RestartPolicy policy;
  EXPECT_EQ(policy.pause_after(milliseconds(5)), milliseconds(0));
}

TEST(RestartPolicy, PausesGrowToThirtySeconds) {
  RestartPolicy policy;
  (void)policy.pause_after(milliseconds(5));
  for (const int expected : {100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000}) {
    EXPECT_EQ(policy.pause_after(milliseconds(1999)), milliseconds(expected));
  }
}

TEST(RestartPolicy, ALongLifeIsANewBeginning) {
  RestartPolicy policy;
  for (int i = 0; i < 5; ++i) (void)policy.pause_after(milliseconds(1));
  EXPECT_EQ(policy.pause_after(milliseconds(2000)), milliseconds(0));
  EXPECT_EQ(policy.pause_after(milliseconds(1)), milliseconds(100));
}

}  // namespace
}  // namespace gatehouse::master
