#include "gateway/worker_table.h"

#include <algorithm>

namespace gatehouse::gateway {

net::ConnectionId WorkerTable::add(std::string key, net::ConnectionId connection, bool extension, WorkerRef& out) {
  net::ConnectionId replaced;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].used || slots_[i].link.key != key) continue;
    replaced = slots_[i].link.connection;
    remove({static_cast<std::uint16_t>(i), slots_[i].generation});
  }
  auto free = std::find_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.used; });
  if (free == slots_.end()) free = slots_.insert(slots_.end(), Slot{});
  free->used = true;
  free->link = WorkerLink{std::move(key), connection, extension, 0, {}};
  ++size_;
  out = {static_cast<std::uint16_t>(free - slots_.begin()), free->generation};
  return replaced;
}

void WorkerTable::remove(WorkerRef ref) {
  if (find(ref) == nullptr) return;
  Slot& slot = slots_[ref.slot];
  slot.used = false;
  slot.link = WorkerLink{};
  if (++slot.generation == 0) slot.generation = 1;  // 0 names nothing
  --size_;
}

WorkerLink* WorkerTable::find(WorkerRef ref) {
  if (ref.generation == 0 || ref.slot >= slots_.size()) return nullptr;
  Slot& slot = slots_[ref.slot];
  return slot.used && slot.generation == ref.generation ? &slot.link : nullptr;
}

WorkerLink* WorkerTable::find(std::string_view key) {
  const auto found =
      std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.used && slot.link.key == key; });
  return found == slots_.end() ? nullptr : &found->link;
}

WorkerRef WorkerTable::least_loaded() const {
  WorkerRef best;
  std::uint32_t fewest = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].used || (best.generation != 0 && slots_[i].link.clients >= fewest)) continue;
    best = {static_cast<std::uint16_t>(i), slots_[i].generation};
    fewest = slots_[i].link.clients;
  }
  return best;
}

}  // namespace gatehouse::gateway
