#include "net/tls_slots.h"

namespace gatehouse::net {

std::uint64_t TlsSlots::take(ConnectionId id, bool has_waited, std::uint64_t now_ms) {
  if (!has_room()) {
    has_waited ? line_.push_front(id) : line_.push_back(id);
    return 0;
  }
  const std::uint64_t slot = next_slot_++;
  taken_.emplace_hint(taken_.end(), slot, Taken{id, now_ms});
  return slot;
}

std::optional<ConnectionId> TlsSlots::in_the_way(std::uint64_t now_ms) const {
  if (has_room() || now_ms - taken_.begin()->second.since_ms < kPatienceMs) return std::nullopt;
  return taken_.begin()->second.id;
}

std::optional<ConnectionId> TlsSlots::next() {
  if (line_.empty()) return std::nullopt;
  const ConnectionId id = line_.front();
  line_.pop_front();
  return id;
}

std::uint64_t TlsSlots::wait_ms(std::uint64_t now_ms) const {
  if (has_room()) return 0;
  const std::uint64_t passed_ms = now_ms - taken_.begin()->second.since_ms;
  return passed_ms >= kPatienceMs ? 0 : kPatienceMs - passed_ms;
}

}  // namespace gatehouse::net
