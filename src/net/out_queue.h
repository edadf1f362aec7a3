#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/shared_bytes.h"

namespace gatehouse::net {

class OutPool;

/// What a connection still has to write: own bytes, gathered into blocks, and references to shared bytes, in order.
///
///   pieces_:  [ block ...used... ] [ shared bytes ] [ block ..used..|..room.. ]
///               ^ head_offset_                                      ^ appended here while there is room
///
/// Exists only while there is something to write; taken from and given back to the loop's OutPool.
class OutQueue {
 public:
  explicit OutQueue(OutPool& pool) : pool_(pool) {}
  OutQueue(const OutQueue&) = delete;
  OutQueue& operator=(const OutQueue&) = delete;
  ~OutQueue() { clear(); }

  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] bool empty() const { return bytes_ == 0; }

  /// `size` contiguous bytes at the end of the queue, to be filled by the caller before anything else is called.
  char* grow(std::size_t size) {
    char* room = grow_in_place(size);
    return room != nullptr ? room : grow_by_block(size);
  }
  /// The same; null when that would take another block.
  char* grow_in_place(std::size_t size) {
    if (pieces_.empty()) return nullptr;
    Piece& last = pieces_.back();
    if (last.block == nullptr || last.capacity - last.used < size) return nullptr;
    char* room = last.block + last.used;
    last.used += static_cast<std::uint32_t>(size);
    bytes_ += size;
    return room;
  }
  void append(std::string_view bytes);
  void append(const SharedBytes& bytes);
  /// A whole message, kept by itself, so that it can be dropped. The last `key_size` bytes of `message` are no part of it, but
  /// the name of what it tells; see keep_latest(). False when it has taken the place of an older one.
  bool append_message(const SharedBytes& message, std::size_t key_size = 0);
  /// Drops the oldest of those messages of which nothing is consumed; false when there is none.
  bool drop_oldest_message();
  /// Of the messages with one key of which nothing is consumed, drops all but the last. From then on, until the queue is
  /// empty, a message takes the place of the one with its key. Returns how many were dropped.
  std::size_t keep_latest();
  [[nodiscard]] bool keeps_latest() const { return latest_ != nullptr; }
  /// The size of the message whose place one with that key would take, 0 for none.
  [[nodiscard]] std::size_t latest_size(std::string_view key) const;
  /// How many messages there are.
  [[nodiscard]] std::size_t messages() const { return messages_; }
  /// Bytes that it costs to keep them, beside their own.
  [[nodiscard]] std::size_t message_overhead() const {
    return kMessageOverhead * messages_ + key_bytes_ + (latest_ == nullptr ? 0 : kKeyOverhead * latest_->size());
  }

  /// What is to be written, when it is one piece; else nothing.
  [[nodiscard]] std::string_view only_piece() const {
    return pieces_.size() - head_ == 1 ? view(pieces_[head_]).substr(head_offset_) : std::string_view();
  }
  /// Describes up to `most` pieces for sendmsg; returns how many.
  int gather(iovec* vectors, int most) const;
  /// Forgets the first `count` bytes. REQUIRES: count <= bytes().
  void consume(std::size_t count) {
    if (count == bytes_) {
      clear();
    } else {
      consume_part(count);
    }
  }
  void clear() {
    if (!pieces_.empty() || latest_ != nullptr) drop_all();
  }

 private:
  struct Piece {
    char* block;             // taken from the pool, or null for shared bytes
    SharedBytes shared;      // set when block is null
    std::uint32_t used;      // of a block; of shared bytes, how many at their end are the key
    std::uint32_t capacity;  // of a block; kMessage for a shared message that may be dropped
  };
  /// By key, the piece that is the last with it: its place among all pieces that there ever were. The keys stand in the pieces.
  using Latest = std::unordered_map<std::string_view, std::size_t>;
  static constexpr std::uint32_t kMessage = 1;
  [[nodiscard]] static std::string_view view(const Piece& piece) {
    if (piece.block != nullptr) return {piece.block, piece.used};
    return piece.shared.view().substr(0, piece.shared.size() - piece.used);
  }
  [[nodiscard]] static std::string_view key_of(const Piece& piece) {
    if (piece.block != nullptr) return {};
    return piece.shared.view().substr(piece.shared.size() - piece.used);
  }
  /// The first piece of which nothing is consumed.
  [[nodiscard]] std::size_t first_whole() const { return head_offset_ > 0 ? head_ + 1 : head_; }
  [[nodiscard]] std::size_t find_latest(std::string_view key) const;
  char* grow_by_block(std::size_t size);
  char* move_to_medium_block(std::size_t size);
  void consume_part(std::size_t count);
  void drop_all();
  void drop(Piece& piece);
  void forget_key(std::string_view key);
  void index_keys();
  void close_gap(std::size_t at);
  void join_blocks_before(std::size_t end);
  void compact();

  static constexpr std::size_t kCopyBelow = 256;   // a reference costs a Piece, which is not much less
  static constexpr std::size_t kKeptPieces = 256;  // room that an emptied queue keeps
  static constexpr std::size_t kMessageOverhead = 64;
  static constexpr std::size_t kKeyOverhead = 64;

  OutPool& pool_;
  std::vector<Piece> pieces_;
  std::size_t head_ = 0;         // first piece not yet written
  std::size_t head_offset_ = 0;  // bytes of it that are written
  std::size_t bytes_ = 0;
  std::size_t messages_ = 0;
  std::size_t key_bytes_ = 0;
  std::size_t pieces_gone_ = 0;     // pieces that stood in front of pieces_ and were compacted away
  std::unique_ptr<Latest> latest_;  // only while messages of the same key replace each other
};

/// Keeps emptied queues and blocks of three sizes for reuse, so that a forwarded message allocates nothing at rest. Bounded:
/// what is above the bound goes back to the heap, and after a burst so does the rest, little by little (trim()).
class OutPool {
 public:
  static constexpr std::size_t kSmallBlock = 1024;
  static constexpr std::size_t kMediumBlock = 8 * 1024;
  static constexpr std::size_t kLargeBlock = 64 * 1024;

  OutPool() = default;
  OutPool(const OutPool&) = delete;
  OutPool& operator=(const OutPool&) = delete;
  ~OutPool();

  OutQueue* take_queue();
  void give_back(OutQueue* queue);

  /// A block of at least `size` bytes; its true size is stored in `capacity`.
  char* take_block(std::size_t size, std::uint32_t& capacity);
  void give_back(char* block, std::uint32_t capacity);

  /// More is kept than a server at rest needs: trim() is due.
  [[nodiscard]] bool is_swollen() const { return kept_bytes() > kKeptAtRest; }
  /// Gives half of what is kept back to the heap.
  void trim();

 private:
  static constexpr std::size_t kMostQueues = 4096;
  static constexpr std::size_t kMostSmallBlocks = 512;
  static constexpr std::size_t kMostMediumBlocks = 512;
  static constexpr std::size_t kMostLargeBlocks = 64;
  static constexpr std::size_t kKeptAtRest = 128 * 1024;

  [[nodiscard]] std::size_t kept_bytes() const {
    return queues_.size() * sizeof(OutQueue) + small_.size() * kSmallBlock + medium_.size() * kMediumBlock +
           large_.size() * kLargeBlock;
  }

  std::vector<OutQueue*> queues_;
  std::vector<char*> small_;
  std::vector<char*> medium_;
  std::vector<char*> large_;
};

}  // namespace gatehouse::net
