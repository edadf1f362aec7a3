#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
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
  char* grow(std::size_t size);
  void append(std::string_view bytes);
  void append(const SharedBytes& bytes);
  /// A whole message, kept by itself, so that it can be dropped.
  void append_message(const SharedBytes& message);
  /// Drops the oldest of those messages of which nothing is consumed; false when there is none.
  bool drop_oldest_message();
  /// How many of them there are.
  [[nodiscard]] std::size_t messages() const { return messages_; }

  /// Describes up to `most` pieces for sendmsg; returns how many.
  int gather(iovec* vectors, int most) const;
  /// Forgets the first `count` bytes. REQUIRES: count <= bytes().
  void consume(std::size_t count);
  void clear();

 private:
  struct Piece {
    char* block;         // taken from the pool, or null for shared bytes
    SharedBytes shared;  // set when block is null
    std::uint32_t used;
    std::uint32_t capacity;  // of a block; kMessage for a shared message that may be dropped
  };
  static constexpr std::uint32_t kMessage = 1;
  [[nodiscard]] static std::string_view view(const Piece& piece) {
    return piece.block != nullptr ? std::string_view(piece.block, piece.used) : piece.shared.view();
  }
  void drop(Piece& piece);
  void close_gap(std::size_t at);
  void join_blocks_before(std::size_t end);
  void compact();

  static constexpr std::size_t kCopyBelow = 256;   // a reference costs a Piece, which is not much less
  static constexpr std::size_t kKeptPieces = 256;  // room that an emptied queue keeps

  OutPool& pool_;
  std::vector<Piece> pieces_;
  std::size_t head_ = 0;         // first piece not yet written
  std::size_t head_offset_ = 0;  // bytes of it that are written
  std::size_t bytes_ = 0;
  std::size_t messages_ = 0;
};

/// Keeps emptied queues and blocks of two sizes for reuse, so that a forwarded message allocates nothing at rest. Bounded:
/// what is above the bound goes back to the heap, and after a burst so does the rest, little by little (trim()).
class OutPool {
 public:
  static constexpr std::size_t kSmallBlock = 1024;
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
  static constexpr std::size_t kMostLargeBlocks = 64;
  static constexpr std::size_t kKeptAtRest = 128 * 1024;

  [[nodiscard]] std::size_t kept_bytes() const {
    return queues_.size() * sizeof(OutQueue) + small_.size() * kSmallBlock + large_.size() * kLargeBlock;
  }

  std::vector<OutQueue*> queues_;
  std::vector<char*> small_;
  std::vector<char*> large_;
};

}  // namespace gatehouse::net
