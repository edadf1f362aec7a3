#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace loadgen {

/// Durations in nanoseconds, told in microseconds. Log-linear with 64 steps per power of two: a percentile is the upper edge of
/// its bucket (at most 1.6 % high), the maximum is exact.
class Histogram {
 public:
  void add(std::uint64_t duration_ns) {
    buckets_[bucket_of(duration_ns)]++;
    count_++;
    sum_ns_ += static_cast<double>(duration_ns);
    if (duration_ns > max_ns_) max_ns_ = duration_ns;
  }

  void merge(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double mean_us() const;
  [[nodiscard]] double max_us() const { return static_cast<double>(max_ns_) / 1e3; }
  /// `part` 0.99 is the 99th percentile. 0 when there is nothing.
  [[nodiscard]] double percentile_us(double part) const;

 private:
  static constexpr unsigned kStepBits = 6;
  static constexpr std::uint64_t kSteps = 1U << kStepBits;

  static std::size_t bucket_of(std::uint64_t duration_ns) {
    if (duration_ns < kSteps) return duration_ns;
    const unsigned exponent = static_cast<unsigned>(std::bit_width(duration_ns)) - 1;
    return ((exponent - kStepBits + 1) << kStepBits) + ((duration_ns >> (exponent - kStepBits)) & (kSteps - 1));
  }
  static std::uint64_t upper_edge_ns(std::size_t bucket);

  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>((64 - kStepBits + 1) << kStepBits);
  std::uint64_t count_ = 0;
  std::uint64_t max_ns_ = 0;
  double sum_ns_ = 0;
};

}  // namespace loadgen
