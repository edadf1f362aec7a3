#include "gateway/turns.h"

#include <algorithm>

namespace gatehouse::gateway {

void Turns::end(std::uint32_t client, net::Connection& connection, int overdrawn, bool has_spoken) {
  ClientRecord& record = table_[client];
  record.in_turns = true;
  Turn& turn = turns_[record.id];
  wait_no_more(turn);
  turn.owed = std::min(overdrawn / kWork, kMostOwed);
  const WorkerLink* worker = has_spoken ? workers_.find(record.worker) : nullptr;
  const WorkerDelivery* delivery = worker == nullptr ? nullptr : worker->delivery;
  const auto number = delivery == nullptr ? std::nullopt : delivery->events.last_of(record.id);
  if (!number) return connection.yield(true);
  turn.waits = turn.link == delivery->id && delivery->events.has(turn.number);
  turn.awaited = turn.number;
  turn.link = delivery->id;
  turn.number = *number;
  if (!turn.waits) return connection.yield(true);
  ++waiting_;
  connection.pause();
}

bool Turns::must_pass(std::uint32_t client, net::Connection& connection) {
  const auto found = turns_.find(table_[client].id);
  if (found == turns_.end() || found->second.owed == 0) return false;
  --found->second.owed;
  connection.yield(true);
  return true;
}

void Turns::forget(std::uint32_t client) {
  ClientRecord& record = table_[client];
  record.in_turns = false;
  const auto found = turns_.find(record.id);
  if (found == turns_.end()) return;
  wait_no_more(found->second);
  turns_.erase(found);
}

std::vector<std::uint32_t> Turns::take_released(const WorkerDelivery& link, bool is_gone) {
  std::vector<std::uint32_t> released;
  for (auto& [id, turn] : turns_) {
    if (!turn.waits || turn.link != link.id || (!is_gone && link.events.has(turn.awaited))) continue;
    wait_no_more(turn);
    released.push_back(id);
  }
  return released;
}

}  // namespace gatehouse::gateway
