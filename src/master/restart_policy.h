#pragma once

#include <chrono>

namespace gatehouse::master {

/// How long to wait before a process that ended is started again: not at all at first, longer and longer while it keeps ending
/// soon after its start, so that one that cannot work does not take a processor for itself and fill the log.
class RestartPolicy {
 public:
  using Duration = std::chrono::milliseconds;

  /// The pause before the next start of a process that lived for `lifetime`.
  Duration pause_after(Duration lifetime);

  static constexpr Duration kLongEnough{2'000};  // it worked: what comes next is a new failure
  static constexpr Duration kFirstPause{100};
  static constexpr Duration kLongestPause{30'000};

 private:
  bool failed_before_ = false;
  Duration next_{kFirstPause};
};

}  // namespace gatehouse::master
