#include "gateway/deliveries.h"

#include <utility>

namespace gatehouse::gateway {

WorkerDelivery& Deliveries::open(net::ConnectionId connection, WorkerRef ref, std::string worker, bool again,
                                 std::uint64_t now_ms) {
  while (next_id_ == 0 || links_.contains(next_id_)) ++next_id_;
  auto link = std::make_unique<WorkerDelivery>(pool_);
  link->id = next_id_++;
  link->worker = std::move(worker);
  link->connection = connection;
  link->ref = ref;
  link->again = again;
  link->heard_ms = now_ms;
  return *links_.emplace(link->id, std::move(link)).first.value();
}

WorkerDelivery* Deliveries::find(std::uint32_t id) {
  const auto found = links_.find(id);
  return found == links_.end() ? nullptr : found->second.get();
}

std::vector<std::uint32_t> Deliveries::let_leave(WorkerDelivery& link) {
  std::vector<std::uint32_t> clients;
  if (std::exchange(link.leaving, true) || one_at_a_time_) return clients;  // then they wait already
  link.events.for_each([&](const UnfinishedEvents::Event& event) {
    if (++waiting_[event.connection_id] == 1) clients.push_back(event.connection_id);
  });
  return clients;
}

bool Deliveries::finished(std::uint32_t connection_id) {
  const auto found = waiting_.find(connection_id);
  if (found == waiting_.end() || --found->second > 0) return false;
  waiting_.erase(found);
  return true;
}

}  // namespace gatehouse::gateway
