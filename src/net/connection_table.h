#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "net/connection.h"

namespace gatehouse::net {

/// The connections of a loop by slot, in chunks that never move. A slot's generation changes when it is freed, so an id of
/// a connection that is gone finds nothing.
class ConnectionTable {
 public:
  ConnectionTable() = default;

  Connection& add();
  void remove(Connection& connection);

  [[nodiscard]] Connection* find(ConnectionId id) {
    if (id.slot >= capacity()) return nullptr;
    Connection& connection = at(id.slot);
    return connection.generation_ == id.generation && connection.state_ != Connection::State::free ? &connection : nullptr;
  }
  [[nodiscard]] std::size_t size() const { return size_; }

  template <class Visit>
  void for_each(Visit visit) {
    for (std::uint32_t slot = 0; slot < capacity(); ++slot) {
      if (at(slot).state_ != Connection::State::free) visit(at(slot));
    }
  }
  /// Visits those from slot `first` on, until `visit(Connection&)` is false or `most` slots have been looked at. Returns the slot
  /// to go on with, which is that of the connection for which it was false; capacity() when there are no more.
  template <class Visit>
  std::uint32_t visit_from(std::uint32_t first, std::uint32_t most, Visit visit) {
    std::uint32_t slot = first;
    for (; slot < capacity() && slot - first < most; ++slot) {
      if (at(slot).state_ != Connection::State::free && !visit(at(slot))) return slot;
    }
    return slot;
  }
  [[nodiscard]] std::uint32_t capacity() const { return static_cast<std::uint32_t>(chunks_.size()) << kChunkBits; }

 private:
  static constexpr std::uint32_t kChunkBits = 8;
  static constexpr std::uint32_t kChunk = 1U << kChunkBits;
  static constexpr std::uint32_t kNone = 0xffffffffU;

  [[nodiscard]] Connection& at(std::uint32_t slot) { return chunks_[slot >> kChunkBits][slot & (kChunk - 1)]; }

  std::vector<std::unique_ptr<Connection[]>> chunks_;
  std::uint32_t free_ = kNone;  // head of the free list, linked through Connection::tag
  std::size_t size_ = 0;
};

}  // namespace gatehouse::net
