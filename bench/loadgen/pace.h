#pragma once

#include <cstdint>

namespace loadgen {

/// The open loop: messages fall due at fixed times, however slow the server is. A time that was missed stays due, so that the
/// latencies hold the waiting too.
class Pace {
 public:
  /// `rate` in messages per second; 0 is no open loop.
  explicit Pace(double rate)
      : is_open_loop_(rate > 0), interval_ns_(is_open_loop_ ? static_cast<std::uint64_t>(1e9 / rate) : 0) {}

  [[nodiscard]] bool is_open_loop() const { return is_open_loop_; }
  [[nodiscard]] std::uint64_t next_due_ns() const { return next_due_ns_; }
  void start(std::uint64_t time_ns) { next_due_ns_ = time_ns; }
  void advance() { next_due_ns_ += interval_ns_; }

 private:
  bool is_open_loop_;
  std::uint64_t interval_ns_;
  std::uint64_t next_due_ns_ = 0;
};

}  // namespace loadgen
