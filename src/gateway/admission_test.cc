#include "gateway/admission.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gatehouse::gateway {
namespace {

net::Address address(const std::string& text) { return net::Endpoint::parse_numeric(text)->to_address(); }

TEST(Admission, OtherLimitsCountThoseThatAreThere) {
  Admission admission({});
  std::vector<net::Address> in;
  for (const char* text : {"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "[2001:db8::1]:4"}) {
    in.push_back(address(text));
    EXPECT_EQ(admission.enter(in.back(), 0), std::nullopt);
  }
  EXPECT_EQ(admission.addresses(), 0U) << "nobody has to be counted";
  admission.change({.connections = 5, .per_address = 2}, in);
  EXPECT_EQ(admission.addresses(), 2U);
  EXPECT_EQ(admission.enter(address("192.0.2.1:5"), 0), Limit::connections_per_address) << "those over it stay";
  admission.leave(in[0]);
  EXPECT_EQ(admission.enter(address("192.0.2.1:5"), 0), Limit::connections_per_address);
  admission.leave(in[1]);
  EXPECT_EQ(admission.enter(address("192.0.2.1:5"), 0), std::nullopt);
  admission.change({.connections = 3}, {in[2], in[3], address("192.0.2.1:5")});
  EXPECT_EQ(admission.addresses(), 0U);
  EXPECT_EQ(admission.enter(address("192.0.2.9:5"), 0), Limit::connections);
  for (const net::Address& each : {in[2], in[3], address("192.0.2.1:5")}) admission.leave(each);
  EXPECT_EQ(admission.size(), 0U);
}

TEST(Admission, AMemoryLimitThatIsTakenBackLetsInAtOnce) {
  Admission admission({.memory_bytes = 1, .memory_in_use = [] { return std::size_t{2}; }});
  admission.measure();
  EXPECT_EQ(admission.enter(address("192.0.2.1:1"), 0), Limit::memory);
  admission.change({}, {});
  EXPECT_EQ(admission.enter(address("192.0.2.1:1"), 0), std::nullopt);
}

TEST(Admission, AddressesOfIpv6CountByTheirPrefix) {
  Admission admission({.per_address = 2});
  const auto enter = [&](const std::string& text) { return admission.enter(address(text), 0); };
  EXPECT_EQ(enter("[2001:db8:0:1::1]:1"), std::nullopt);
  EXPECT_EQ(enter("[2001:db8:0:1:ffff:ffff:ffff:ffff]:2"), std::nullopt);
  EXPECT_EQ(enter("[2001:db8:0:1:1::]:3"), Limit::connections_per_address);
  EXPECT_EQ(enter("[2001:db8:0:2::1]:4"), std::nullopt);
  EXPECT_EQ(enter("192.0.2.1:5"), std::nullopt);
  EXPECT_EQ(enter("192.0.2.1:6"), std::nullopt);
  EXPECT_EQ(enter("192.0.2.1:7"), Limit::connections_per_address);
  EXPECT_EQ(enter("192.0.2.2:8"), std::nullopt) << "an IPv4 address is not cut";
  EXPECT_EQ(admission.addresses(), 4U);
  admission.leave(address("192.0.2.1:5"));
  EXPECT_EQ(enter("192.0.2.1:9"), std::nullopt);
  for (const char* text :
       {"[2001:db8:0:1::1]:1", "[2001:db8:0:1::2]:1", "[2001:db8:0:2::1]:4", "192.0.2.1:6", "192.0.2.1:9", "192.0.2.2:8"})
    admission.leave(address(text));
  EXPECT_EQ(admission.addresses(), 0U) << "nothing is remembered of those that have gone";
  EXPECT_EQ(admission.size(), 0U);
}

TEST(Admission, WhoMovesCountsAtHisNewAddress) {
  Admission admission({.per_address = 1, .proxies = net::AddressSet::parse({"10.0.0.0/8"}).value()});
  const net::Address proxy = address("10.0.0.1:1");
  const net::Address one = address("192.0.2.1:1");
  const net::Address two = address("192.0.2.2:1");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(admission.enter(proxy, 0), std::nullopt) << "a proxy stands for many";
  EXPECT_EQ(admission.addresses(), 0U);
  EXPECT_EQ(admission.move(proxy, one), std::nullopt);
  EXPECT_EQ(admission.move(proxy, one), Limit::connections_per_address);
  EXPECT_EQ(admission.size(), 3U) << "who was refused does not count any more";
  EXPECT_EQ(admission.move(proxy, two), std::nullopt);
  EXPECT_EQ(admission.enter(two, 0), Limit::connections_per_address) << "the same, without a proxy";
  EXPECT_EQ(admission.move(two, proxy), std::nullopt);
  EXPECT_EQ(admission.enter(two, 0), std::nullopt);
  for (const net::Address& each : {one, two, proxy, proxy}) admission.leave(each);
  EXPECT_EQ(admission.size(), 0U);
  EXPECT_EQ(admission.addresses(), 0U);
}

TEST(Admission, APrefixOfAnyLength) {
  Admission admission({.per_address = 1, .ipv6_prefix_bits = 50});
  EXPECT_EQ(admission.enter(address("[2001:db8:0:3fff::1]:1"), 0), std::nullopt);
  EXPECT_EQ(admission.enter(address("[2001:db8:0:0000::1]:1"), 0), Limit::connections_per_address);
  EXPECT_EQ(admission.enter(address("[2001:db8:0:4000::1]:1"), 0), std::nullopt);
}

TEST(Admission, NewOnesComeEvenly) {
  Admission admission({.new_per_s = 10});
  const net::Address who = address("192.0.2.1:1");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(admission.enter(who, 5000), std::nullopt);
  EXPECT_EQ(admission.enter(who, 5000), Limit::new_connections);
  EXPECT_EQ(admission.enter(who, 5099), Limit::new_connections);
  EXPECT_EQ(admission.enter(who, 5100), std::nullopt);
  EXPECT_EQ(admission.enter(who, 5100), Limit::new_connections);
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(admission.enter(who, 60'000), std::nullopt) << "no more than a second's worth is saved up";
  EXPECT_EQ(admission.enter(who, 60'000), Limit::new_connections);
}

TEST(Admission, MemoryIsLookedAtWhenToldTo) {
  std::size_t in_use = 100'000;
  Admission admission({.memory_bytes = 100'000, .memory_in_use = [&] { return in_use; }});
  const net::Address who = address("192.0.2.1:1");
  admission.measure();
  EXPECT_EQ(admission.enter(who, 0), std::nullopt);
  in_use = 100'001;
  admission.measure();
  EXPECT_EQ(admission.enter(who, 0), Limit::memory);
  in_use = 99'999;
  admission.measure();
  EXPECT_EQ(admission.enter(who, 0), std::nullopt);
  EXPECT_GT(heap_in_use() + 1, 0U);
}

// Thousands came between two looks, and were let in for what had been free at the first.
TEST(Admission, MemoryIsThatWhichThoseWhoAreInMayStillTake) {
  std::size_t promised = 0;
  Admission admission({.memory_bytes = 1'000'000,
                       .memory_in_use = [] { return std::size_t{400'000}; },
                       .memory_promised = [&] { return promised; }});
  const net::Address who = address("192.0.2.1:1");
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(admission.enter(who, 0), std::nullopt) << i;
    promised += 50'000 - Admission::kNewClientBytes;
  }
  promised += 1;
  EXPECT_EQ(admission.enter(who, 0), Limit::memory);
  promised -= 1;
  EXPECT_EQ(admission.enter(who, 0), std::nullopt) << "at the limit";
  // They have shaken hands: what they took is in what is looked at.
  promised = 0;
  admission.measure();
  EXPECT_EQ(admission.enter(who, 0), std::nullopt);
}

TEST(Admission, MemoryOfNewClientsCountsUntilTheNextLook) {
  Admission admission({.memory_bytes = 10 * Admission::kNewClientBytes, .memory_in_use = [] { return std::size_t{0}; }});
  const net::Address who = address("192.0.2.1:1");
  for (int i = 0; i < 11; ++i) EXPECT_EQ(admission.enter(who, 0), std::nullopt) << i;
  EXPECT_EQ(admission.enter(who, 0), Limit::memory);
  admission.measure();
  EXPECT_EQ(admission.enter(who, 0), std::nullopt);
}

}  // namespace
}  // namespace gatehouse::gateway
