#include "net/timer_wheel.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace gatehouse::net {

// Level l holds timers due within kSlots^(l+1) ms, in the slot that bits [8l, 8l+8) of their due time name. When the low bits
// of the time wrap to 0, the next level's current slot is spread over the levels below.

TimerWheel::TimerWheel(std::uint64_t now_ms) : now_ms_(now_ms), told_ms_(now_ms) { heads_.fill(kNone); }

TimerId TimerWheel::after(std::uint64_t delay_ms, Callback callback) { return start(delay_ms, 0, std::move(callback)); }

TimerId TimerWheel::every(std::uint64_t period_ms, Callback callback) {
  const std::uint64_t period = std::clamp<std::uint64_t>(period_ms, 1, 0xffffffffULL);
  return start(period, period, std::move(callback));
}

TimerId TimerWheel::start(std::uint64_t delay_ms, std::uint64_t period_ms, Callback callback) {
  const std::uint32_t index = allocate();
  Timer& timer = timers_[index];
  timer.due_ms = told_ms_ + std::min<std::uint64_t>(delay_ms, 0xffffffffULL);
  timer.order = started_++;
  timer.period_ms = period_ms;
  timer.callback = std::move(callback);
  link(index);
  ++active_;
  return {index, timer.generation};
}

bool TimerWheel::cancel(TimerId id) {
  if (id.slot >= timers_.size() || id.generation == 0 || timers_[id.slot].generation != id.generation) return false;
  if (timers_[id.slot].list != kNone) unlink(id.slot);
  release(id.slot);
  return true;
}

void TimerWheel::advance(std::uint64_t now_ms) {
  observe(now_ms);
  fire(static_cast<std::uint32_t>(now_ms_ & (kSlots - 1)));  // those started with no delay since the last tick
  while (now_ms_ < now_ms) {
    // Ticks at which nothing hangs are passed over: there may be millions after a long sleep.
    now_ms_ = std::min(std::max(next_tick(), now_ms_ + 1), now_ms);
    for (int level = 1; level < kLevels; ++level) {
      if ((now_ms_ & ((1ULL << (level * kBits)) - 1)) != 0) break;
      cascade(level);
    }
    fire(static_cast<std::uint32_t>(now_ms_ & (kSlots - 1)));
  }
}

