#pragma once

#include <gatehouse/router.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "gateway/directory.h"
#include "gateway/worker_table.h"
#include "net/loop.h"
#include "wire/client_id.h"
#include "wire/gateway_protocol.h"

namespace gatehouse::gateway {

/// Says which worker an event goes to: the one that its client is bound to, or whom a Router names.
class EventRouter {
 public:
  struct Settings {
    LoadBalancing balancing = LoadBalancing::least_connections;
    Router router;               // may be empty
    std::uint32_t local_ip = 0;  // parts of every client id
    std::uint16_t local_port = 0;
    bool native_handshakes = false;  // what belongs to a handshake goes to workers that can decide it, as long as there are some
  };
  EventRouter(net::Loop& loop, WorkerTable& workers, const Directory& directory, Settings settings);

  /// For clients that are not bound yet.
  void set_balancing(LoadBalancing balancing) { settings_.balancing = balancing; }

  /// The worker for an event of a client, which is counted as that worker's from now on. Null when there is no worker at all.
  WorkerLink* route(ClientRecord& record, const net::Address& peer, wire::Command command, std::string_view body) {
    const Among among = settings_.native_handshakes ? for_handshake(command) : Among::all;
    if (settings_.router) return route_event(record, peer, command, body, among);
    WorkerLink* bound = workers_.find(record.worker);
    if (bound != nullptr && (among == Among::all || bound->extension != 0)) {
      return record.displaced ? share_out(record, *bound, command) : bound;
    }
    const bool is_gone = bound == nullptr && record.worker.generation != 0;
    bound = workers_.bind(record.worker, workers_.choose(settings_.balancing, among));
    record.displaced = record.displaced || is_gone;
    return bound;
  }
  /// Each event is routed by itself: two in a row of one client may go to different workers.
  [[nodiscard]] bool routes_events() const { return static_cast<bool>(settings_.router); }
  /// The worker for events of a client that has gone and is counted as nobody's.
  WorkerRef any() { return workers_.choose(settings_.balancing); }

 private:
  using Among = WorkerTable::Among;
  WorkerLink* share_out(ClientRecord& record, WorkerLink& bound, wire::Command command);
  [[nodiscard]] Among for_handshake(wire::Command command) const;
  WorkerLink* route_event(ClientRecord& record, const net::Address& peer, wire::Command command, std::string_view body,
                          Among among);
  WorkerRef ask(const ClientRecord& record, const net::Address& peer, wire::Command command, std::string_view body, Among among);
  void complain(std::string_view why);

  net::Loop& loop_;
  WorkerTable& workers_;
  const Directory& directory_;
  Settings settings_;
  // Kept between calls for their memory.
  std::vector<WorkerRef> refs_;
  std::vector<RoutedWorker> shown_;
  std::uint64_t failures_ = 0;
};

}  // namespace gatehouse::gateway
