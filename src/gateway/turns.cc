#include "gateway/turns.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace gatehouse::gateway {

void Turns::end(std::uint32_t client, net::Connection& connection, int overdrawn, bool has_spoken) {
  ClientRecord& record = table_[client];
  record.in_turns = true;
  Turn& turn = turns_[record.id];
  wait_no_more(turn);
  turn.owed = std::min(overdrawn / kWork, kMostOwed);
  turn.since_ms = loop_.now_ms();
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
  int& owed = found->second.owed;
  if (owed <= kFewOwed) {
    --owed;
    connection.yield(true);
    return true;
  }
  // Each turn is 0.1 ms of work.
  const auto wait_ms = static_cast<std::uint64_t>(3 * std::exchange(owed, 0) / 10);
  const std::uint64_t passed_ms = loop_.now_ms() - found->second.since_ms;
  if (passed_ms >= wait_ms) return false;
  connection.pause();
  loop_.after(std::chrono::milliseconds(wait_ms - passed_ms), [this, id = connection.id(), client] {
    net::Connection* waiting = loop_.find(id);
    if (waiting != nullptr && waiting->tag == client) waiting->resume();
  });
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
