#include "link/outage.h"

#include <gtest/gtest.h>

namespace gatehouse::link {
namespace {

TEST(Outage, IsToldOfOnceAtItsBeginAndOnceAtItsEnd) {
  Outage outage;
  EXPECT_FALSE(outage.lasts());
  EXPECT_TRUE(outage.begin(1'000));
  EXPECT_FALSE(outage.begin(2'000)) << "dialled in vain";
  EXPECT_TRUE(outage.lasts());
  EXPECT_EQ(outage.end(4'600), "after 4 s") << "it was never there before";
  EXPECT_FALSE(outage.lasts());
  EXPECT_TRUE(outage.begin(10'000));
  EXPECT_EQ(outage.end(13'400), "again after 3 s");
}

}  // namespace
}  // namespace gatehouse::link
