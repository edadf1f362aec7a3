#include "net/refusal_log.h"

#include <gtest/gtest.h>

namespace gatehouse::net {
namespace {

TEST(RefusalLog, TheNumbersInTheLinesAddUpToAll) {
  RefusalLog log;
  EXPECT_EQ(log.take(1'000, 0), 0U) << "a shortage that nobody has met";
  EXPECT_EQ(log.take(1'001, 1), 1U);
  EXPECT_EQ(log.take(2'000, 300), 0U);
  EXPECT_EQ(log.take(11'000, 864), 0U);
  EXPECT_EQ(log.take(11'001, 864), 863U) << "asked again by a timer, though the last was refused long before";
  EXPECT_EQ(log.take(21'001, 864), 0U);
  EXPECT_EQ(log.take(21'500, 865), 1U);
}

TEST(RefusalLog, ThoseWhoCannotEvenBeRefusedAreToldOfNowAndThen) {
  RefusalLog log;
  EXPECT_TRUE(log.take_helpless(1'000));
  EXPECT_FALSE(log.take_helpless(10'999));
  EXPECT_TRUE(log.take_helpless(11'000));
}

}  // namespace
}  // namespace gatehouse::net
