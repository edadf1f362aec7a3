#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cpu_use.h"
#include "statistics.h"

namespace loadgen {

/// What there is to report of a run.
struct Outcome {
  Statistics statistics;        ///< of all workers
  std::uint64_t window_ns = 0;  ///< how long was measured
  std::uint64_t setup_ns = 0;   ///< from the first connect() until the last connection was up
  std::uint64_t up = 0;         ///< connections, after the set-up
  std::uint64_t up_at_end = 0;
  std::uint64_t published = 0;
  std::uint64_t expected = 0;  ///< deliveries
  std::uint64_t delivered = 0;
  std::uint64_t subscribers_gone = 0;
  std::string first_error;
  CpuUse own_cpu;                  ///< during the window
  std::vector<CpuUse> server_cpu;  ///< likewise, in the order of --pid
};

}  // namespace loadgen
