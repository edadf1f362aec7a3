#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "base/role_status.h"
#include "net/loop.h"

namespace gatehouse {

/// How much goes through a process, and how much of the time it works: looked at once a second, told of the last five seconds.
///
/// Thread rule: the loop's thread.
class ActivityMeter {
 public:
  ActivityMeter(net::Loop& loop, std::function<MessageCounts()> counts);
  ActivityMeter(const ActivityMeter&) = delete;
  ActivityMeter& operator=(const ActivityMeter&) = delete;
  ~ActivityMeter();

  /// Sets the fields of `status` that are per second, and busy_percent.
  void add_rates(RoleStatus& status) const;

  static constexpr std::chrono::milliseconds kPeriod{1000};
  static constexpr std::size_t kPeriods = 5;

 private:
  struct Sample {
    std::uint64_t at_ms = 0;
    std::uint64_t busy_ns = 0;
    MessageCounts counts;
  };
  [[nodiscard]] Sample take() const;

  net::Loop& loop_;
  std::function<MessageCounts()> counts_;
  std::array<Sample, kPeriods> samples_;  // in a ring
  std::size_t oldest_ = 0;
  net::TimerId timer_;
};

}  // namespace gatehouse
