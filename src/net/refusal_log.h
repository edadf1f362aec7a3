#pragma once

#include <cstdint>

namespace gatehouse::net {

/// When the log is told of connections that were refused for want of descriptors, and of how many: at once of the first, and
/// every kPeriodMs of those that came since, so that the numbers in the lines add up to all of them.
class RefusalLog {
 public:
  static constexpr std::uint64_t kPeriodMs = 10'000;

  /// What a line is to say now, when there have been `refused` in all; 0 when there is to be none. After each line this is to be
  /// asked again in kPeriodMs, even if nobody has been refused then.
  std::uint64_t take(std::uint64_t now_ms, std::uint64_t refused) {
    if (refused == logged_ || !is_due(now_ms)) return 0;
    last_ms_ = now_ms;
    const std::uint64_t since = refused - logged_;
    logged_ = refused;
    return since;
  }
  /// Whether a line may be written now that says that newcomers cannot even be refused.
  bool take_helpless(std::uint64_t now_ms) {
    if (!is_due(now_ms)) return false;
    last_ms_ = now_ms;
    return true;
  }

 private:
  [[nodiscard]] bool is_due(std::uint64_t now_ms) const { return last_ms_ == 0 || now_ms - last_ms_ >= kPeriodMs; }

  std::uint64_t last_ms_ = 0;
  std::uint64_t logged_ = 0;
};

}  // namespace gatehouse::net
