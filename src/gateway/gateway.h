#pragma once

#include <gatehouse/options.h>
#include <gatehouse/protocol.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/role_status.h"
#include "net/address_range.h"
#include "net/loop.h"
#include "net/tls_context.h"

namespace gatehouse {

namespace gateway {
class AccessLog;
}

/// One gateway process: the clients of a public port on one side, workers and GatewayClients on its inner port on the other.
class Gateway {
 public:
  /// What it encrypts with, clients and the inner side; null: not. Must outlive the gateway.
  struct Tls {
    net::TlsContext* clients = nullptr;
    net::TlsContext* inner = nullptr;
  };
  /// Where it writes who came and who went; null: nowhere. It must outlive the gateway.
  void use_access_log(gateway::AccessLog* log);
  /// `protocol` is null for websocket. `index` is the process's place among its siblings.
  Gateway(net::Loop& loop, const GatewayOptions& options, int index, std::unique_ptr<Protocol> protocol, Tls tls);
  Gateway(net::Loop& loop, const GatewayOptions& options, int index, std::unique_ptr<Protocol> protocol)
      : Gateway(loop, options, index, std::move(protocol), Tls{}) {}
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;
  ~Gateway();

  /// Serves clients and workers, and announces itself to the registers. `share` is the memory of all processes of the port
  /// (net::AcceptShare::make_memory()), or invalid for one that is alone. REQUIRES: called once.
  void serve(net::Socket clients, net::Socket inner, const net::Socket& share = net::Socket());
  /// Goes on with other options, for what comes from now on; clients and links that are there stay. Those that take a restart are
  /// to be as they were. `old_secret` is accepted for `old_secret_ms` beside the new one. REQUIRES: after serve().
  void configure(const GatewayOptions& options, const std::string& old_secret, std::uint64_t old_secret_ms);
  /// Refuses new clients, says goodbye to those that are there (close code 1001), and calls `stopped` when what was queued has
  /// been written, or after 1 s.
  void stop(std::function<void()> stopped);
  /// Refuses new clients at once, goes on with those that are there, and stops when they have gone. stop() may follow; whichever
  /// of the two was called first is forgotten.
  void stop_gracefully(std::function<void()> stopped);
  /// Refuses new clients from now on, for it is to stop. With `has_siblings` they go to other processes that have the same port;
  /// if there are none and there is a health path, the port stays open to say 503.
  void leave_port(bool has_siblings);
  /// Denies addresses for a time, or without one for good, and disconnects those clients that are there: how many those are.
  std::size_t deny(const net::AddressRange& range, std::optional<std::chrono::milliseconds> time);
  /// False when exactly this range was not denied.
  bool allow(const net::AddressRange& range);
  [[nodiscard]] RoleStatus status() const;
  /// The two counters of status() that rates are made of, without looking at every connection.
  [[nodiscard]] MessageCounts message_counts() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace gatehouse
