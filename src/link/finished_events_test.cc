#include "link/finished_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace gatehouse::link {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::vector<std::pair<std::uint64_t, std::uint32_t>> ranges(FinishedEvents& events) {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> out;
  std::string_view body = events.body();
  wire::EventRange range;
  while (wire::take_event_range(body, range)) out.emplace_back(range.first, range.count);
  EXPECT_TRUE(body.empty());
  return out;
}

TEST(FinishedEvents, ThoseInOrderAreOneRange) {
  FinishedEvents events;
  EXPECT_TRUE(events.empty());
  for (std::uint64_t number = 10; number < 1000; ++number) events.add(number);
  EXPECT_FALSE(events.empty());
  EXPECT_THAT(ranges(events), ElementsAre(Pair(10, 990)));
  events.clear();
  EXPECT_TRUE(events.empty());
  EXPECT_THAT(ranges(events), ElementsAre());
}

TEST(FinishedEvents, EachGapBeginsAnother) {
  FinishedEvents events;
  for (const std::uint64_t number : {0U, 1U, 5U, 6U, 3U, 4U, 9U}) events.add(number);
  EXPECT_THAT(ranges(events), ElementsAre(Pair(0, 2), Pair(5, 2), Pair(3, 2), Pair(9, 1)));
}

}  // namespace
}  // namespace gatehouse::link
