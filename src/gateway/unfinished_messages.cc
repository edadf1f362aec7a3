#include "gateway/unfinished_messages.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace gatehouse::gateway {
namespace {

// Part of the limit that is made free beyond what is needed.
constexpr std::size_t kRoomPart = 64;
// Added to the time without progress: among those who have only just begun, the bytes decide.
constexpr std::uint64_t kGraceMs = 1000;
// Places that are kept when nobody needs them.
constexpr std::size_t kKeptEntries = 1024;

}  // namespace

void UnfinishedMessages::set_held(Entry& entry, std::size_t bytes) {
  const std::size_t held = std::min<std::size_t>(bytes, std::numeric_limits<std::uint32_t>::max());
  held_bytes_ += held - entry.held;
  counted_bytes_ += beyond_share(held) - beyond_share(entry.held);
  entry.held = static_cast<std::uint32_t>(held);
}

void UnfinishedMessages::note(std::uint32_t client, std::size_t bytes, bool is_new, std::uint64_t now_ms) {
  ClientRecord& record = table_[client];
  const std::size_t held = bytes + wire::WebSocketReader::held_by(record.websocket);
  if (held == 0) return remove(client);
  if (record.websocket.place == 0) {
    entries_.push_back({client, 0, 0, now_ms});
    record.websocket.place = static_cast<std::uint32_t>(entries_.size());
    is_new = true;
  }
  Entry& entry = entries_[record.websocket.place - 1];
  set_held(entry, held);
  if (!is_new && held < entry.marked + kProgress) {
    // The header of a fragment or record is kept no longer than it takes to come.
    entry.marked = std::min(entry.marked, entry.held);
    return;
  }
  entry.marked = entry.held;
  entry.since_ms = now_ms;
}

void UnfinishedMessages::forget(std::uint32_t client) {
  websockets_.forget(table_[client].websocket);
  remove(client);
}

void UnfinishedMessages::remove(std::uint32_t client) {
  const std::uint32_t place = std::exchange(table_[client].websocket.place, 0);
  if (place == 0) return;
  Entry& entry = entries_[place - 1];
  set_held(entry, 0);
  if (&entry != &entries_.back()) {
    entry = entries_.back();
    table_[entry.client].websocket.place = place;
  }
  entries_.pop_back();
  if (entries_.empty() && entries_.capacity() > kKeptEntries) std::vector<Entry>().swap(entries_);
}

void UnfinishedMessages::excuse(std::uint32_t client, std::uint64_t now_ms) {
  const std::uint32_t place = table_[client].websocket.place;
  if (place != 0) entries_[place - 1].since_ms = now_ms;
}

std::vector<std::uint32_t> UnfinishedMessages::heaviest(std::uint64_t now_ms,
                                                        const std::function<bool(std::uint32_t client)>& is_excused) const {
  struct Weight {
    std::uint64_t weight;
    std::uint32_t client;
    std::size_t bytes;
    bool operator<(const Weight& other) const { return weight < other.weight; }
  };
  std::vector<Weight> weights;
  for (const Entry& entry : entries_) {
    const std::size_t bytes = beyond_share(entry.held);
    if (bytes == 0) continue;
    const std::uint64_t stalled_ms = is_excused(entry.client) ? 0 : now_ms - entry.since_ms;
    weights.push_back({bytes * (kGraceMs + stalled_ms), entry.client, bytes});
  }
  std::make_heap(weights.begin(), weights.end());
  const std::size_t goal = settings_.most_bytes - settings_.most_bytes / kRoomPart;
  std::vector<std::uint32_t> out;
  for (std::size_t left = counted_bytes_; left > goal && !weights.empty();) {
    std::pop_heap(weights.begin(), weights.end());
    left -= weights.back().bytes;
    out.push_back(weights.back().client);
    weights.pop_back();
  }
  return out;
}

std::vector<std::uint32_t> UnfinishedMessages::late(std::uint64_t now_ms) const {
  std::vector<std::uint32_t> out;
  if (settings_.timeout_ms == 0) return out;
  for (const Entry& entry : entries_) {
    if (now_ms - entry.since_ms >= settings_.timeout_ms) out.push_back(entry.client);
  }
  return out;
}

}  // namespace gatehouse::gateway
