#include "histogram.h"

#include <algorithm>

namespace loadgen {

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < buckets_.size(); i++) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

double Histogram::mean_us() const { return count_ > 0 ? sum_ns_ / static_cast<double>(count_) / 1e3 : 0; }

double Histogram::percentile_us(double part) const {
  if (count_ == 0) return 0;
  // The smallest rank that covers the part; what is added to round up leaves whole numbers as they are.
  const auto rank =
      std::clamp<std::uint64_t>(static_cast<std::uint64_t>(part * static_cast<double>(count_) + 0.9999999), 1, count_);
  std::uint64_t passed = 0;
  for (std::size_t i = 0; i < buckets_.size(); i++) {
    passed += buckets_[i];
    if (passed >= rank) return static_cast<double>(std::min(upper_edge_ns(i), max_ns_)) / 1e3;
  }
  return max_us();
}

std::uint64_t Histogram::upper_edge_ns(std::size_t bucket) {
  if (bucket < kSteps) return bucket;
  const std::size_t shift = (bucket >> kStepBits) - 1;
  const std::uint64_t lower_edge = (kSteps + (bucket & (kSteps - 1))) << shift;
  return lower_edge + (std::uint64_t{1} << shift) - 1;
}

}  // namespace loadgen
