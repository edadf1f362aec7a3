#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <optional>
#include <string>

#include "gateway/client_table.h"
#include "gateway/clients.h"
#include "net/loop.h"

namespace gatehouse::gateway {

/// Upstream's heartbeat: pings silent clients, ends those that stay silent (docs/differences.md says what counts as life here).
///
/// Every client is visited once a tick, which is half an interval; how long it has been silent is counted in visits, so that a
/// message costs one store and no clock. A client is pinged at the second visit after its last sign of life, when it has been
/// silent for more than half an interval and for no more than a whole one, and then once an interval. (Upstream: 1 to 1.5
/// intervals, without a limit 1 to 2.) With a limit it is ended at visit 2 * limit + 2, after limit + 0.5 to limit + 1 intervals
/// of silence, as upstream; so it has had a whole interval to answer the last ping.
///
/// Visits are spread evenly over the tick in slices, so that 10,000 clients are not all pinged in the same millisecond.
///
/// A client that business code gave an interval of its own is left out of that and has a timer of its own, with the same limit
/// and data.
class Heartbeat {
 public:
  struct Settings {
    std::uint64_t interval_ms = 0;  // 0: off
    int not_response_limit = 0;
    std::string data;
  };
  Heartbeat(net::Loop& loop, ClientTable& table, Clients& clients, Settings settings);

  void start();
  /// Another one from now on. Clients with an interval of their own keep it.
  void change(Settings settings);

  /// The client's own interval from now on; 0: none, nullopt: the gateway's again.
  void set_interval(std::uint32_t client, std::optional<std::uint64_t> interval_ms);
  /// The client goes. REQUIRES: called for every one with ClientRecord::own_heartbeat.
  void forget(std::uint32_t connection_id);
  /// Clients that have one.
  [[nodiscard]] std::size_t own_intervals() const { return own_.size(); }

 private:
  void visit_slice();
  void visit_one(std::uint32_t connection_id);
  void visit(std::uint32_t client, ClientRecord& record, Clients::Broadcast& ping);

  net::Loop& loop_;
  ClientTable& table_;
  Clients& clients_;
  Settings settings_;
  net::TimerId timer_;
  std::uint32_t slices_ = 1;
  std::uint32_t slice_ = 0;
  tsl::robin_map<std::uint32_t, net::TimerId> own_;  // by connection id; an empty timer for no heartbeat
};

}  // namespace gatehouse::gateway
