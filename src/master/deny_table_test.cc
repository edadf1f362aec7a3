#include "master/deny_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "master/json_lines.h"

namespace gatehouse::master {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

net::AddressRange range(const std::string& text) { return net::AddressRange::parse(text).value(); }

class DenyTableTest : public testing::Test {
 protected:
  net::Loop loop_{Log::silent()};
  std::vector<std::string> over_;
  DenyTable table_{loop_, [this](const net::AddressRange& range) {
                     over_.push_back(range.to_string());
                     loop_.stop();
                   }};
};

TEST_F(DenyTableTest, ListsWhatIsDeniedAndForHowLong) {
  EXPECT_TRUE(table_.add(range("192.0.2.0/24"), seconds(3600)));
  EXPECT_TRUE(table_.add(range("2001:db8::/32"), std::nullopt));
  const auto list = table_.list();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["range"], "192.0.2.0/24");
  EXPECT_EQ(list[0]["seconds_left"], 3600);
  EXPECT_EQ(list[1]["range"], "2001:db8::/32");
  EXPECT_EQ(list[1]["seconds_left"], nullptr);
  EXPECT_TRUE(table_.add(range("192.0.2.0/24"), std::nullopt));
  EXPECT_EQ(table_.list()[0]["seconds_left"], nullptr) << "the new time counts";
  EXPECT_EQ(table_.size(), 2U);
  EXPECT_FALSE(table_.remove(range("192.0.2.0/25")));
  EXPECT_TRUE(table_.remove(range("192.0.2.0/24")));
  EXPECT_EQ(table_.size(), 1U);
}

TEST_F(DenyTableTest, WhatIsOverGoesByItself) {
  table_.add(range("192.0.2.1"), milliseconds(30));
  table_.add(range("192.0.2.2"), seconds(3600));
  table_.add(range("192.0.2.3"), milliseconds(10));
  loop_.after(seconds(20), [this] { loop_.stop(); });
  while (over_.size() < 2) {
    const std::size_t before = over_.size();
    loop_.run();
    ASSERT_GT(over_.size(), before);
  }
  EXPECT_EQ(over_, (std::vector<std::string>{"192.0.2.3", "192.0.2.1"}));
  EXPECT_EQ(table_.size(), 1U);
}

TEST_F(DenyTableTest, KnowsTheNarrowestRangeAroundAnother) {
  table_.add(range("10.0.0.0/8"), std::nullopt);
  table_.add(range("10.1.0.0/16"), std::nullopt);
  EXPECT_EQ(table_.covering(range("10.1.2.3")), range("10.1.0.0/16"));
  EXPECT_EQ(table_.covering(range("10.2.0.0/16")), range("10.0.0.0/8"));
  EXPECT_EQ(table_.covering(range("10.0.0.0/7")), std::nullopt);
  EXPECT_EQ(table_.covering(range("11.0.0.1")), std::nullopt);
}

TEST_F(DenyTableTest, IsFullAtItsLimitAndEachMessageFitsALine) {
  net::AddressRange each = range("2001:db8:1111:2222:3333:4444::/112");
  for (std::size_t i = 0; i < DenyTable::kMostRanges; ++i) {
    each.first[10] = static_cast<std::uint8_t>(0x80U | (i >> 8));
    each.first[11] = static_cast<std::uint8_t>(i);
    ASSERT_TRUE(table_.add(each, std::chrono::hours(87'000)));
  }
  ASSERT_EQ(table_.size(), DenyTable::kMostRanges);
  EXPECT_FALSE(table_.add(range("192.0.2.1"), seconds(1)));
  EXPECT_TRUE(table_.remove(each));
  EXPECT_TRUE(table_.add(range("192.0.2.1"), seconds(1)));
  std::size_t ranges = 0;
  for (const auto& message : table_.messages()) {
    EXPECT_EQ(message["ask"], "deny");
    EXPECT_LT(message.dump().size(), JsonLines::kMaxLineSize);
    ranges += message["ranges"].size();
  }
  EXPECT_EQ(ranges, DenyTable::kMostRanges);
}

}  // namespace
}  // namespace gatehouse::master
