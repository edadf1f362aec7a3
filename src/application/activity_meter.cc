#include "application/activity_meter.h"

#include <algorithm>
#include <utility>

namespace gatehouse {

ActivityMeter::ActivityMeter(net::Loop& loop, std::function<MessageCounts()> counts) : loop_(loop), counts_(std::move(counts)) {
  samples_.fill(take());
  timer_ = loop_.every(kPeriod, [this] {
    samples_[oldest_] = take();
    oldest_ = (oldest_ + 1) % kPeriods;
  });
}

ActivityMeter::~ActivityMeter() { loop_.cancel(timer_); }

ActivityMeter::Sample ActivityMeter::take() const { return {loop_.now_ms(), loop_.busy_ns(), counts_()}; }

void ActivityMeter::add_rates(RoleStatus& status) const {
  const Sample& then = samples_[oldest_];
  const Sample now = take();
  const std::uint64_t passed_ms = std::max<std::uint64_t>(now.at_ms - then.at_ms, 1);
  const auto per_second = [passed_ms](std::uint64_t before, std::uint64_t after) { return (after - before) * 1000 / passed_ms; };
  status.messages_in_per_second = per_second(then.counts.in, now.counts.in);
  status.messages_out_per_second = per_second(then.counts.out, now.counts.out);
  // busy_ns is in nanoseconds, a hundredth of a millisecond is 10,000 of them.
  status.busy_percent = std::min<std::uint64_t>((now.busy_ns - then.busy_ns) / 10'000 / passed_ms, 100);
}

}  // namespace gatehouse
