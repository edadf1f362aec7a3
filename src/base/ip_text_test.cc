#include "base/ip_text.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse {
namespace {

IpBytes mapped(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
}

TEST(IpText, ReadsBothFamilies) {
  EXPECT_EQ(parse_ip("192.168.1.9"), mapped(192, 168, 1, 9));
  EXPECT_EQ(parse_ip("::ffff:192.168.1.9"), mapped(192, 168, 1, 9));
  EXPECT_EQ(parse_ip("::FFFF:c0a8:0109"), mapped(192, 168, 1, 9));
  EXPECT_EQ(parse_ip("::"), IpBytes{});
  EXPECT_EQ(parse_ip("2001:db8::1"), (IpBytes{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_TRUE(parse_ip("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255").has_value()) << "the longest one";
}

TEST(IpText, RefusesEverythingElse) {
  using namespace std::string_literals;
  for (const std::string& text : {""s,
                                  " "s,
                                  "1"s,
                                  "127.1"s,
                                  "1.2.3"s,
                                  "1.2.3.4.5"s,
                                  "1.2.3.256"s,
                                  "01.2.3.4"s,
                                  "1.2.3.4 "s,
                                  " 1.2.3.4"s,
                                  "1.2.3.4:80"s,
                                  "0x7f000001"s,
                                  "[::1]"s,
                                  "::1%lo"s,
                                  "fe80::1%2"s,
                                  ":::"s,
                                  "1::2::3"s,
                                  "12345::"s,
                                  "1:2:3:4:5:6:7:8:9"s,
                                  "unknown"s,
                                  "1.2.3.4\0"s,
                                  "1.2.3.4\0.5"s,
                                  std::string(46, '1'),
                                  std::string(1000, ':')}) {
    EXPECT_EQ(parse_ip(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace gatehouse
