#include "gateway/client_rates.h"

#include <gtest/gtest.h>

namespace gatehouse::gateway {
namespace {

TEST(ClientRates, LimitsThatComeLaterHoldForThoseThatAreThere) {
  ClientRates rates({});
  rates.begin(5, 0);
  rates.change({.messages_per_s = 2}, 256, 1000);
  ASSERT_TRUE(rates.is_limited());
  EXPECT_EQ(rates.wait_ms(5, 1000), 0U);
  EXPECT_TRUE(rates.spend(5, 2, 10, 1000));
  EXPECT_FALSE(rates.spend(5, 1, 10, 1000));
  EXPECT_GT(rates.wait_ms(5, 1000), 0U);
  EXPECT_EQ(rates.wait_ms(255, 1000), 0U) << "each has its own";
  rates.begin(256, 1000);
  EXPECT_EQ(rates.wait_ms(256, 1000), 0U);
}

TEST(ClientRates, ChangesAreForgottenWithTheLimits) {
  ClientRates rates({.messages_per_s = 1});
  rates.begin(0, 0);
  EXPECT_FALSE(rates.spend(0, 5, 0, 0));
  rates.change({.messages_per_s = 1}, 256, 0);
  EXPECT_GT(rates.wait_ms(0, 0), 0U) << "the same limits are no fresh start";
  rates.change({}, 256, 0);
  EXPECT_FALSE(rates.is_limited());
  rates.change({.bytes_per_s = 100}, 256, 0);
  EXPECT_EQ(rates.wait_ms(0, 0), 0U);
}

}  // namespace
}  // namespace gatehouse::gateway
