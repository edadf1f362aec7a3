#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace gatehouse::link {

/// The time in which a connection between roles is not there, from the line of the log that says so to the one that says that it
/// is back: one of each, however often it is dialled in between.
///
/// It is back when it has stood for a moment. One that comes and goes all the time, such as to a register that knows another
/// secret_key, is not back.
class Outage {
 public:
  static constexpr int kSettledMs = 2'000;  // that it has to stand

  /// A connection was lost or could not be made; true when that is news, and so to be logged.
  bool begin(std::uint64_t now_ms) {
    if (lasts_) return false;
    lasts_ = true;
    since_ms_ = now_ms;
    return true;
  }
  [[nodiscard]] bool lasts() const { return lasts_; }
  /// The connection that came up at `up_ms` has stood for long enough. Words for the end of a line: "again after 3 s".
  std::string end(std::uint64_t up_ms) {
    lasts_ = false;
    const bool again = std::exchange(was_up_, true);
    const std::uint64_t ms = up_ms > since_ms_ ? up_ms - since_ms_ : 0;
    return (again ? "again after " : "after ") + std::to_string((ms + 500) / 1000) + " s";
  }
  /// A line has said that it is up, now or at some time before.
  [[nodiscard]] bool was_up() const { return was_up_; }
  void note_up() { was_up_ = true; }

 private:
  bool lasts_ = false;
  bool was_up_ = false;
  std::uint64_t since_ms_ = 0;
};

}  // namespace gatehouse::link
