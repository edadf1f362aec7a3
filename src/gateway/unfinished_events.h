#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace gatehouse::gateway {

/// The events that one worker was given and has not finished, in the order in which it was given them. Their numbers count from
/// 0.
///
/// Frames stand one behind the other in one buffer. A worker that finishes everything it reads empties it again and again, which
/// costs nothing but the copy; what is finished behind an event that takes long is taken out when it is more than what is left.
class UnfinishedEvents {
 public:
  struct Event {
    std::uint64_t number = 0;
    std::uint32_t connection_id = 0;
    std::uint8_t deaths = 0;   // of workers that had begun it
    bool redelivered = false;  // another worker had it before
    bool begun = false;        // of a redelivered one: the worker has said so
    std::string_view frame;    // as it was sent; empty when it is not to be sent again
  };

  /// Keeps the next event. `frame` is copied.
  void add(std::uint32_t connection_id, std::string_view frame, std::uint8_t deaths = 0, bool redelivered = false);

  /// Forgets `count` events from number `first` on, those of them that are there; calls `visit(connection_id)` for each.
  template <class Visit>
  void finish(std::uint64_t first, std::uint32_t count, Visit visit) {
    for (std::size_t at = find(first); at < entries_.size() && entries_[at].number - first < count; ++at) {
      Entry& entry = entries_[at];
      if (entry.finished) continue;
      entry.finished = true;
      --unfinished_;
      unfinished_bytes_ -= entry.size;
      visit(entry.connection_id);
    }
    trim();
  }
  void begin(std::uint64_t number);

  /// In their order.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t at = head_; at < entries_.size(); ++at) {
      const Entry& entry = entries_[at];
      if (entry.finished) continue;
      visit(Event{entry.number, entry.connection_id, entry.deaths, entry.redelivered, entry.begun,
                  std::string_view(bytes_.data() + entry.offset, entry.size)});
    }
  }
  void clear();

  [[nodiscard]] bool empty() const { return unfinished_ == 0; }
  [[nodiscard]] std::size_t size() const { return unfinished_; }
  /// What they cost. Up to as much again may be held by events that are finished already.
  [[nodiscard]] std::size_t bytes() const { return unfinished_bytes_ + unfinished_ * sizeof(Entry); }
  /// What is allocated.
  [[nodiscard]] std::size_t capacity() const { return bytes_.capacity() + entries_.capacity() * sizeof(Entry); }

 private:
  struct Entry {
    std::uint64_t number;
    std::size_t offset;
    std::uint32_t size;
    std::uint32_t connection_id;
    std::uint8_t deaths;
    bool redelivered;
    bool begun;
    bool finished;
  };
  static constexpr std::size_t kKeptCapacity = 256 * 1024;  // of the buffer when it is empty; more is freed
  static constexpr std::size_t kSlackEntries = 1024;
  static constexpr std::size_t kSlackBytes = 64 * 1024;

  /// The place of the first entry whose number is `number` or more.
  [[nodiscard]] std::size_t find(std::uint64_t number) const {
    if (head_ < entries_.size() && entries_[head_].number == number) return head_;  // nearly always
    const auto begin = entries_.begin() + static_cast<std::ptrdiff_t>(head_);
    const auto found =
        std::lower_bound(begin, entries_.end(), number, [](const Entry& entry, std::uint64_t n) { return entry.number < n; });
    return static_cast<std::size_t>(found - entries_.begin());
  }
  void trim();
  void compact();

  std::vector<Entry> entries_;
  std::vector<char> bytes_;
  std::size_t head_ = 0;  // entries before it are finished
  std::size_t unfinished_ = 0;
  std::size_t unfinished_bytes_ = 0;
  std::uint64_t next_number_ = 0;
};

}  // namespace gatehouse::gateway
