#include "gateway/client_table.h"

namespace gatehouse::gateway {

std::uint32_t ClientTable::add() {
  if (free_.empty()) {
    const std::uint32_t first = capacity();
    chunks_.push_back(std::make_unique<ClientRecord[]>(kChunk));
    for (std::uint32_t i = kChunk; i-- > 0;) free_.push_back(first + i);
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  while (next_id_ == 0 || find(next_id_) != kNone) ++next_id_;
  (*this)[index].id = next_id_++;
  ++size_;
  if (size_ * 2 > ids_.size()) {
    grow_ids();  // inserts the new one too
  } else {
    insert_id(index);
  }
  return index;
}

void ClientTable::remove(std::uint32_t index) {
  std::uint32_t hole = home((*this)[index].id);
  while (ids_[hole] != index + 1) hole = (hole + 1) & mask();
  // Backward shift: no tombstones, so a table that is churned for ever stays as fast as a new one.
  for (std::uint32_t next = (hole + 1) & mask(); ids_[next] != 0; next = (next + 1) & mask()) {
    const std::uint32_t wanted = home((*this)[ids_[next] - 1].id);
    if (((next - wanted) & mask()) >= ((next - hole) & mask())) {
      ids_[hole] = ids_[next];
      hole = next;
    }
  }
  ids_[hole] = 0;
  (*this)[index] = ClientRecord{};
  free_.push_back(index);
  --size_;
}

std::uint32_t ClientTable::find(std::uint32_t id) const {
  if (ids_.empty() || id == 0) return kNone;
  for (std::uint32_t at = home(id); ids_[at] != 0; at = (at + 1) & mask()) {
    if ((*this)[ids_[at] - 1].id == id) return ids_[at] - 1;
  }
  return kNone;
}

void ClientTable::grow_ids() {
  ids_.assign(ids_.empty() ? 64 : ids_.size() * 2, 0);
  for_each([this](std::uint32_t index, const ClientRecord&) { insert_id(index); });
}

void ClientTable::insert_id(std::uint32_t index) {
  std::uint32_t at = home((*this)[index].id);
  while (ids_[at] != 0) at = (at + 1) & mask();
  ids_[at] = index + 1;
}

}  // namespace gatehouse::gateway
