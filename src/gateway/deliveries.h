#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/client_record.h"
#include "gateway/unfinished_events.h"
#include "net/connection.h"

namespace gatehouse::gateway {

/// The link to a worker that acknowledges its events.
struct WorkerDelivery {
  explicit WorkerDelivery(net::OutPool& pool) : events(pool) {}

  std::uint32_t id = 0;  // names it in what the worker says; never 0
  std::string worker;    // its key, for the log
  net::ConnectionId connection;
  WorkerRef ref;
  bool again = true;           // what it does not finish is given to another worker: at least once
  bool leaving = false;        // it is sent nothing more
  std::uint64_t heard_ms = 0;  // when it last gave a sign of life
  UnfinishedEvents events;
};

/// The links to all workers that acknowledge, and the clients that wait for one which is leaving to finish their events: what
/// they say next goes to another worker, and must not overtake.
///
/// Where each event is routed by itself, that holds for every event: a client's next one waits until the last is finished, and so
/// finds the session as its handler has left it.
class Deliveries {
 public:
  /// `first_id` is the id of the first link; random, so that a worker's words about an earlier gateway mean nothing here. `pool`
  /// must outlive this.
  Deliveries(net::OutPool& pool, std::uint32_t first_id, bool one_at_a_time = false)
      : pool_(pool), next_id_(first_id), one_at_a_time_(one_at_a_time) {}

  WorkerDelivery& open(net::ConnectionId connection, WorkerRef ref, std::string worker, bool again, std::uint64_t now_ms);
  /// Null when there is none (any more).
  [[nodiscard]] WorkerDelivery* find(std::uint32_t id);
  void close(std::uint32_t id) { links_.erase(id); }
  /// Their connections' ends may close them, but not from within `visit`.
  template <class Visit>
  void for_each(Visit visit) {
    for (auto& [id, link] : links_) visit(*link);
  }

  /// An event of this client has been sent on a link.
  void sent(std::uint32_t connection_id) {
    if (one_at_a_time_) ++waiting_[connection_id];
  }
  /// Whether clients wait for the events of this link to be finished.
  [[nodiscard]] bool is_awaited(const WorkerDelivery& link) const { return link.leaving || one_at_a_time_; }
  /// `link` gets nothing more. Gives the connection ids of those clients that have to wait from now on.
  std::vector<std::uint32_t> let_leave(WorkerDelivery& link);
  [[nodiscard]] bool must_wait(std::uint32_t connection_id) const {
    return !waiting_.empty() && waiting_.find(connection_id) != waiting_.end();
  }
  /// One event of this client is finished, or has been taken back, on a link that is awaited. True when the client need not wait
  /// any longer.
  bool finished(std::uint32_t connection_id);

 private:
  net::OutPool& pool_;
  // By pointer: records of workers refer to them.
  tsl::robin_map<std::uint32_t, std::unique_ptr<WorkerDelivery>> links_;
  std::unordered_map<std::uint32_t, std::uint32_t> waiting_;  // connection id to the number of its events
  std::uint32_t next_id_;
  bool one_at_a_time_;
};

}  // namespace gatehouse::gateway
