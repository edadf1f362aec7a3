#include "base/bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse {
namespace {

TEST(Bytes, IntegersStandBigEndianAtAnyAddress) {
  char buffer[16];
  for (int offset = 0; offset < 8; ++offset) {
    char* p = buffer + offset;
    store_be16(p, 0x0102U);
    EXPECT_EQ(std::string_view(p, 2), "\x01\x02");
    EXPECT_EQ(load_be16(p), 0x0102U);
    store_be32(p, 0xfedcba98U);
    EXPECT_EQ(std::string_view(p, 4), "\xfe\xdc\xba\x98");
    EXPECT_EQ(load_be32(p), 0xfedcba98U);
    store_be64(p, 0x8001020304050607ULL);
    EXPECT_EQ(std::string_view(p, 8), "\x80\x01\x02\x03\x04\x05\x06\x07");
    EXPECT_EQ(load_be64(p), 0x8001020304050607ULL);
  }
}

TEST(Bytes, ComparesSecrets) {
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_TRUE(equal_constant_time("secret", "secret"));
  EXPECT_FALSE(equal_constant_time("secret", "secre"));
  EXPECT_FALSE(equal_constant_time("secret", "Secret"));
  EXPECT_FALSE(equal_constant_time("secret", "secreT"));
  EXPECT_FALSE(equal_constant_time(std::string_view("\0", 1), ""));
  EXPECT_FALSE(equal_constant_time("\x80", std::string_view("\0", 1)));
}

}  // namespace
}  // namespace gatehouse
