#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace gatehouse {

/// Lets so many log lines through in a second, or another period, and counts the rest, for lines that a peer or a bug can cause
/// at any rate.
class LogLimit {
 public:
  explicit LogLimit(std::uint32_t lines, std::uint64_t period_ms = 1000) : most_lines_(lines), period_ms_(period_ms) {}
  /// For what strangers can cause: the first at once, then a line every 10 s at most, which says how many there were.
  static LogLimit for_strangers() { return LogLimit(1, 10'000); }

  /// Whether a line may be written now.
  bool allow(std::uint64_t now_ms) {
    if (now_ms - since_ms_ >= period_ms_ || !has_begun_) {
      has_begun_ = true;
      since_ms_ = now_ms;
      lines_ = 0;
    }
    if (lines_ < most_lines_) {
      ++lines_;
      return true;
    }
    ++suppressed_;
    return false;
  }
  /// How many lines were held back since this was last asked.
  std::uint64_t take_suppressed() { return std::exchange(suppressed_, 0); }
  /// The same in words to stand at the end of a line; nothing when there were none.
  std::string take_suppressed_words() {
    const std::uint64_t count = take_suppressed();
    return count == 0 ? std::string() : " (and " + std::to_string(count) + " lines like it before)";
  }

 private:
  std::uint32_t most_lines_;
  std::uint64_t period_ms_;
  bool has_begun_ = false;
  std::uint32_t lines_ = 0;
  std::uint64_t since_ms_ = 0;
  std::uint64_t suppressed_ = 0;
};

}  // namespace gatehouse
