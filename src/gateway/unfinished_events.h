#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/out_queue.h"

namespace gatehouse::gateway {

/// The events that one worker was given and has not finished, in the order in which it was given them. Their numbers count from
/// 0.
///
/// Frames stand one behind the other in blocks of the loop's pool; a block goes back with its last event. Where a few events that
/// take long hold more blocks than they fill, they are moved together.
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

  /// `pool` must outlive this.
  explicit UnfinishedEvents(net::OutPool& pool) : pool_(pool) {}
  UnfinishedEvents(const UnfinishedEvents&) = delete;
  UnfinishedEvents& operator=(const UnfinishedEvents&) = delete;
  ~UnfinishedEvents() { clear(); }

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
      if (entry.block != nullptr && --entry.block->unfinished == 0) give_back(entry.block);
      visit(entry.connection_id);
    }
    trim();
  }
  void begin(std::uint64_t number);
  /// Whether one of this client is among them. Where there are very many, true without a look.
  [[nodiscard]] bool may_have(std::uint32_t connection_id) const;
  /// Whether the event of this number is among them.
  [[nodiscard]] bool has(std::uint64_t number) const {
    const std::size_t at = find(number);
    return at < entries_.size() && entries_[at].number == number && !entries_[at].finished;
  }
  /// The number of the last event of all, when it is this client's.
  [[nodiscard]] std::optional<std::uint64_t> last_of(std::uint32_t connection_id) const {
    const bool is_last = !entries_.empty() && entries_.back().connection_id == connection_id && !entries_.back().finished;
    return is_last ? std::optional(entries_.back().number) : std::nullopt;
  }

  /// In their order.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t at = head_; at < entries_.size(); ++at) {
      const Entry& entry = entries_[at];
      if (entry.finished) continue;
      visit(Event{entry.number, entry.connection_id, entry.deaths, entry.redelivered, entry.begun, frame_of(entry)});
    }
  }
  void clear();
  /// Whether one of the last `most` is of this client. Finished ones that stand between them count.
  [[nodiscard]] bool has_any_of(std::uint32_t connection_id, std::size_t most) const;

  [[nodiscard]] bool empty() const { return unfinished_ == 0; }
  [[nodiscard]] std::size_t size() const { return unfinished_; }
  /// What they cost. Up to as much again may be held by events that are finished already.
  [[nodiscard]] std::size_t bytes() const { return unfinished_bytes_ + unfinished_ * sizeof(Entry); }
  /// What is held of the heap and of the pool.
  [[nodiscard]] std::size_t capacity() const { return block_bytes_ + entries_.capacity() * sizeof(Entry); }

 private:
  /// What stands in front of the frames of a block.
  struct Block {
    std::uint32_t unfinished;  // events that stand in it
    std::uint32_t used;        // with this header
    std::uint32_t capacity;
  };
  struct Entry {
    std::uint64_t number;
    Block* block;  // null when there is no frame
    std::uint32_t offset;
    std::uint32_t size;
    std::uint32_t connection_id;
    std::uint8_t deaths;
    bool redelivered;
    bool begun;
    bool finished;
  };
  static constexpr std::size_t kKeptCapacity = 256 * 1024;  // of the entries when there are none; more is freed
  static constexpr std::size_t kSlackEntries = 1024;
  static constexpr std::size_t kMostLookedThrough = 1024;
  static constexpr std::size_t kSlackBytes = 4 * net::OutPool::kLargeBlock;

  /// The place of the first entry whose number is `number` or more.
  [[nodiscard]] std::size_t find(std::uint64_t number) const {
    if (head_ < entries_.size() && entries_[head_].number == number) return head_;  // nearly always
    const auto begin = entries_.begin() + static_cast<std::ptrdiff_t>(head_);
    const auto found =
        std::lower_bound(begin, entries_.end(), number, [](const Entry& entry, std::uint64_t n) { return entry.number < n; });
    return static_cast<std::size_t>(found - entries_.begin());
  }
  [[nodiscard]] static std::string_view frame_of(const Entry& entry) {
    if (entry.block == nullptr) return {};
    return {reinterpret_cast<const char*>(entry.block) + entry.offset, entry.size};  // NOLINT: bytes follow their header
  }
  void store(Entry& entry, std::string_view frame);
  void give_back(Block* block);
  void trim();
  void forget_finished();
  void move_together();

  net::OutPool& pool_;
  std::vector<Entry> entries_;
  Block* last_ = nullptr;  // that has room for more
  std::size_t head_ = 0;   // entries before it are finished
  std::size_t unfinished_ = 0;
  std::size_t unfinished_bytes_ = 0;
  std::size_t block_bytes_ = 0;
  std::uint64_t next_number_ = 0;
};

}  // namespace gatehouse::gateway
