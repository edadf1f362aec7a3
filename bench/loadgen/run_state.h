#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "filler.h"
#include "first_error.h"
#include "options.h"
#include "publish_log.h"

namespace loadgen {

/// What main and the workers of one run share. Times are those of now_ns(); 0 means not known yet.
struct RunState {
  explicit RunState(const Options& chosen) : options(chosen), filler(chosen.size), publications(chosen.is_fan_out()) {}

  const Options& options;
  const Filler filler;
  FirstError first_error;
  PublishLog publications;

  std::atomic<std::uint64_t> load_start_ns{0};
  std::atomic<std::uint64_t> window_start_ns{0};  ///< only what arrives from here ...
  std::atomic<std::uint64_t> window_end_ns{0};    ///< ... until here is measured
  std::atomic<bool> quit{false};

  std::atomic<std::size_t> workers_set_up{0};
  std::atomic<std::size_t> workers_drained{0};  ///< echo: the window is over and every reply is there
  std::atomic<std::uint64_t> connections_up{0};
  std::atomic<std::uint64_t> first_connect_ns{UINT64_MAX};
  std::atomic<std::uint64_t> last_up_ns{0};
  std::atomic<std::uint64_t> subscribers_gone{0};

  [[nodiscard]] bool is_measured(std::uint64_t time_ns) const { return time_ns >= window_start_ns && time_ns < window_end_ns; }
};

/// The earliest or the latest of the times of all workers.
inline void lower_to(std::atomic<std::uint64_t>& earliest, std::uint64_t time_ns) {
  std::uint64_t known = earliest;
  while (time_ns < known && !earliest.compare_exchange_weak(known, time_ns)) {
  }
}

inline void raise_to(std::atomic<std::uint64_t>& latest, std::uint64_t time_ns) {
  std::uint64_t known = latest;
  while (time_ns > known && !latest.compare_exchange_weak(known, time_ns)) {
  }
}

}  // namespace loadgen
