#include "wire/event_ranges.h"

#include <gtest/gtest.h>

namespace gatehouse::wire {
namespace {

TEST(EventRanges, AreTwelveBytesEach) {
  std::string bytes;
  append_event_range(bytes, {0x0102030405060708, 0x0a0b0c0d});
  EXPECT_EQ(bytes, std::string("\1\2\3\4\5\6\7\x8\xa\xb\xc\xd", 12));
  append_event_range(bytes, {5, 1});
  std::string_view rest = bytes;
  EventRange range;
  ASSERT_TRUE(take_event_range(rest, range));
  EXPECT_EQ(range.first, 0x0102030405060708U);
  EXPECT_EQ(range.count, 0x0a0b0c0dU);
  ASSERT_TRUE(take_event_range(rest, range));
  EXPECT_EQ(range.first, 5U);
  EXPECT_EQ(range.count, 1U);
  EXPECT_FALSE(take_event_range(rest, range));
}

TEST(EventRanges, APartOfOneIsNone) {
  for (std::size_t size = 0; size < kEventRangeSize; ++size) {
    const std::string bytes(size, 'x');
    std::string_view rest = bytes;
    EventRange range;
    EXPECT_FALSE(take_event_range(rest, range));
    EXPECT_EQ(rest.size(), size);
  }
}

}  // namespace
}  // namespace gatehouse::wire
