#include "gateway/unfinished_events.h"

#include <cstring>

namespace gatehouse::gateway {

void UnfinishedEvents::add(std::uint32_t connection_id, std::string_view frame, std::uint8_t deaths, bool redelivered) {
  entries_.push_back({.number = next_number_++,
                      .offset = bytes_.size(),
                      .size = static_cast<std::uint32_t>(frame.size()),
                      .connection_id = connection_id,
                      .deaths = deaths,
                      .redelivered = redelivered,
                      .begun = false,
                      .finished = false});
  bytes_.insert(bytes_.end(), frame.begin(), frame.end());
  ++unfinished_;
  unfinished_bytes_ += frame.size();
}

void UnfinishedEvents::begin(std::uint64_t number) {
  const std::size_t at = find(number);
  if (at < entries_.size() && entries_[at].number == number) entries_[at].begun = true;
}

void UnfinishedEvents::clear() {
  entries_.clear();
  bytes_.clear();
  if (bytes_.capacity() > kKeptCapacity) bytes_.shrink_to_fit();
  if (entries_.capacity() * sizeof(Entry) > kKeptCapacity) entries_.shrink_to_fit();
  head_ = 0;
  unfinished_ = 0;
  unfinished_bytes_ = 0;
}

void UnfinishedEvents::trim() {
  if (unfinished_ == 0) return clear();
  while (entries_[head_].finished) ++head_;
  // Each event is moved once at most for each that was finished: what is moved is less than what goes.
  if (entries_.size() > 2 * unfinished_ + kSlackEntries || bytes_.size() > 2 * unfinished_bytes_ + kSlackBytes) compact();
}

void UnfinishedEvents::compact() {
  std::size_t kept = 0;
  std::size_t end = 0;
  for (std::size_t at = head_; at < entries_.size(); ++at) {
    Entry entry = entries_[at];
    if (entry.finished) continue;
    if (entry.size > 0) std::memmove(bytes_.data() + end, bytes_.data() + entry.offset, entry.size);
    entry.offset = end;
    end += entry.size;
    entries_[kept++] = entry;
  }
  entries_.resize(kept);
  bytes_.resize(end);
  head_ = 0;
  // After a burst; what is left may stay for long.
  if (bytes_.capacity() > 4 * bytes_.size() + kKeptCapacity) bytes_.shrink_to_fit();
  if (entries_.capacity() > 4 * entries_.size() + kSlackEntries) entries_.shrink_to_fit();
}

}  // namespace gatehouse::gateway
