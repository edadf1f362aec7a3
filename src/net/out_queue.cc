#include "net/out_queue.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <unordered_set>
#include <utility>

namespace gatehouse::net {
namespace {

constexpr std::size_t kMostBlock = 1U << 31;  // a block's sizes are kept in 32 bits

}  // namespace

char* OutQueue::grow_by_block(std::size_t size) {
  assert(size <= kMostBlock);
  // A connection that has a block full already gets a larger one: few replies stay small, a busy inner link gathers a whole
  // iteration in few blocks.
  const bool more = !pieces_.empty() && pieces_.back().block != nullptr;
  const std::size_t before = more ? pieces_.back().capacity : 0;
  if (before == OutPool::kSmallBlock && pieces_.back().used + size <= OutPool::kMediumBlock) return move_to_medium_block(size);
  std::uint32_t capacity = 0;
  char* block = pool_.take_block(before == 0 ? size : std::max(size, OutPool::kLargeBlock), capacity);
  pieces_.push_back(Piece{block, {}, static_cast<std::uint32_t>(size), capacity});
  bytes_ += size;
  return block;
}

/// One piece is written by a cheaper call than two, and the little that stands in the small block is soon copied.
char* OutQueue::move_to_medium_block(std::size_t size) {
  Piece& last = pieces_.back();
  std::uint32_t capacity = 0;
  char* block = pool_.take_block(OutPool::kMediumBlock, capacity);
  std::memcpy(block, last.block, last.used);
  pool_.give_back(last.block, last.capacity);
  char* room = block + last.used;
  last.block = block;
  last.capacity = capacity;
  last.used += static_cast<std::uint32_t>(size);
  bytes_ += size;
  return room;
}

void OutQueue::append(std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(grow(bytes.size()), bytes.data(), bytes.size());
}

void OutQueue::append(const SharedBytes& bytes) {
  if (bytes.empty()) return;
  // Small ones among own bytes would each cost the next own byte a new block: a slow reader's queue would be mostly room.
  if (bytes.size() <= kCopyBelow && !pieces_.empty() && pieces_.back().block != nullptr) return append(bytes.view());
  pieces_.push_back(Piece{nullptr, bytes, 0, 0});
  bytes_ += bytes.size();
}

bool OutQueue::append_message(const SharedBytes& message, std::size_t key_size) {
  if (message.size() == key_size) return true;
  Piece piece{nullptr, message, static_cast<std::uint32_t>(key_size), kMessage};
  const std::string_view key = key_of(piece);
  const std::size_t size = view(piece).size();
  if (latest_ != nullptr && !key.empty()) {
    if (const std::size_t at = find_latest(key); at < pieces_.size()) {
      // The key in the index is the older one's.
      auto entry = latest_->extract(key);
      entry.key() = key;
      latest_->insert(std::move(entry));
      bytes_ += size - view(pieces_[at]).size();
      pieces_[at] = std::move(piece);
      return false;
    }
    latest_->erase(key);  // of one that has begun to be written
    latest_->emplace(key, pieces_gone_ + pieces_.size());
  }
  pieces_.push_back(std::move(piece));
  bytes_ += size;
  key_bytes_ += key_size;
  ++messages_;
  return true;
}

/// The piece whose place one with that key takes; the end when there is none of which nothing is consumed.
std::size_t OutQueue::find_latest(std::string_view key) const {
  const auto found = latest_->find(key);
  const bool waits = found != latest_->end() && found->second >= pieces_gone_ + first_whole();
  return waits ? found->second - pieces_gone_ : pieces_.size();
}

std::size_t OutQueue::latest_size(std::string_view key) const {
  if (latest_ == nullptr || key.empty()) return 0;
  const std::size_t at = find_latest(key);
  return at < pieces_.size() ? view(pieces_[at]).size() : 0;
}

std::size_t OutQueue::keep_latest() {
  if (latest_ != nullptr) return 0;
  std::unordered_set<std::string_view> seen;
  std::size_t dropped = 0;
  // From the end, so that the one that is met first is the last of its key.
  for (std::size_t i = pieces_.size(); i > first_whole(); --i) {
    Piece& piece = pieces_[i - 1];
    const std::string_view key = key_of(piece);
    if (key.empty() || seen.insert(key).second) continue;
    bytes_ -= view(piece).size();
    drop(piece);
    ++dropped;
  }
  const auto is_gone = [](const Piece& piece) { return piece.block == nullptr && piece.shared.empty(); };
  pieces_.erase(std::remove_if(pieces_.begin() + static_cast<std::ptrdiff_t>(first_whole()), pieces_.end(), is_gone),
                pieces_.end());
  index_keys();
  return dropped;
}

void OutQueue::index_keys() {
  latest_ = std::make_unique<Latest>();
  for (std::size_t i = first_whole(); i < pieces_.size(); ++i) {
    if (const std::string_view key = key_of(pieces_[i]); !key.empty()) latest_->emplace(key, pieces_gone_ + i);
  }
}

bool OutQueue::drop_oldest_message() {
  for (std::size_t i = first_whole(); i < pieces_.size(); ++i) {
    if (pieces_[i].block != nullptr || pieces_[i].capacity != kMessage) continue;
    bytes_ -= view(pieces_[i]).size();
    drop(pieces_[i]);
    close_gap(i);
    return true;
  }
  return false;
}

/// The few pieces in front of the gap move, not the many behind it: who drops one message after another pays for each only once.
void OutQueue::close_gap(std::size_t at) {
  std::move_backward(pieces_.begin() + static_cast<std::ptrdiff_t>(head_), pieces_.begin() + static_cast<std::ptrdiff_t>(at),
                     pieces_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  ++head_;
  join_blocks_before(at + 1);
  compact();
}

/// Own bytes that stood between messages that were dropped (pongs, say) come together: else each would keep a block of its own,
/// and be looked at whenever a message is dropped.
void OutQueue::join_blocks_before(std::size_t end) {
  if (end - head_ < 2) return;
  Piece& first = pieces_[end - 2];
  Piece& second = pieces_[end - 1];
  if (first.block == nullptr || second.block == nullptr || first.capacity - first.used < second.used) return;
  std::memcpy(first.block + first.used, second.block, second.used);
  first.used += second.used;
  drop(second);
  std::move_backward(pieces_.begin() + static_cast<std::ptrdiff_t>(head_), pieces_.begin() + static_cast<std::ptrdiff_t>(end) - 1,
                     pieces_.begin() + static_cast<std::ptrdiff_t>(end));
  ++head_;
}

int OutQueue::gather(iovec* vectors, int most) const {
  int count = 0;
  std::size_t offset = head_offset_;
  for (std::size_t i = head_; i < pieces_.size() && count < most; ++i) {
    const std::string_view bytes = view(pieces_[i]).substr(offset);
    offset = 0;
    vectors[count].iov_base = const_cast<char*>(bytes.data());  // NOLINT: sendmsg only reads
    vectors[count].iov_len = bytes.size();
    ++count;
  }
  return count;
}

void OutQueue::consume_part(std::size_t count) {
  bytes_ -= count;
  while (count > 0) {
    const std::size_t left = view(pieces_[head_]).size() - head_offset_;
    if (count < left) {
      head_offset_ += count;
      return;
    }
    count -= left;
    drop(pieces_[head_]);
    ++head_;
    head_offset_ = 0;
  }
  compact();
}

void OutQueue::compact() {
  if (head_ == pieces_.size()) {
    clear();
  } else if (head_ >= 64 && head_ * 2 >= pieces_.size()) {
    // A slow reader's queue is consumed from the front; keep that linear overall.
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(head_));
    pieces_gone_ += head_;
    head_ = 0;
  }
}

void OutQueue::drop_all() {
  latest_.reset();
  for (std::size_t i = head_; i < pieces_.size(); ++i) drop(pieces_[i]);
  pieces_.clear();
  if (pieces_.capacity() > kKeptPieces) std::vector<Piece>().swap(pieces_);
  head_ = 0;
  head_offset_ = 0;
  bytes_ = 0;
  pieces_gone_ = 0;
}

void OutQueue::drop(Piece& piece) {
  if (piece.block != nullptr) {
    pool_.give_back(piece.block, piece.capacity);
  } else if (piece.capacity == kMessage) {
    --messages_;
    key_bytes_ -= piece.used;
    if (latest_ != nullptr) forget_key(key_of(piece));
  }
  piece.block = nullptr;
  piece.shared = SharedBytes();
}

/// The piece that `key` stands in goes.
void OutQueue::forget_key(std::string_view key) {
  const auto found = latest_->find(key);
  if (found != latest_->end() && found->first.data() == key.data()) latest_->erase(found);
}

OutPool::~OutPool() {
  for (OutQueue* queue : queues_) delete queue;  // NOLINT(cppcoreguidelines-owning-memory): the pool is the owner
  for (char* block : small_) ::operator delete(block);
  for (char* block : medium_) ::operator delete(block);
  for (char* block : large_) ::operator delete(block);
}

OutQueue* OutPool::take_queue() {
  if (queues_.empty()) return new OutQueue(*this);  // NOLINT(cppcoreguidelines-owning-memory)
  OutQueue* queue = queues_.back();
  queues_.pop_back();
  return queue;
}

void OutPool::give_back(OutQueue* queue) {
  queue->clear();
  if (queues_.size() < kMostQueues) {
    queues_.push_back(queue);
  } else {
    delete queue;  // NOLINT(cppcoreguidelines-owning-memory)
  }
}

char* OutPool::take_block(std::size_t size, std::uint32_t& capacity) {
  if (size > kLargeBlock) {
    capacity = static_cast<std::uint32_t>(size);
    return static_cast<char*>(::operator new(size));
  }
  std::vector<char*>& kept = size <= kSmallBlock ? small_ : size <= kMediumBlock ? medium_ : large_;
  capacity = static_cast<std::uint32_t>(size <= kSmallBlock ? kSmallBlock : size <= kMediumBlock ? kMediumBlock : kLargeBlock);
  if (kept.empty()) return static_cast<char*>(::operator new(capacity));
  char* block = kept.back();
  kept.pop_back();
  return block;
}

void OutPool::give_back(char* block, std::uint32_t capacity) {
  if (capacity == kSmallBlock && small_.size() < kMostSmallBlocks) {
    small_.push_back(block);
  } else if (capacity == kMediumBlock && medium_.size() < kMostMediumBlocks) {
    medium_.push_back(block);
  } else if (capacity == kLargeBlock && large_.size() < kMostLargeBlocks) {
    large_.push_back(block);
  } else {
    ::operator delete(block);
  }
}

void OutPool::trim() {
  const auto halve = [](auto& kept, auto release) {
    const std::size_t left = kept.size() / 2;
    while (kept.size() > left) {
      release(kept.back());
      kept.pop_back();
    }
    kept.shrink_to_fit();
  };
  halve(queues_, [](OutQueue* queue) { delete queue; });  // NOLINT(cppcoreguidelines-owning-memory)
  halve(small_, [](char* block) { ::operator delete(block); });
  halve(medium_, [](char* block) { ::operator delete(block); });
  halve(large_, [](char* block) { ::operator delete(block); });
}

}  // namespace gatehouse::net
