#include "gateway/worker_table.h"

#include <algorithm>
#include <utility>

namespace gatehouse::gateway {

net::ConnectionId WorkerTable::add(std::string key, net::ConnectionId connection, std::uint32_t extension, WorkerRef& out) {
  net::ConnectionId replaced;
  out = {};
  const auto is_known = [&](const Slot& slot) { return slot.state != Slot::State::free && slot.link.key == key; };
  auto place = std::find_if(slots_.begin(), slots_.end(), is_known);
  if (place == slots_.end()) {
    place = std::find_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.state == Slot::State::free; });
    if (place == slots_.end() && slots_.size() == kMostWorkers) return {};
    if (place == slots_.end()) place = slots_.insert(slots_.end(), Slot{});
    place->link.key = std::move(key);
  }
  if (place->state == Slot::State::here) {
    replaced = place->link.connection;
  } else {
    ++size_;
  }
  place->state = Slot::State::here;
  place->link.connection = connection;
  place->link.extension = extension;
  place->link.waiting.clear();
  place->link.delivery = nullptr;
  is_uneven_ = true;
  out = ref_of(static_cast<std::size_t>(place - slots_.begin()));
  return replaced;
}

void WorkerTable::remove(WorkerRef ref) {
  if (find(ref) == nullptr) return;
  Slot& slot = slots_[ref.slot];
  slot.state = Slot::State::away;
  slot.link.connection = {};
  slot.link.waiting.clear();
  slot.link.delivery = nullptr;
  --size_;
  if (slot.link.clients == 0) free(slot);
}

void WorkerTable::free(Slot& slot) {
  slot.state = Slot::State::free;
  slot.link = WorkerLink{};
  if (++slot.generation == 0) slot.generation = 1;  // 0 names nothing
}

WorkerTable::Slot* WorkerTable::slot_of(WorkerRef ref) {
  if (ref.generation == 0 || ref.slot >= slots_.size()) return nullptr;
  Slot& slot = slots_[ref.slot];
  return slot.state != Slot::State::free && slot.generation == ref.generation ? &slot : nullptr;
}

WorkerLink* WorkerTable::find(WorkerRef ref) {
  Slot* slot = slot_of(ref);
  return slot != nullptr && slot->state == Slot::State::here ? &slot->link : nullptr;
}

WorkerLink* WorkerTable::find(std::string_view key) {
  const auto found = std::find_if(slots_.begin(), slots_.end(),
                                  [&](const Slot& slot) { return slot.state == Slot::State::here && slot.link.key == key; });
  return found == slots_.end() ? nullptr : &found->link;
}

WorkerLink* WorkerTable::bind(WorkerRef& ref, WorkerRef to) {
  if (ref == to) return find(to);
  unbind(ref);
  WorkerLink* link = find(to);
  if (link == nullptr) return nullptr;
  ref = to;
  ++link->clients;
  return link;
}

void WorkerTable::unbind(WorkerRef& ref) {
  Slot* slot = slot_of(std::exchange(ref, {}));
  if (slot == nullptr) return;
  if (--slot->link.clients == 0 && slot->state == Slot::State::away) free(*slot);
}

WorkerRef WorkerTable::choose(LoadBalancing mode, Among among) {
  const std::size_t count = this->count(among);
  if (count == 0) return {};
  WorkerRef chosen;
  switch (mode) {
    case LoadBalancing::least_connections: chosen = least_loaded(among); break;
    case LoadBalancing::round_robin:
      chosen = next_here(turn_, among);
      turn_ = chosen.slot + std::size_t{1};
      break;
    case LoadBalancing::random:
      chosen = next_here(0, among);
      for (std::size_t skip = std::uniform_int_distribution<std::size_t>(0, count - 1)(random_); skip > 0; --skip) {
        chosen = next_here(chosen.slot + std::size_t{1}, among);
      }
      break;
  }
  return chosen;
}

std::size_t WorkerTable::count(Among among) const {
  if (among == Among::all) return size_;
  return static_cast<std::size_t>(
      std::count_if(slots_.begin(), slots_.end(), [among](const Slot& slot) { return is_here(slot, among); }));
}

/// The first one that is here from slot `from` on, beginning again behind the last. REQUIRES: there is one.
WorkerRef WorkerTable::next_here(std::size_t from, Among among) const {
  std::size_t at = from;
  do {
    if (at >= slots_.size()) at = 0;
    if (is_here(slots_[at], among)) break;
    ++at;
  } while (true);
  return ref_of(at);
}

WorkerRef WorkerTable::least_loaded(Among among) const {
  WorkerRef best;
  std::uint32_t fewest = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (!is_here(slot, among) || (best.generation != 0 && slot.link.clients >= fewest)) continue;
    best = ref_of(i);
    fewest = slot.link.clients;
  }
  return best;
}

WorkerRef WorkerTable::better_than(const WorkerLink& bound) {
  if (!is_uneven_) return {};
  // One in eight more is no reason to move anybody.
  const auto is_clearly_less = [](std::uint32_t fewer, std::uint32_t more) { return fewer + fewer / 8 + 1 < more; };
  const WorkerRef best = least_loaded(Among::all);
  const WorkerLink* least = find(best);
  if (least == nullptr) return {};
  std::uint32_t most = 0;
  for (const Slot& slot : slots_) {
    if (slot.state == Slot::State::here) most = std::max(most, slot.link.clients);
  }
  is_uneven_ = is_clearly_less(least->clients, most);
  return is_clearly_less(least->clients, bound.clients) ? best : WorkerRef{};
}

void WorkerTable::list(std::vector<WorkerRef>& out, Among among) const {
  out.clear();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (is_here(slots_[i], among)) out.push_back(ref_of(i));
  }
}

}  // namespace gatehouse::gateway
