#include "stop_signals.h"

#include <ctime>

#include "clock.h"

namespace loadgen {

StopSignals::StopSignals() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGTERM);
  sigaddset(&signals_, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

bool StopSignals::raised() {
  sleep_ns(0);
  return raised_;
}

void StopSignals::sleep_ns(std::uint64_t duration_ns) {
  if (raised_) return;
  const timespec duration = {static_cast<time_t>(duration_ns / kSecondNs), static_cast<long>(duration_ns % kSecondNs)};
  raised_ = sigtimedwait(&signals_, nullptr, &duration) > 0;
}

void StopSignals::sleep_until_ns(std::uint64_t time_ns) {
  // More than once when the process was stopped meanwhile.
  for (std::uint64_t now = now_ns(); !raised() && now < time_ns; now = now_ns()) sleep_ns(time_ns - now);
}

}  // namespace loadgen
