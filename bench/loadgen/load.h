#pragma once

#include <cstdint>
#include <deque>
#include <thread>
#include <vector>

#include "cpu_use.h"
#include "options.h"
#include "outcome.h"
#include "run_state.h"
#include "stop_signals.h"
#include "worker.h"

namespace loadgen {

/// One run from the first connection to the figures: starts the workers, sets the times, samples the processor time.
class Load {
 public:
  /// Throws UsageError when the system's limits do not allow so many connections.
  explicit Load(const Options& options);

  /// Prints READY when all connections are up.
  Outcome run();

 private:
  void create_workers();
  bool wait_for_setup();
  void print_ready() const;
  void hold();
  void measure();
  void drain();
  [[nodiscard]] bool is_drained() const;
  void stop_workers();
  void count_deliveries();
  [[nodiscard]] std::vector<CpuUse> sample_cpu() const;
  void take_cpu(const std::vector<CpuUse>& before, const std::vector<CpuUse>& after);

  const Options& options_;
  RunState run_;
  StopSignals stop_;
  std::deque<Worker> workers_;
  std::vector<std::thread> threads_;
  Outcome outcome_;
};

}  // namespace loadgen
