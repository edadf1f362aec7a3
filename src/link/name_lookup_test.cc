#include "link/name_lookup.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace gatehouse::link {
namespace {

TEST(NameLookup, AnAddressStaysWhatItIs) {
  NameLookup lookup("127.0.0.1:1236");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(lookup.next().value().to_string(), "127.0.0.1:1236");
}

TEST(NameLookup, ANameIsLookedUpAtOnceAndAgainWhileTheOldAddressServes) {
  NameLookup lookup("localhost:1236");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  do {
    const auto endpoint = lookup.next();
    ASSERT_TRUE(endpoint.has_value());
    EXPECT_TRUE(endpoint->is_loopback());
    EXPECT_EQ(endpoint->to_address().port(), 1236);
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < deadline);
}

TEST(NameLookup, AFailureNamesTheAddressAndIsTriedAgain) {
  NameLookup lookup("no such name.invalid:1");
  for (int i = 0; i < 3; ++i) {
    const auto endpoint = lookup.next();
    ASSERT_FALSE(endpoint.has_value());
    EXPECT_NE(endpoint.error().message.find("no such name.invalid:1"), std::string::npos) << endpoint.error().message;
  }
  EXPECT_FALSE(NameLookup("127.0.0.1").next().has_value());
}

net::Endpoint endpoint(const char* text) { return net::Endpoint::parse_numeric(text).value(); }

TEST(NameLookup, AllAddressesOfANameHaveTheirTurn) {
  NameLookup lookup("two.example:7", [](const std::string&) {
    return std::vector{endpoint("127.0.0.1:7"), endpoint("[::1]:7"), endpoint("127.0.0.2:7")};
  });
  EXPECT_FALSE(lookup.has_several()) << "nothing has been asked for yet";
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(lookup.next().value().to_string(), "127.0.0.1:7");
    EXPECT_TRUE(lookup.has_several());
    EXPECT_TRUE(lookup.failed());
    EXPECT_EQ(lookup.next().value().to_string(), "[::1]:7");
    EXPECT_EQ(lookup.next().value().to_string(), "[::1]:7") << "one that has worked is dialled again";
    EXPECT_TRUE(lookup.failed());
    EXPECT_EQ(lookup.next().value().to_string(), "127.0.0.2:7");
    EXPECT_FALSE(lookup.failed()) << "now it is time for a pause";
  }
}

TEST(NameLookup, ANumberHasOneAddressAndAFailureNone) {
  NameLookup number("127.0.0.1:7");
  (void)number.next();
  EXPECT_FALSE(number.has_several());
  EXPECT_FALSE(number.failed());
  NameLookup nobody("nobody.example:7", [](const std::string&) { return failure("no"); });
  (void)nobody.next();
  EXPECT_FALSE(nobody.failed());
  EXPECT_FALSE(nobody.has_several());
}

TEST(NameLookup, TheSystemsAddressesAreWholeAndWithoutDoubles) {
  const auto found = NameLookup::resolve("localhost:7").value();
  ASSERT_FALSE(found.empty());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_TRUE(found[i].is_loopback());
    for (std::size_t k = 0; k < i; ++k) EXPECT_NE(found[i].to_string(), found[k].to_string());
  }
  EXPECT_EQ(NameLookup::resolve("[::1]:7").value().front().to_string(), "[::1]:7");
  EXPECT_FALSE(NameLookup::resolve("127.0.0.1").has_value());
}

TEST(NameLookup, MayGoWhileItsThreadRuns) {
  for (int i = 0; i < 20; ++i) {
    NameLookup lookup("localhost:1");
    (void)lookup.next();
    (void)lookup.next();
  }
}

}  // namespace
}  // namespace gatehouse::link
