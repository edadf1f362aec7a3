#pragma once

#include <cstdint>
#include <string>

#include "gateway/client_table.h"
#include "gateway/clients.h"
#include "net/loop.h"

namespace gatehouse::gateway {

/// Upstream's heartbeat: pings silent clients, ends those that stay silent (upstream-compatible counts; docs/differences.md says
/// what counts as life here).
///
/// Every client is visited once a tick; a tick is half the interval when silence is limited, else the whole. Visits are spread
/// evenly over the tick in slices, so that 10,000 clients are not all pinged in the same millisecond.
class Heartbeat {
 public:
  struct Settings {
    std::uint64_t interval_ms = 0;  // 0: off
    int not_response_limit = 0;
    std::string data;
  };
  Heartbeat(net::Loop& loop, ClientTable& table, Clients& clients, Settings settings);

  void start();

 private:
  void visit_slice();
  void visit(std::uint32_t client, ClientRecord& record, Clients::Broadcast& ping);

  net::Loop& loop_;
  ClientTable& table_;
  Clients& clients_;
  Settings settings_;
  std::uint32_t slices_ = 1;
  std::uint32_t slice_ = 0;
};

}  // namespace gatehouse::gateway
