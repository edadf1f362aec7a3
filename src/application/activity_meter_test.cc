#include "application/activity_meter.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

TEST(ActivityMeter, TellsOfTheLastSeconds) {
  net::Loop loop(Log::silent());
  MessageCounts counts;
  const ActivityMeter meter(loop, [&counts] { return counts; });
  // 10 messages in every 10 ms, and as many tenths out.
  const net::TimerId traffic = loop.every(std::chrono::milliseconds(10), [&counts] {
    counts.in += 10;
    counts.out += 1;
  });
  loop.after(std::chrono::milliseconds(500), [&loop] { loop.stop(); });
  loop.run();
  RoleStatus status;
  meter.add_rates(status);
  EXPECT_GT(status.messages_in_per_second, 50U);  // of 1,000; a busy machine may leave some out
  EXPECT_LE(status.messages_in_per_second, 1000U);
  EXPECT_NEAR(static_cast<double>(status.messages_out_per_second), static_cast<double>(status.messages_in_per_second) / 10, 2);
  EXPECT_LT(status.busy_percent, 50U);
  loop.cancel(traffic);
}

TEST(ActivityMeter, AWorkingLoopIsBusy) {
  net::Loop loop(Log::silent());
  const ActivityMeter meter(loop, [] { return MessageCounts{}; });
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  loop.post([end] {
    while (std::chrono::steady_clock::now() < end) {
    }
  });
  loop.after(std::chrono::milliseconds(310), [&loop] { loop.stop(); });
  loop.run();
  RoleStatus status;
  meter.add_rates(status);
  EXPECT_GT(status.busy_percent, 50U);
  EXPECT_LE(status.busy_percent, 100U);
}

}  // namespace
}  // namespace gatehouse
