#include "gateway/event_forwarder.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <random>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "wire/client_id.h"
#include "wire/event_ranges.h"
#include "wire/http_head.h"
#include "wire/websocket_handshake.h"

namespace gatehouse::gateway {
namespace {

/// Events that end a client are always kept: a worker that has seen it come must hear that it went.
bool is_essential(wire::Command command) { return command == wire::Command::on_close; }

/// The body of on_websocket_connect as upstream has it. `request` is one that this gateway has accepted.
std::string upstreams_handshake(std::string_view request, const net::Address& peer, std::uint16_t gateway_port) {
  wire::HttpHead head;
  const wire::HttpResult result = wire::parse_http_head(request, 0, head, wire::kMostHead);
  assert(result.status == wire::HttpStatus::complete);
  return wire::handshake_body(head, peer.ip(), peer.port(), gateway_port);
}

}  // namespace

EventForwarder::EventForwarder(net::Loop& loop, ClientTable& clients, WorkerTable& workers, EventRouter& router,
                               Settings settings)
    : loop_(loop),
      clients_(clients),
      workers_(workers),
      router_(router),
      settings_(settings),
      deliveries_(loop.out_pool(), std::random_device{}(), router.routes_events()),
      turns_(loop, clients, workers) {}

EventForwarder::Outcome EventForwarder::forward(std::uint32_t client, const Event& event) {
  ClientRecord& record = clients_[client];
  net::Connection* connection = loop_.find(record.connection);
  static const net::Address kUnknown;
  const net::Address& peer = connection != nullptr ? connection->peer() : kUnknown;
  WorkerLink* worker = nullptr;
  if (!record.waits && !deliveries_.must_wait(record.id)) {
    worker = router_.route(record, peer, event.command, event.body);
  } else if (router_.routes_events() && event.command == wire::Command::on_close && !record.waits) {
    // The worker that has the event before it keeps the order, and knows what that has made of the session.
    worker = workers_.find(record.worker);
  }
  net::Connection* inner = worker == nullptr ? nullptr : loop_.find(worker->connection);
  if (inner == nullptr) return hold(record, peer, event);
  std::string_view session = record.session.view();
  std::string made;
  const Event told = in_its_words(*worker, event, peer, made);
  if (!fits(*worker, session.size(), told.body.size())) {
    if (!is_essential(event.command)) return Outcome::too_big;
    session = {};
  }
  if (!write(*worker, *inner, record.id, peer, session, told)) return hold(record, peer, event);
  if (connection != nullptr && deliveries_.must_wait(record.id)) connection->pause();
  return is_full(*worker, *inner, 1) && wait_for(*worker, *inner, record) ? Outcome::passed_and_waits : Outcome::passed;
}

bool EventForwarder::fits(const WorkerLink& worker, std::size_t session_size, std::size_t body_size) {
  return wire::gateway_frame_size(session_size, body_size) <= (worker.extension != 0 ? kMaxFrameForNative : kMaxFrameForPhp);
}

EventForwarder::Event EventForwarder::in_its_words(const WorkerLink& worker, const Event& event, const net::Address& peer,
                                                   std::string& made) const {
  if (worker.extension >= wire::kTakesRequests) return event;
  Event told = event;
  // One that is taken back from a worker that takes none is an array already.
  if (event.command == wire::Command::on_websocket_connect && (event.flags & wire::flag::kScalar) != 0) {
    made = upstreams_handshake(event.body, peer, settings_.gateway_port);
    told.body = made;
    told.flags = static_cast<std::uint8_t>(event.flags & ~wire::flag::kScalar);
  }
  if (worker.extension == 0) {
    told.flags &= wire::flag::kScalar;
    if ((event.flags & wire::flag::kCloseReason) != 0) told.body = {};
  }
  return told;
}

bool EventForwarder::write(WorkerLink& worker, net::Connection& inner, std::uint32_t connection_id, const net::Address& peer,
                           std::string_view session, const Event& event) {
  if (!inner.is_open()) return false;
  wire::GatewayHeader header;
  header.command = event.command;
  header.flags = event.flags;
  header.local_ip = settings_.local_ip;
  header.local_port = settings_.local_port;
  header.client_ip = peer.ipv4();
  header.client_port = peer.port();
  header.connection_id = connection_id;
  header.gateway_port = settings_.gateway_port;

  const std::string_view body = event.body;
  std::string_view address;
  if (worker.extension != 0 && !peer.is_ipv4()) {
    header.flags |= wire::flag::kAddress;
    address = {reinterpret_cast<const char*>(peer.bytes().data()), peer.bytes().size()};  // NOLINT: bytes as characters
  }
  const std::size_t ext_size = address.size() + session.size();
  const std::size_t size = wire::gateway_frame_size(ext_size, body.size());
  char* out = inner.grow(size);
  if (out == nullptr) return false;
  const std::string_view frame(out, size);
  wire::write_gateway_header(out, header, ext_size, body.size());
  out += wire::GatewayHeader::kSize;
  // Most clients have neither.
  if (!address.empty()) out += address.copy(out, address.size());
  if (!session.empty()) out += session.copy(out, session.size());
  if (!body.empty()) std::memcpy(out, body.data(), body.size());
  if (worker.delivery != nullptr) {
    const bool redelivered = (header.flags & wire::flag::kRedelivered) != 0;
    worker.delivery->events.add(connection_id, worker.delivery->again ? frame : std::string_view(), event.deaths, redelivered);
    deliveries_.sent(connection_id);
  }
  ++forwarded_;
  return true;
}

EventForwarder::Outcome EventForwarder::hold(ClientRecord& record, const net::Address& peer, const Event& event) {
  HeldEvent held{
      loop_.now_ms(),         record.id, event.command, event.flags, event.deaths, peer, std::string(record.session.view()),
      std::string(event.body)};
  if (held_size_ + size_of(held) > settings_.held_bytes && !is_essential(event.command)) return Outcome::gave_up;
  held_size_ += size_of(held);
  held_.push_back(std::move(held));
  record.waits = true;
  // One event at a time: what the client says next waits in its socket, not here. But a request that opens nothing, such as a
  // health probe's, needs no worker to be answered.
  const bool may_be_a_probe = event.command == wire::Command::on_connect && record.stage == ClientRecord::Stage::handshake;
  if (net::Connection* connection = may_be_a_probe ? nullptr : loop_.find(record.connection)) connection->pause();
  return Outcome::held;
}

bool EventForwarder::is_full(const WorkerLink& worker, const net::Connection& inner, std::size_t part) const {
  return inner.queued_bytes() * part > settings_.high_water_bytes ||
         (worker.delivery != nullptr && worker.delivery->events.bytes() * part > settings_.unfinished_bytes);
}

bool EventForwarder::wait_for(WorkerLink& worker, net::Connection& inner, ClientRecord& record) {
  net::Connection* connection = loop_.find(record.connection);
  if (connection == nullptr || connection->is_paused()) return false;
  connection->pause();
  worker.waiting.push_back(record.id);
  inner.notify_below(settings_.high_water_bytes / 2);
  return true;
}

void EventForwarder::relieve(WorkerLink& worker) {
  if (worker.waiting.empty()) return;
  const net::Connection* inner = loop_.find(worker.connection);
  // Half, so that they are not stopped again at once.
  if (inner != nullptr && is_full(worker, *inner, 2)) return;
  resume_clients_of(std::exchange(worker.waiting, {}));
}

void EventForwarder::resume_clients_of(const std::vector<std::uint32_t>& waiting) {
  for (const std::uint32_t id : waiting) {
    const std::uint32_t client = clients_.find(id);
    if (client == ClientTable::kNone || clients_[client].waits || deliveries_.must_wait(id)) continue;
    if (net::Connection* connection = loop_.find(clients_[client].connection)) connection->resume();
  }
}

void EventForwarder::deliver_held() {
  if (held_.empty() || workers_.size() == 0) return;
  std::vector<std::uint32_t> resumed;
  // A client that has gone meanwhile is bound to nobody: any worker may hear of it, but one worker all of it, to keep the order.
  std::unordered_map<std::uint32_t, WorkerRef> homes;
  held_size_ = 0;
  std::unordered_set<std::uint32_t> kept;
  const auto keep = [&](HeldEvent& event, std::uint32_t client) {
    if (client != ClientTable::kNone) clients_[client].waits = true;
    kept.insert(event.connection_id);
    held_size_ += size_of(event);
    held_.push_back(std::move(event));
  };
  std::deque<HeldEvent> waiting;
  waiting.swap(held_);
  for (HeldEvent& event : waiting) {
    const std::uint32_t client = clients_.find(event.connection_id);
    if (deliveries_.must_wait(event.connection_id) || kept.contains(event.connection_id)) {
      keep(event, client);
      continue;
    }
    if (client != ClientTable::kNone) clients_[client].waits = false;
    if (client == ClientTable::kNone) {
      homes.try_emplace(event.connection_id, router_.any());
    } else {
      // It may have changed since: by the worker that this event is taken back from, say.
      event.session.assign(clients_[client].session.view());
    }
    WorkerLink* worker = client == ClientTable::kNone ? workers_.find(homes[event.connection_id])
                                                      : router_.route(clients_[client], event.peer, event.command, event.body);
    const Event content{event.command, event.body, event.flags, event.deaths};
    std::string made;
    const Event told = in_its_words(*worker, content, event.peer, made);
    if (!fits(*worker, event.session.size(), told.body.size())) {
      event.session.clear();
      if (!is_essential(event.command)) {
        loop_.log().warning("a message of {} bytes that waited for a worker is more than this one accepts: client closed",
                            told.body.size());
        given_up_.push_back(event.connection_id);
        continue;
      }
    }
    net::Connection* inner = loop_.find(worker->connection);
    if (inner == nullptr || !write(*worker, *inner, event.connection_id, event.peer, event.session, told)) {
      keep(event, client);  // that worker is just going; this is called again when it has gone
    } else if (client != ClientTable::kNone) {
      net::Connection* connection =
          deliveries_.must_wait(event.connection_id) ? loop_.find(clients_[client].connection) : nullptr;
      if (connection != nullptr) connection->pause();
      resumed.push_back(event.connection_id);
    }
  }
  resume_clients_of(resumed);
}

std::unordered_set<std::uint32_t> EventForwarder::held_clients() const {
  std::unordered_set<std::uint32_t> ids;
  for (const HeldEvent& event : held_) ids.insert(event.connection_id);
  return ids;
}

bool EventForwarder::is_expired(const HeldEvent& event) const {
  return loop_.now_ms() - event.since_ms >= settings_.held_ms && !is_essential(event.command) &&
         !deliveries_.must_wait(event.connection_id);
}

std::vector<std::uint32_t> EventForwarder::take_expired() {
  std::vector<std::uint32_t> expired = std::exchange(given_up_, {});
  std::unordered_set<std::uint32_t> unheard_of;
  std::erase_if(held_, [&](const HeldEvent& event) {
    if (!is_expired(event)) return false;
    held_size_ -= size_of(event);
    const std::uint32_t client = clients_.find(event.connection_id);
    if (client != ClientTable::kNone) {
      expired.push_back(event.connection_id);
      if (event.command == wire::Command::on_connect) clients_[client].announced = false;
    } else if (event.command == wire::Command::on_connect) {
      unheard_of.insert(event.connection_id);
    }
    return true;
  });
  if (unheard_of.empty()) return expired;
  std::erase_if(held_, [&](const HeldEvent& event) {
    if (!unheard_of.contains(event.connection_id)) return false;
    held_size_ -= size_of(event);
    return true;
  });
  return expired;
}

WorkerDelivery& EventForwarder::open_delivery(net::ConnectionId connection, WorkerRef ref, bool again) {
  WorkerLink& worker = *workers_.find(ref);
  WorkerDelivery& link = deliveries_.open(connection, ref, worker.key, again, loop_.now_ms());
  worker.delivery = &link;
  return link;
}

bool EventForwarder::finish(WorkerDelivery& link, std::string_view ranges) {
  std::vector<std::uint32_t> released;
  std::vector<std::uint32_t> seen;
  const bool awaited = deliveries_.is_awaited(link);
  const bool anybody = awaited || !watched_.empty();  // nearly always nobody: one question for each event, not two
  wire::EventRange range;
  while (wire::take_event_range(ranges, range)) {
    link.events.finish(range.first, range.count, [&](std::uint32_t connection_id) {
      if (!anybody) return;
      if (awaited && deliveries_.finished(connection_id)) released.push_back(connection_id);
      if (watched_.contains(connection_id)) seen.push_back(connection_id);
    });
  }
  if (!released.empty()) {
    renew_held(released);
    deliver_held();
    resume_clients_of(released);
  }
  resume_clients_of(turns_.released_by(link, false));
  if (WorkerLink* worker = workers_.find(link.ref); worker != nullptr && worker->delivery == &link) relieve(*worker);
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  tell_watcher(seen);
  return ranges.empty();
}

void EventForwarder::tell_watcher(const std::vector<std::uint32_t>& connection_ids) {
  for (const std::uint32_t id : connection_ids) {
    if (watched_.contains(id)) watcher_(id);
  }
}

EventForwarder::Unfinished EventForwarder::unfinished_events_of(const ClientRecord& record) const {
  if (record.waits || deliveries_.must_wait(record.id)) return Unfinished::some;
  const WorkerLink* worker = workers_.find(record.worker);
  if (worker == nullptr) return Unfinished::none;
  if (worker->delivery == nullptr) return Unfinished::unknown;
  return worker->delivery->events.has_any_of(record.id, kMostLookedAt) ? Unfinished::some : Unfinished::none;
}

bool EventForwarder::begin(WorkerDelivery& link, std::string_view ranges) {
  wire::EventRange range;
  while (wire::take_event_range(ranges, range)) link.events.begin(range.first);
  return ranges.empty();
}

void EventForwarder::let_leave(WorkerDelivery& link) {
  for (const std::uint32_t id : deliveries_.let_leave(link)) {
    const std::uint32_t client = clients_.find(id);
    if (client == ClientTable::kNone) continue;
    if (net::Connection* connection = loop_.find(clients_[client].connection)) connection->pause();
  }
}

void EventForwarder::close_delivery(WorkerDelivery& link) {
  std::vector<std::uint32_t> released;
  std::deque<HeldEvent> back;
  link.events.for_each([&](const UnfinishedEvents::Event& event) {
    if (deliveries_.is_awaited(link) && deliveries_.finished(event.connection_id)) released.push_back(event.connection_id);
    if (link.again) take_back(link, event, back);
  });
  if (!link.events.empty()) {
    loop_.log().warning("worker {} is gone with {} events that it had not finished; {}", link.worker, link.events.size(),
                        link.again ? "they go to another worker" : "they are dropped, for it is to get each at most once");
  }
  const std::vector<std::uint32_t> passed = turns_.released_by(link, true);
  deliveries_.close(link.id);
  // In front of what its clients have said since.
  for (const HeldEvent& event : back) {
    const std::uint32_t client = clients_.find(event.connection_id);
    if (client != ClientTable::kNone) clients_[client].waits = true;
  }
  held_.insert(held_.begin(), std::make_move_iterator(back.begin()), std::make_move_iterator(back.end()));
  renew_held(released);
  resume_clients_of(released);
  resume_clients_of(passed);
  tell_watcher({watched_.begin(), watched_.end()});
}

void EventForwarder::renew_held(const std::vector<std::uint32_t>& released) {
  if (held_.empty() || released.empty()) return;
  const std::unordered_set<std::uint32_t> ids(released.begin(), released.end());
  for (HeldEvent& event : held_) {
    if (ids.contains(event.connection_id)) event.since_ms = loop_.now_ms();
  }
}

void EventForwarder::take_back(const WorkerDelivery& link, const UnfinishedEvents::Event& event, std::deque<HeldEvent>& out) {
  const wire::GatewayFrame frame = wire::decode_gateway_frame(event.frame, event.frame.size()).frame;
  const wire::GatewayHeader& header = frame.header;
  // Which of those that it got for the first time it had begun is not known.
  const bool may_be_why = event.begun || !event.redelivered;
  const auto deaths = static_cast<std::uint8_t>(event.deaths + (may_be_why ? 1 : 0));
  if (deaths >= kMostDeaths) {
    loop_.log().error(
        "{} workers, {} last, were lost while they handled one and the same event (command {}, {} bytes) of client {}, which is "
        "disconnected",
        deaths, link.worker, static_cast<int>(header.command), frame.body.size(),
        wire::format_client_id({settings_.local_ip, settings_.local_port, event.connection_id}));
    deadly_.push_back(event.connection_id);
    return;
  }
  HeldEvent held{.since_ms = loop_.now_ms(),
                 .connection_id = event.connection_id,
                 .command = header.command,
                 .flags = static_cast<std::uint8_t>((header.flags & ~wire::flag::kAddress) | wire::flag::kRedelivered),
                 .deaths = deaths,
                 .peer = net::Address::from_ipv4(header.client_ip, header.client_port),
                 .session = std::string(frame.ext_data),
                 .body = std::string(frame.body)};
  constexpr std::size_t kIpv6Size = 16;
  if ((header.flags & wire::flag::kAddress) != 0 && held.session.size() >= kIpv6Size) {
    held.peer = net::Address::from_bytes(held.session.data(), header.client_port);
    held.session.erase(0, kIpv6Size);
  }
  out.push_back(std::move(held));
}

void EventForwarder::excuse_silence(std::uint64_t time_ms) {
  deliveries_.for_each([&](WorkerDelivery& link) { link.heard_ms = std::min(link.heard_ms + time_ms, loop_.now_ms()); });
}

std::vector<net::ConnectionId> EventForwarder::silent_links(std::uint64_t silence_ms) {
  std::vector<net::ConnectionId> silent;
  deliveries_.for_each([&](const WorkerDelivery& link) {
    if (loop_.now_ms() - link.heard_ms < silence_ms) return;
    loop_.log().error("worker {} has given no sign of life for {} ms and is given up; its clients go to others", link.worker,
                      loop_.now_ms() - link.heard_ms);
    silent.push_back(link.connection);
  });
  return silent;
}

}  // namespace gatehouse::gateway
