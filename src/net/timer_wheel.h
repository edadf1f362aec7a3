#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace gatehouse::net {

/// Names a timer; stays safe to cancel after it has fired.
struct TimerId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0 names nothing
  friend bool operator==(const TimerId&, const TimerId&) = default;
};

/// Timers of one loop in a hierarchical wheel: start and cancel in constant time, 1 ms resolution, up to 2^32 ms (49 days).
/// Knows no clock: it is told the time. A timer never fires early.
class TimerWheel {
 public:
  using Callback = std::function<void()>;

  explicit TimerWheel(std::uint64_t now_ms);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// Tells the time without firing anything: what is started from now on counts from it.
  void observe(std::uint64_t now_ms) { told_ms_ = std::max(told_ms_, now_ms); }

  /// Calls `callback` once, `delay_ms` after the time last told. Timers of one millisecond fire in the order of their start.
  TimerId after(std::uint64_t delay_ms, Callback callback);
  /// Calls `callback` every `period_ms` (at least 1) until cancelled. Periods that passed without an advance() are left out: a
  /// process that was stopped for a minute does not fire a minute of heartbeats at once.
  TimerId every(std::uint64_t period_ms, Callback callback);
  /// Returns whether it was still to come. A timer may cancel itself or any other in its callback.
  bool cancel(TimerId id);

  /// Fires all that is due up to `now_ms`.
  void advance(std::uint64_t now_ms);
  /// Milliseconds until advance() must be called again: 0 when something is due, -1 when there is no timer.
  [[nodiscard]] int next_in_ms(std::uint64_t now_ms) const;
  [[nodiscard]] std::size_t size() const { return active_; }

 private:
  static constexpr int kLevels = 4;
  static constexpr int kBits = 8;
  static constexpr std::uint32_t kSlots = 1U << kBits;
  static constexpr std::uint32_t kNone = 0xffffffffU;

  struct Timer {
    std::uint64_t due_ms = 0;
    std::uint64_t period_ms = 0;  // 0 fires once
    std::uint64_t order = 0;      // of its start, among all
    Callback callback;
    std::uint32_t generation = 1;
    std::uint32_t next = kNone;
    std::uint32_t previous = kNone;
    std::uint32_t list = kNone;  // level * kSlots + slot it hangs in
  };

  std::uint32_t allocate();
  void link(std::uint32_t index);
  void unlink(std::uint32_t index);
  void release(std::uint32_t index);
  void cascade(int level);
  void fire(std::uint32_t list);
  TimerId start(std::uint64_t delay_ms, std::uint64_t period_ms, Callback callback);
  void set_head(std::uint32_t list, std::uint32_t index);
  /// How many slots after `from` (1..kSlots, or 0 with `from` itself included) the next one with timers is; kSlots + 1 if none.
  [[nodiscard]] std::uint32_t distance_to_occupied(int level, std::uint32_t from, bool include_from) const;

  /// The next tick at which something is due or is to be spread over lower levels; all ones when there is none.
  [[nodiscard]] std::uint64_t next_tick() const;
  [[nodiscard]] std::uint64_t find_next_tick() const;

  std::uint64_t now_ms_;   // up to where the wheel has turned
  std::uint64_t told_ms_;  // the latest time known; ahead of now_ms_ between two calls of advance()
  std::uint64_t started_ = 0;
  std::vector<Timer> timers_;
  std::uint32_t free_ = kNone;
  std::array<std::uint32_t, kLevels * kSlots> heads_;
  std::array<std::uint64_t, kLevels * kSlots / 64> occupied_{};  // a bit per list, so that the next timer is found in a few steps
  std::size_t active_ = 0;
  /// A loop asks every time it goes round. Empty when a list has become empty or has ceased to be (set_head()), for the answer
  /// depends on nothing else: time never passes the tick that is remembered without stopping there, where its list is emptied.
  mutable std::optional<std::uint64_t> next_tick_;
};

}  // namespace gatehouse::net
