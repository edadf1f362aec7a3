#include "gateway/deny_list.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::gateway {
namespace {

net::AddressRange range(const std::string& text) { return net::AddressRange::parse(text).value(); }
net::Address ip_address(const char* ip) { return net::Address::from_bytes(*parse_ip(ip), 1); }

TEST(DenyList, HoldsRangesOfBothFamiliesUntilTheirTime) {
  DenyList list;
  EXPECT_TRUE(list.empty());
  EXPECT_FALSE(list.contains(ip_address("192.0.2.1"), 0));
  list.add(range("192.0.2.0/24"), 1000);
  list.add(range("198.51.100.7"), DenyList::kForEver);
  list.add(range("2001:db8::/32"), 2000);
  EXPECT_EQ(list.size(), 3U);
  EXPECT_TRUE(list.contains(ip_address("192.0.2.255"), 999));
  EXPECT_FALSE(list.contains(ip_address("192.0.2.255"), 1000)) << "its time is over";
  EXPECT_FALSE(list.contains(ip_address("192.0.3.0"), 0));
  EXPECT_TRUE(list.contains(ip_address("::ffff:198.51.100.7"), 1'000'000));
  EXPECT_FALSE(list.contains(ip_address("198.51.100.8"), 0));
  EXPECT_TRUE(list.contains(ip_address("2001:db8:ffff::1"), 1999));
  EXPECT_FALSE(list.contains(ip_address("2001:db9::"), 0));
}

TEST(DenyList, ForgetsWhatIsOver) {
  DenyList list;
  list.add(range("192.0.2.0/24"), 1000);
  list.add(range("198.51.100.0/24"), 3000);
  list.add(range("::1"), 1000);
  list.forget_expired(999);
  EXPECT_EQ(list.size(), 3U);
  list.forget_expired(1000);
  EXPECT_EQ(list.size(), 1U);
  list.forget_expired(3000);
  EXPECT_TRUE(list.empty());
}

TEST(DenyList, ARangeIsTakenOffExactlyAsItIsThere) {
  DenyList list;
  list.add(range("192.0.2.0/24"), 1000);
  list.add(range("192.0.2.0/24"), 2000);
  EXPECT_EQ(list.size(), 1U);
  EXPECT_TRUE(list.contains(ip_address("192.0.2.9"), 1500)) << "the later time counts";
  EXPECT_FALSE(list.remove(range("192.0.2.0/25")));
  EXPECT_FALSE(list.remove(range("192.0.2.9")));
  EXPECT_TRUE(list.remove(range("192.0.2.0/24")));
  EXPECT_FALSE(list.remove(range("192.0.2.0/24")));
  EXPECT_TRUE(list.empty());
}

}  // namespace
}  // namespace gatehouse::gateway
