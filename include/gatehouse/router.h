#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <gatehouse/value.h>

namespace gatehouse {

/// How a gateway process chooses the worker for a client that has none: at its first event, and when its worker is gone. The
/// client stays with that worker then (upstream's routerBind and its $selectLoadBalancingMode).
enum class LoadBalancing {
  least_connections,  // the worker with the fewest clients of this gateway process
  random,             // any
  round_robin,        // one after the other
};

/// A worker that a gateway may send an event to. Valid only inside the call that it is given to.
struct RoutedWorker {
  std::string_view ip;      // as the gateway sees it
  std::string_view name;    // WorkerOptions::name, upstream's $businessWorker->name
  int index = 0;            // of the process
  std::size_t clients = 0;  // of this gateway process that are bound to it
};

/// An event that is to be sent to a worker. Valid only inside the call that it is given to.
struct RoutedEvent {
  enum class Kind : std::uint8_t { connect, websocket_connect, message, close };

  Kind kind = Kind::message;
  std::string_view message;  // only of Kind::message
  std::string client_id;
  std::string remote_address;  // "192.168.1.9", "2001:db8::1"
  std::uint16_t remote_port = 0;
  std::string_view uid;      // empty for none
  std::string_view session;  // as it is kept: PHP's serialize(), empty for none; read_session() reads it
  /// The worker that got this client's event before this one, as a place in the list; none at the first event, and when that
  /// worker is gone.
  std::optional<std::size_t> current;

  /// The session as Client::session() shows it; null for none and for one that cannot be read (objects of PHP).
  [[nodiscard]] Value read_session() const;
};

/// Chooses the worker for every event: gives a place in `workers`, which is never empty and keeps its order as long as no worker
/// comes or goes. Runs in the gateway process and must not block. When it throws, or gives a place that is not there, the event
/// goes where it would go without a router, and that is logged.
///
/// The events of one client keep their order, and each finds the session as the one before has left it, whatever worker it goes
/// to: the next is sent when the last has been handled. Not so for workers of PHP, which cannot say when that is, and may handle
/// two at the same time; `current` is there to keep them together.
using Router = std::function<std::size_t(const RoutedEvent& event, std::span<const RoutedWorker> workers)>;

/// Any worker for any event: upstream's routerRand.
Router route_at_random();
/// One worker after the other, event by event.
Router route_in_turn();

}  // namespace gatehouse
