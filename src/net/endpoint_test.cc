#include "net/endpoint.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>
#include <string>
#include <string_view>

namespace gatehouse::net {
namespace {

TEST(Endpoint, ReadsNumericAddresses) {
  struct Case {
    std::string_view text;
    std::string_view shown;
    int family;
    bool loopback;
  };
  for (const Case& each :
       {Case{"127.0.0.1:1236", "127.0.0.1:1236", AF_INET, true}, Case{"0.0.0.0:0", "0.0.0.0:0", AF_INET, false},
        Case{"192.168.1.9:65535", "192.168.1.9:65535", AF_INET, false}, Case{"[::1]:80", "[::1]:80", AF_INET6, true},
        Case{"[::]:7272", "[::]:7272", AF_INET6, false}, Case{"127.255.255.254:1", "127.255.255.254:1", AF_INET, true},
        Case{"[2001:DB8:0:0::1]:443", "[2001:db8::1]:443", AF_INET6, false},
        // An IPv4 client of an IPv6 listener is shown as what it is.
        Case{"[::ffff:10.0.0.1]:5", "10.0.0.1:5", AF_INET6, false},
        Case{"[::ffff:127.0.0.1]:5", "127.0.0.1:5", AF_INET6, true}}) {
    const auto numeric = Endpoint::parse_numeric(each.text);
    ASSERT_TRUE(numeric) << each.text << ": " << numeric.error().message;
    EXPECT_EQ(numeric->to_string(), each.shown);
    EXPECT_EQ(numeric->family(), each.family);
    EXPECT_EQ(numeric->is_loopback(), each.loopback) << each.text;
    EXPECT_EQ(numeric->length(), each.family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    const auto resolved = Endpoint::resolve(each.text);
    ASSERT_TRUE(resolved) << each.text;
    EXPECT_EQ(resolved->to_string(), each.shown);
  }
}

TEST(Endpoint, RefusesWhatIsNoAddress) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv,
                                      ":"sv,
                                      "80"sv,
                                      ":80"sv,
                                      "127.0.0.1"sv,
                                      "127.0.0.1:"sv,
                                      "127.0.0.1:65536"sv,
                                      "127.0.0.1:-1"sv,
                                      "127.0.0.1:+1"sv,
                                      "127.0.0.1:1x"sv,
                                      "127.0.0.1: 1"sv,
                                      "127.0.0.1:0x50"sv,
                                      "127.0.0.1:99999999999999999999"sv,
                                      "::1:80"sv,
                                      "::1"sv,
                                      "[::1]"sv,
                                      "[::1]80"sv,
                                      "[]:80"sv,
                                      "[::1:80"sv,
                                      "::1]:80"sv,
                                      "[::g]:80"sv,
                                      "[127.0.0.1]:80"sv,
                                      "256.0.0.1:80"sv,
                                      "1.2.3.4.5:80"sv,
                                      "127.0.0.1\0:80"sv,
                                      "127.0.0.1\0evil:80"sv,
                                      "127.0.0.1:80\0"sv,
                                      "http://127.0.0.1:80"sv,
                                      "127.0.0.1:80:80"sv}) {
    const auto numeric = Endpoint::parse_numeric(text);
    ASSERT_FALSE(numeric) << text;
    EXPECT_FALSE(numeric.error().message.empty());
    if (text.find('.') == std::string_view::npos || text.find('\0') != std::string_view::npos) {
      EXPECT_FALSE(Endpoint::resolve(text)) << text;
    }
  }
}

TEST(Endpoint, ParseNumericAsksNobodyAndTakesPlainNumbersOnly) {
  for (const std::string_view text : {"localhost:80", "example.org:80", "1:80", "127.1:80", "0x7f000001:80", "2130706433:80",
                                      "0177.0.0.1:80", "127.0.0.01:80", " 127.0.0.1:80"}) {
    EXPECT_FALSE(Endpoint::parse_numeric(text)) << text;
  }
}

TEST(Endpoint, ResolvesANameToIpv4First) {
  const auto endpoint = Endpoint::resolve("localhost:1236");
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  EXPECT_EQ(endpoint->to_string(), "127.0.0.1:1236");
  EXPECT_TRUE(endpoint->is_loopback());
}

TEST(Endpoint, TheMessageNamesTheTextAndTheRemedy) {
  const auto endpoint = Endpoint::resolve("127.0.0.1");
  ASSERT_FALSE(endpoint);
  EXPECT_NE(endpoint.error().message.find("'127.0.0.1'"), std::string::npos);
  EXPECT_NE(endpoint.error().message.find("HOST:PORT"), std::string::npos);
}

TEST(Address, KeepsIpv4AsMappedIpv6) {
  const Address address = Address::from_ipv4(0x7f000001U, 8080);
  EXPECT_TRUE(address.is_ipv4());
  EXPECT_TRUE(address.is_loopback());
  EXPECT_EQ(address.ipv4(), 0x7f000001U);
  EXPECT_EQ(address.port(), 8080);
  EXPECT_EQ(address.ip(), "127.0.0.1");
  EXPECT_EQ(address.to_string(), "127.0.0.1:8080");
  const Address copy = Address::from_bytes(reinterpret_cast<const char*>(address.bytes().data()), 9);  // NOLINT
  EXPECT_EQ(copy.to_string(), "127.0.0.1:9");
}

TEST(Address, HighIpv4AddressesKeepTheirSign) {
  EXPECT_EQ(Address::from_ipv4(0xffffffffU, 65535).to_string(), "255.255.255.255:65535");
  EXPECT_EQ(Address::from_ipv4(0xc0a80109U, 1).ipv4(), 0xc0a80109U);
}

TEST(Address, Ipv6HasNoIpv4) {
  sockaddr_storage storage{};
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(443);
  ASSERT_EQ(inet_pton(AF_INET6, "2001:db8::7f00:1", &in6.sin6_addr), 1);
  std::memcpy(&storage, &in6, sizeof in6);
  const Address address = Address::from_sockaddr(storage);
  EXPECT_FALSE(address.is_ipv4());
  EXPECT_FALSE(address.is_loopback());
  EXPECT_EQ(address.ipv4(), 0U);
  EXPECT_EQ(address.ip(), "2001:db8::7f00:1");
  EXPECT_EQ(address.to_string(), "[2001:db8::7f00:1]:443");
}

TEST(Address, OfAnotherFamilyIsNothing) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  const Address address = Address::from_sockaddr(storage);
  EXPECT_EQ(address.to_string(), "[::]:0");
  EXPECT_FALSE(address.is_loopback());
}

}  // namespace
}  // namespace gatehouse::net
