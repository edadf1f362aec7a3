#include "net/tls_tickets.h"

#include <gtest/gtest.h>

namespace gatehouse::net {
namespace {

constexpr std::uint64_t kNow = 1'800'000'000 / TlsTickets::kPeriodS * TlsTickets::kPeriodS;

TEST(TlsTickets, OneSeedGivesEveryProcessTheSameKeysAtAnyTime) {
  const auto origin = TlsTickets::parse(TlsTickets::draw(kNow));
  ASSERT_TRUE(origin);
  TlsTickets old(origin->seed, origin->since_s);
  TlsTickets young(origin->seed, origin->since_s);
  (void)old.current(kNow);
  (void)old.current(kNow + TlsTickets::kPeriodS);
  const std::uint64_t later = kNow + 5 * TlsTickets::kPeriodS;
  EXPECT_EQ(old.current(later).name, young.current(later).name);
  EXPECT_EQ(old.current(later).cipher, young.current(later).cipher);
  EXPECT_EQ(old.current(later).mac, young.current(later).mac);
}

TEST(TlsTickets, KeysOfThePeriodBeforeAreKnownAndOlderOnesAreNot) {
  TlsTickets tickets({1, 2, 3}, kNow);
  const auto name = tickets.current(kNow).name;
  EXPECT_EQ(tickets.find(name.data(), kNow + TlsTickets::kPeriodS - 1), &tickets.current(kNow));
  const TlsTickets::Keys* before = tickets.find(name.data(), kNow + TlsTickets::kPeriodS);
  ASSERT_NE(before, nullptr);
  EXPECT_NE(before, &tickets.current(kNow + TlsTickets::kPeriodS));
  EXPECT_EQ(tickets.find(name.data(), kNow + 2 * TlsTickets::kPeriodS), nullptr);
  TlsTickets paused({1, 2, 3}, kNow);
  EXPECT_EQ(paused.find(name.data(), kNow + 9 * TlsTickets::kPeriodS), nullptr);
  TlsTickets late({1, 2, 3}, kNow);
  EXPECT_NE(late.find(name.data(), kNow + TlsTickets::kPeriodS), nullptr) << "not asked in the first period";
}

TEST(TlsTickets, ParsesOnlyWhatWasDrawn) {
  const std::string text = TlsTickets::draw(kNow);
  EXPECT_NE(text, TlsTickets::draw(kNow));
  for (const std::string& wrong : {std::string(), text.substr(1 + text.find(':')), text + "0", text.substr(0, text.size() - 1),
                                   text.substr(0, text.size() - 1) + "x", "x" + text, std::string(":")}) {
    EXPECT_FALSE(TlsTickets::parse(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace gatehouse::net
