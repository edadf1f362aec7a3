#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "histogram.h"

namespace loadgen {

/// What is counted. The names in the report: report.cc.
enum class Count : std::size_t {
  // What went wrong with a connection.
  connect_failed,
  handshake_failed,
  timed_out,
  closed_by_server,
  reset,
  protocol_error,
  // What went wrong with a message.
  mismatch,
  disorder,
  duplicate,
  lost,
  message_timeout,
  // What is no error. (A gap of a subscriber is one only when the message never comes: then it is lost.)
  gap,
  sent,
  measured,
  pings,
  unsolicited,
  publisher_received,
  cycles,
  cycles_measured,
  close_frames,
  close_eofs,
  stalls,
  end_of_counts,
};

/// What one worker has seen. Every worker has its own, so that no counter is shared while the load runs.
class Statistics {
 public:
  std::uint64_t& operator[](Count count) { return counts_[static_cast<std::size_t>(count)]; }
  std::uint64_t operator[](Count count) const { return counts_[static_cast<std::size_t>(count)]; }

  Histogram connecting;    ///< from connect() until up
  Histogram latency;       ///< of an echo, a delivery or a cycle
  Histogram time_to_last;  ///< of a publication: until the last subscriber has it

  void merge(const Statistics& other) {
    for (std::size_t i = 0; i < counts_.size(); i++) counts_[i] += other.counts_[i];
    connecting.merge(other.connecting);
    latency.merge(other.latency);
    time_to_last.merge(other.time_to_last);
  }

  [[nodiscard]] std::uint64_t errors() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(Count::gap); i++) sum += counts_[i];
    return sum;
  }

 private:
  std::array<std::uint64_t, static_cast<std::size_t>(Count::end_of_counts)> counts_{};
};

}  // namespace loadgen
