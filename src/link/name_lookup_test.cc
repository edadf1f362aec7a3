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

TEST(NameLookup, MayGoWhileItsThreadRuns) {
  for (int i = 0; i < 20; ++i) {
    NameLookup lookup("localhost:1");
    (void)lookup.next();
    (void)lookup.next();
  }
}

}  // namespace
}  // namespace gatehouse::link
