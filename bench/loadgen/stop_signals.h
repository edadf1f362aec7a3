#pragma once

#include <signal.h>

#include <cstdint>

namespace loadgen {

/// SIGINT, SIGTERM and SIGHUP end a run early, with its figures. They are blocked and waited for: a handler would need a global.
class StopSignals {
 public:
  /// Before the first thread starts: threads inherit what is blocked.
  StopSignals();

  /// Whether one has come.
  bool raised();
  /// These return at once when one comes, or has come.
  void sleep_ns(std::uint64_t duration_ns);
  void sleep_until_ns(std::uint64_t time_ns);

 private:
  sigset_t signals_;
  bool raised_ = false;
};

}  // namespace loadgen
