#include "master/text_table.h"

#include <gtest/gtest.h>

namespace gatehouse::master {
namespace {

TEST(TextTable, AlignsAndCuts) {
  TextTable table({{"NAME", TextTable::Align::left, 8}, {"COUNT", TextTable::Align::right}, {"LISTENING"}});
  table.add({"web", "2", "tcp://0.0.0.0:1"});
  table.add({"a-very-long-name", "12345678", ""});
  EXPECT_EQ(table.to_string(),
            "NAME         COUNT  LISTENING\n"
            "web              2  tcp://0.0.0.0:1\n"
            "a-very..  12345678\n");
}

TEST(ShortNumber, StaysShort) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(999), "999");
  EXPECT_EQ(short_number(1000), "1.0k");
  EXPECT_EQ(short_number(999'999), "999.9k");
  EXPECT_EQ(short_number(4'560'000), "4.5M");
}

TEST(ShortSize, CountsFromKib) {
  EXPECT_EQ(short_size(950), "950 KB");
  EXPECT_EQ(short_size(1536), "1.5 MB");
}

TEST(ShortDuration, HasTwoUnits) {
  EXPECT_EQ(short_duration(59), "59s");
  EXPECT_EQ(short_duration(303), "5m 3s");
  EXPECT_EQ(short_duration(26'400), "7h 20m");
  EXPECT_EQ(short_duration(86400ULL * 12 + 4 * 3600), "12d 4h");
  EXPECT_EQ(short_duration(86400ULL * 365), "365d");
}

}  // namespace
}  // namespace gatehouse::master
