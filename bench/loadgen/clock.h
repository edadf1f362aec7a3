#pragma once

#include <time.h>

#include <cstdint>

namespace loadgen {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kMillisecondNs = 1'000'000;

/// Nanoseconds on a clock that nobody sets.
inline std::uint64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kSecondNs + static_cast<std::uint64_t>(now.tv_nsec);
}

/// Seconds of the command line, which may have a fraction, in nanoseconds.
inline std::uint64_t to_ns(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

inline double to_seconds(std::uint64_t duration_ns) { return static_cast<double>(duration_ns) / 1e9; }

}  // namespace loadgen
