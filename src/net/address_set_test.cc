#include "net/address_set.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gatehouse::net {
namespace {

Address address(const char* ip) { return Address::from_bytes(*parse_ip(ip), 1); }

bool contains(const std::vector<std::string>& ranges, const char* ip) {
  return AddressSet::parse(ranges).value().contains(address(ip));
}

TEST(AddressSet, RangesEndWhereTheirPrefixSays) {
  const std::vector<std::string> ranges = {"10.0.0.0/8", "192.168.1.128/25", "172.16.5.9", "2001:db8::/33", "::1"};
  for (const char* ip : {"10.0.0.0", "10.255.255.255", "192.168.1.128", "192.168.1.255", "172.16.5.9",
                         "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff", "::1", "::ffff:10.1.2.3"}) {
    EXPECT_TRUE(contains(ranges, ip)) << ip;
  }
  for (const char* ip : {"9.255.255.255", "11.0.0.0", "192.168.1.127", "192.168.2.128", "172.16.5.8", "172.16.5.10",
                         "2001:db7::", "2001:db8:8000::", "::", "::2", "a00::", "::10.0.0.1"}) {
    EXPECT_FALSE(contains(ranges, ip)) << ip;
  }
}

TEST(AddressSet, AFamilyIsNotTheOther) {
  EXPECT_TRUE(contains({"0.0.0.0/0"}, "255.0.255.0"));
  EXPECT_FALSE(contains({"0.0.0.0/0"}, "::1"));
  EXPECT_TRUE(contains({"::/0"}, "ff::"));
  EXPECT_TRUE(contains({"::/0"}, "1.2.3.4")) << "all there is";
  EXPECT_TRUE(contains({"::ffff:10.0.0.0/104"}, "10.9.8.7"));
  EXPECT_FALSE(contains({}, "127.0.0.1"));
  EXPECT_TRUE(AddressSet::parse({}).value().empty());
}

TEST(AddressSet, NamesWhatIsWrong) {
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"localhost", "neither an IP address"},
           {"", "neither an IP address"},
           {"10.0.0/8", "neither an IP address"},
           {"10.0.0.0/33", "from 0 to 32"},
           {"10.0.0.0/", "from 0 to 32"},
           {"10.0.0.0/8 ", "from 0 to 32"},
           {"10.0.0.0/-1", "from 0 to 32"},
           {"2001:db8::/129", "from 0 to 128"},
           {"10.0.0.1/8", "the range is 10.0.0.0/8, the address 10.0.0.1"},
           {"2001:db8::1/64", "the range is 2001:db8::/64, the address 2001:db8::1"}}) {
    const auto set = AddressSet::parse({"127.0.0.1", text});
    ASSERT_FALSE(set.has_value()) << text;
    EXPECT_NE(set.error().message.find('"' + text + '"'), std::string::npos) << set.error().message;
    EXPECT_NE(set.error().message.find(why), std::string::npos) << set.error().message;
  }
}

}  // namespace
}  // namespace gatehouse::net
