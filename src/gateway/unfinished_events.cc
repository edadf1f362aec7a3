#include "gateway/unfinished_events.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace gatehouse::gateway {

void UnfinishedEvents::add(std::uint32_t connection_id, std::string_view frame, std::uint8_t deaths, bool redelivered) {
  entries_.push_back({.number = next_number_++,
                      .block = nullptr,
                      .offset = 0,
                      .size = 0,
                      .connection_id = connection_id,
                      .deaths = deaths,
                      .redelivered = redelivered,
                      .begun = false,
                      .finished = false});
  if (!frame.empty()) store(entries_.back(), frame);
  ++unfinished_;
  unfinished_bytes_ += frame.size();
}

void UnfinishedEvents::store(Entry& entry, std::string_view frame) {
  const auto size = static_cast<std::uint32_t>(frame.size());
  if (last_ == nullptr || last_->capacity - last_->used < size) {
    std::uint32_t capacity = 0;
    char* bytes = pool_.take_block(std::max(sizeof(Block) + frame.size(), net::OutPool::kLargeBlock), capacity);
    last_ = new (bytes) Block{.unfinished = 0, .used = sizeof(Block), .capacity = capacity};
    block_bytes_ += capacity;
  }
  entry.block = last_;
  entry.offset = last_->used;
  entry.size = size;
  std::memcpy(reinterpret_cast<char*>(last_) + entry.offset, frame.data(), frame.size());  // NOLINT: bytes follow their header
  last_->used += size;
  ++last_->unfinished;
}

void UnfinishedEvents::give_back(Block* block) {
  if (block == last_) last_ = nullptr;
  block_bytes_ -= block->capacity;
  const std::uint32_t capacity = block->capacity;
  pool_.give_back(reinterpret_cast<char*>(block), capacity);  // NOLINT: as it was taken
}

bool UnfinishedEvents::may_have(std::uint32_t connection_id) const {
  if (entries_.size() - head_ > kMostLookedThrough) return true;
  return std::any_of(entries_.begin() + static_cast<std::ptrdiff_t>(head_), entries_.end(),
                     [&](const Entry& entry) { return !entry.finished && entry.connection_id == connection_id; });
}

void UnfinishedEvents::begin(std::uint64_t number) {
  const std::size_t at = find(number);
  if (at < entries_.size() && entries_[at].number == number) entries_[at].begun = true;
}

bool UnfinishedEvents::has_any_of(std::uint32_t connection_id, std::size_t most) const {
  const std::size_t first = std::max(head_, entries_.size() - std::min(entries_.size(), most));
  // From behind: who is asked about has spoken just now, as a rule.
  for (std::size_t at = entries_.size(); at-- > first;) {
    if (entries_[at].connection_id == connection_id && !entries_[at].finished) return true;
  }
  return false;
}

void UnfinishedEvents::clear() {
  for (std::size_t at = head_; unfinished_ > 0 && at < entries_.size(); ++at) {
    const Entry& entry = entries_[at];
    if (!entry.finished && entry.block != nullptr && --entry.block->unfinished == 0) give_back(entry.block);
  }
  entries_.clear();
  if (entries_.capacity() * sizeof(Entry) > kKeptCapacity) entries_.shrink_to_fit();
  head_ = 0;
  unfinished_ = 0;
  unfinished_bytes_ = 0;
}

void UnfinishedEvents::trim() {
  if (unfinished_ == 0) return clear();
  while (entries_[head_].finished) ++head_;
  // Each event is moved once at most for each that was finished: what is moved is less than what goes.
  if (entries_.size() > 2 * unfinished_ + kSlackEntries) forget_finished();
  if (block_bytes_ > 2 * unfinished_bytes_ + kSlackBytes) move_together();
}

void UnfinishedEvents::forget_finished() {
  entries_.erase(std::remove_if(entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.finished; }),
                 entries_.end());
  head_ = 0;
  // After a burst; what is left may stay for long.
  if (entries_.capacity() > 4 * entries_.size() + kSlackEntries) entries_.shrink_to_fit();
}

void UnfinishedEvents::move_together() {
  last_ = nullptr;
  for (std::size_t at = head_; at < entries_.size(); ++at) {
    Entry& entry = entries_[at];
    if (entry.finished || entry.block == nullptr) continue;
    Block* old = entry.block;
    store(entry, frame_of(entry));
    if (--old->unfinished == 0) give_back(old);
  }
}

}  // namespace gatehouse::gateway
