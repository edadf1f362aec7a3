#include "gateway/event_router.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <limits>
#include <random>
#include <string>
#include <utility>

#include "gateway/deliveries.h"
#include "wire/php_serialize.h"
#include "wire/php_value.h"

namespace gatehouse {

Value RoutedEvent::read_session() const {
  wire::PhpValue value;
  if (session.empty() || wire::unserialize(session, value) != wire::PhpStatus::ok || value.array() == nullptr) return {};
  return wire::to_json(value, true);
}

Router route_at_random() {
  return [random = std::minstd_rand(std::random_device{}())](const RoutedEvent&, std::span<const RoutedWorker> workers) mutable {
    return std::uniform_int_distribution<std::size_t>(0, workers.size() - 1)(random);
  };
}

Router route_in_turn() {
  return [turn = std::numeric_limits<std::size_t>::max()](const RoutedEvent&, std::span<const RoutedWorker> workers) mutable {
    turn = turn + 1 < workers.size() ? turn + 1 : 0;
    return turn;
  };
}

namespace gateway {
namespace {

/// The key is "ip:name:index". Gateways are dialled by IPv4, so the first colon ends the ip; a name may have colons in it.
RoutedWorker show(const WorkerLink& link) {
  RoutedWorker shown;
  const std::string_view key = link.key;
  const std::size_t name = std::min(key.find(':'), key.size() - 1) + 1;
  const std::size_t index = key.rfind(':') + 1;  // 0 when there is none
  shown.ip = key.substr(0, key.find(':'));
  shown.name = key.substr(name, index > name ? index - name - 1 : key.npos);
  if (index > name) (void)std::from_chars(key.data() + index, key.data() + key.size(), shown.index);
  shown.clients = link.clients;
  return shown;
}

RoutedEvent::Kind kind_of(wire::Command command) {
  switch (command) {
    case wire::Command::on_connect: return RoutedEvent::Kind::connect;
    case wire::Command::on_websocket_connect: return RoutedEvent::Kind::websocket_connect;
    case wire::Command::on_close: return RoutedEvent::Kind::close;
    default: return RoutedEvent::Kind::message;
  }
}

}  // namespace

EventRouter::EventRouter(net::Loop& loop, WorkerTable& workers, const Directory& directory, Settings settings)
    : loop_(loop), workers_(workers), directory_(directory), settings_(std::move(settings)) {}

EventRouter::Among EventRouter::for_handshake(wire::Command command) const {
  // The first event too, so that the same worker hears both, in their order.
  const bool belongs = command == wire::Command::on_connect || command == wire::Command::on_websocket_connect;
  return belongs && workers_.count(Among::native) > 0 ? Among::native : Among::all;
}

/// Of a client whose own worker was gone: when a worker has come since that has clearly fewer clients, it is given to that one,
/// once. Only between its events, for the order of what it says; so never where the worker does not acknowledge.
WorkerLink* EventRouter::share_out(ClientRecord& record, WorkerLink& bound, wire::Command command) {
  if (command != wire::Command::on_message) return &bound;
  const WorkerRef better = workers_.better_than(bound);
  if (better.generation == 0 || bound.delivery == nullptr || bound.delivery->events.may_have(record.id)) return &bound;
  record.displaced = false;
  return workers_.bind(record.worker, better);
}

WorkerLink* EventRouter::route_event(ClientRecord& record, const net::Address& peer, wire::Command command, std::string_view body,
                                     Among among) {
  if (workers_.size() == 0) return nullptr;
  const WorkerRef chosen = ask(record, peer, command, body, among);
  if (chosen.generation != 0) return workers_.bind(record.worker, chosen);
  WorkerLink* bound = workers_.find(record.worker);
  if (bound != nullptr && (among == Among::all || bound->extension != 0)) return bound;
  return workers_.bind(record.worker, workers_.choose(settings_.balancing, among));
}

/// Nothing (generation 0) when the router has no good answer.
WorkerRef EventRouter::ask(const ClientRecord& record, const net::Address& peer, wire::Command command, std::string_view body,
                           Among among) {
  workers_.list(refs_, among);
  shown_.clear();
  RoutedEvent event;
  for (const WorkerRef ref : refs_) {
    if (ref == record.worker) event.current = shown_.size();
    shown_.push_back(show(*workers_.find(ref)));
  }
  event.kind = kind_of(command);
  if (event.kind == RoutedEvent::Kind::message) event.message = body;
  event.client_id = wire::format_client_id({settings_.local_ip, settings_.local_port, record.id});
  event.remote_address = peer.ip();
  event.remote_port = peer.port();
  event.uid = directory_.uid_of(record);
  event.session = record.session.view();
  try {
    const std::size_t chosen = settings_.router(event, shown_);
    if (chosen < refs_.size()) return refs_[chosen];
    complain("it named worker " + std::to_string(chosen) + " of " + std::to_string(refs_.size()));
  } catch (const std::exception& error) {
    complain(error.what());
  } catch (...) {
    complain("it threw what is no std::exception");
  }
  return {};
}

void EventRouter::complain(std::string_view why) {
  ++failures_;
  if (failures_ == 1 || failures_ % 1000 == 0) {
    loop_.log().error("the gateway's router failed: {}; the event went where it would have gone without a router ({} so far)",
                      why, failures_);
  }
}

}  // namespace gateway
}  // namespace gatehouse
