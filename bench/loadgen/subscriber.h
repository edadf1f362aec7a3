#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "connection.h"
#include "run_state.h"
#include "statistics.h"
#include "waker.h"

namespace loadgen {

/// The receiving end of fanout and all, for all subscribers of a worker.
class Subscriber {
 public:
  /// `publisher` is woken when a publication is complete; none when the publisher is on this worker's own thread.
  Subscriber(RunState& run, Statistics& statistics, const Waker* publisher);

  /// Compares it byte for byte; counts what is wrong.
  void take(Connection& connection, std::string_view message, std::uint64_t time_ns);

 private:
  void note(Count count, const char* problem);

  RunState& run_;
  Statistics& statistics_;
  const Waker* publisher_;
  const std::size_t size_;
};

}  // namespace loadgen
