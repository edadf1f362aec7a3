#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "gateway/client_record.h"

namespace gatehouse::gateway {

/// The clients of a gateway process, by index (their place, which never moves) and by connection id.
///
/// Connection ids start at `first_id` (random, so that an id from before a restart names nobody), count up, skip 0 and those in
/// use, and are not handed out again before all 2^32 have been.
class ClientTable {
 public:
  explicit ClientTable(std::uint32_t first_id) : next_id_(first_id) {}

  /// A new record with an id of its own.
  std::uint32_t add();
  void remove(std::uint32_t index);

  static constexpr std::uint32_t kNone = 0xffffffffU;
  /// The index of a connection id, or kNone.
  [[nodiscard]] std::uint32_t find(std::uint32_t id) const;
  [[nodiscard]] ClientRecord& operator[](std::uint32_t index) { return chunks_[index >> kChunkBits][index & (kChunk - 1)]; }
  [[nodiscard]] const ClientRecord& operator[](std::uint32_t index) const {
    return chunks_[index >> kChunkBits][index & (kChunk - 1)];
  }

  [[nodiscard]] std::uint32_t size() const { return size_; }
  /// Indexes run below this; some are free (id 0).
  [[nodiscard]] std::uint32_t capacity() const { return static_cast<std::uint32_t>(chunks_.size()) << kChunkBits; }

  /// Calls `visit(index, record)` for every client.
  template <class Visit>
  void for_each(Visit visit) {
    for (std::uint32_t index = 0; index < capacity(); ++index) {
      ClientRecord& record = (*this)[index];
      if (record.id != 0) visit(index, record);
    }
  }

 private:
  static constexpr std::uint32_t kChunkBits = 8;
  static constexpr std::uint32_t kChunk = 1U << kChunkBits;

  void grow_ids();
  void insert_id(std::uint32_t index);
  /// Spread by a multiplication (Knuth's). Ids count up, and at places named by their low bits clients that stay would stand in
  /// one long row, which every later id that comes round to it would have to pass.
  [[nodiscard]] std::uint32_t home(std::uint32_t id) const {
    return static_cast<std::uint32_t>((std::uint64_t{id} * 0x9e3779b97f4a7c15ULL) >> 32) & mask();
  }
  [[nodiscard]] std::uint32_t mask() const { return static_cast<std::uint32_t>(ids_.size()) - 1; }

  std::vector<std::unique_ptr<ClientRecord[]>> chunks_;
  std::vector<std::uint32_t> free_;
  // Open addressing with linear probing: index + 1 at or behind the id's home(), 0 for empty.
  std::vector<std::uint32_t> ids_;
  std::uint32_t next_id_;
  std::uint32_t size_ = 0;
};

}  // namespace gatehouse::gateway