int TimerWheel::next_in_ms(std::uint64_t now_ms) const {
  if (active_ == 0) return -1;
  const std::uint64_t when = next_tick();
  if (when <= now_ms) return 0;
  return static_cast<int>(std::min<std::uint64_t>(when - now_ms, 60'000));
}

std::uint64_t TimerWheel::next_tick() const {
  if (!next_tick_) next_tick_ = find_next_tick();
  return *next_tick_;
}

std::uint64_t TimerWheel::find_next_tick() const {
  std::uint64_t when = ~0ULL;
  for (int level = 0; level < kLevels; ++level) {
    const std::uint64_t tick = now_ms_ >> (level * kBits);
    // The current slot of a higher level has been spread already; what hangs there is due a whole turn later.
    const std::uint32_t ahead = distance_to_occupied(level, static_cast<std::uint32_t>(tick & (kSlots - 1)), level == 0);
    if (ahead <= kSlots) when = std::min(when, (tick + ahead) << (level * kBits));
  }
  return when;
}

std::uint32_t TimerWheel::distance_to_occupied(int level, std::uint32_t from, bool include_from) const {
  for (std::uint32_t ahead = include_from ? 0 : 1; ahead <= kSlots;) {
    const std::uint32_t slot = (from + ahead) & (kSlots - 1);
    const std::uint64_t word = occupied_[static_cast<std::uint32_t>(level) * (kSlots / 64) + slot / 64] >> (slot % 64);
    if (word != 0) {
      const std::uint32_t found = ahead + static_cast<std::uint32_t>(std::countr_zero(word));
      if (found <= kSlots) return found;
      break;
    }
    ahead += 64 - slot % 64;
  }
  return kSlots + 1;
}

void TimerWheel::set_head(std::uint32_t list, std::uint32_t index) {
  next_tick_.reset();
  heads_[list] = index;
  const std::uint64_t bit = 1ULL << (list % 64);
  if (index == kNone) {
    occupied_[list / 64] &= ~bit;
  } else {
    occupied_[list / 64] |= bit;
  }
}

std::uint32_t TimerWheel::allocate() {
  if (free_ != kNone) {
    const std::uint32_t index = free_;
    free_ = timers_[index].next;
    timers_[index].next = kNone;
    return index;
  }
  timers_.emplace_back();
  return static_cast<std::uint32_t>(timers_.size() - 1);
}

void TimerWheel::link(std::uint32_t index) {
  Timer& timer = timers_[index];
  const std::uint64_t ahead = timer.due_ms > now_ms_ ? timer.due_ms - now_ms_ : 0;
  int level = 0;
  while (level < kLevels - 1 && ahead >= (1ULL << ((level + 1) * kBits))) ++level;
  const std::uint64_t due = std::max(timer.due_ms, now_ms_);
  timer.list = static_cast<std::uint32_t>(level) * kSlots + static_cast<std::uint32_t>((due >> (level * kBits)) & (kSlots - 1));
  timer.previous = kNone;
  timer.next = heads_[timer.list];
  if (timer.next != kNone) timers_[timer.next].previous = index;
  set_head(timer.list, index);
}

void TimerWheel::unlink(std::uint32_t index) {
  Timer& timer = timers_[index];
  if (timer.previous != kNone) {
    timers_[timer.previous].next = timer.next;
  } else {
    set_head(timer.list, timer.next);
  }
  if (timer.next != kNone) timers_[timer.next].previous = timer.previous;
  timer.list = kNone;
  timer.next = kNone;
  timer.previous = kNone;
}

void TimerWheel::release(std::uint32_t index) {
  Timer& timer = timers_[index];
  timer.callback = nullptr;
  if (++timer.generation == 0) timer.generation = 1;
  timer.next = free_;
  free_ = index;
  --active_;
}

void TimerWheel::cascade(int level) {
  const std::uint32_t list =
      static_cast<std::uint32_t>(level) * kSlots + static_cast<std::uint32_t>((now_ms_ >> (level * kBits)) & (kSlots - 1));
  std::uint32_t index = heads_[list];
  if (index == kNone) return;
  set_head(list, kNone);
  while (index != kNone) {
    const std::uint32_t next = timers_[index].next;
    link(index);
    index = next;
  }
}

void TimerWheel::fire(std::uint32_t list) {
  // Collected first, since a callback may cancel or start any timer and may grow timers_. A timer that a callback starts with no
  // delay may land in this same list; it waits for the next advance(), so that one that always does so is not fed for ever.
  std::vector<TimerId> due;
  for (std::uint32_t index = heads_[list]; index != kNone; index = timers_[index].next) {
    if (timers_[index].due_ms <= now_ms_) due.push_back({index, timers_[index].generation});
  }
  // Spreading from a higher level mixes a list, so its order says nothing.
  std::sort(due.begin(), due.end(), [this](TimerId a, TimerId b) { return timers_[a.slot].order < timers_[b.slot].order; });
  for (const TimerId id : due) {
    if (timers_[id.slot].generation != id.generation) continue;  // cancelled by an earlier one
    unlink(id.slot);
    if (timers_[id.slot].period_ms == 0) {
      const Callback callback = std::move(timers_[id.slot].callback);
      release(id.slot);
      callback();
      continue;
    }
    // Kept alive outside the table while it runs: it may cancel itself, and the table may grow.
    Callback callback = std::move(timers_[id.slot].callback);
    callback();
    Timer& timer = timers_[id.slot];
    if (timer.generation != id.generation) continue;
    timer.callback = std::move(callback);
    timer.due_ms += timer.period_ms;
    if (timer.due_ms <= told_ms_) timer.due_ms = told_ms_ + timer.period_ms;
    timer.order = started_++;
    link(id.slot);
  }
}

}  // namespace gatehouse::net
