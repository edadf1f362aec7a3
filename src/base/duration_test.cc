#include "base/duration.h"

#include <gtest/gtest.h>

#include <limits>

namespace gatehouse {
namespace {

using std::chrono::milliseconds;

TEST(Duration, HasANumberAndAUnit) {
  EXPECT_EQ(parse_duration("50s"), milliseconds(50'000));
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("2m"), milliseconds(120'000));
  EXPECT_EQ(parse_duration("1.5h"), milliseconds(5'400'000));
  EXPECT_EQ(parse_duration("7d"), milliseconds(7 * 86'400'000));
  EXPECT_EQ(parse_duration("1 s"), milliseconds(1000));
  EXPECT_EQ(parse_duration("0.0006s"), milliseconds(1)) << "rounded";
  EXPECT_EQ(parse_duration("0s"), milliseconds(0));
  EXPECT_EQ(parse_duration("-5s"), milliseconds(-5000)) << "whether it may be negative is said elsewhere";
}

TEST(Duration, IsNothingElse) {
  for (const char* text :
       {"", "50", "s", "50 seconds", "50S", "50s ", "fifty", "nans", "infs", "1e300h", "1w", "0.0001s", "-0.4ms"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
  EXPECT_EQ(duration_from_seconds(std::numeric_limits<double>::quiet_NaN()), std::nullopt);
}

}  // namespace
}  // namespace gatehouse
