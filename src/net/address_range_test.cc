#include "net/address_range.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::net {
namespace {

TEST(AddressRange, IsWrittenAsItIsRead) {
  for (const char* text :
       {"10.0.0.0/8", "192.0.2.1", "0.0.0.0/0", "192.0.2.128/25", "2001:db8::/32", "2001:db8::1", "::/0", "::1"}) {
    EXPECT_EQ(AddressRange::parse(text).value().to_string(), text);
  }
  EXPECT_EQ(AddressRange::parse("192.0.2.1/32").value().to_string(), "192.0.2.1");
  EXPECT_EQ(AddressRange::parse("2001:DB8:0::/32").value().to_string(), "2001:db8::/32");
  EXPECT_EQ(AddressRange::parse("::ffff:10.0.0.0/104").value(), AddressRange::parse("10.0.0.0/8").value());
}

TEST(AddressRange, EqualRangesAreTheSameHoweverTheyAreWritten) {
  EXPECT_EQ(AddressRange::parse("::1").value(), AddressRange::parse("0:0:0:0:0:0:0:1/128").value());
  EXPECT_NE(AddressRange::parse("10.0.0.0/8").value(), AddressRange::parse("10.0.0.0/9").value());
}

}  // namespace
}  // namespace gatehouse::net
