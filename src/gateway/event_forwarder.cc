#include "gateway/event_forwarder.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace gatehouse::gateway {
namespace {

/// Events that end a client are always kept: a worker that has seen it come must hear that it went.
bool is_essential(wire::Command command) { return command == wire::Command::on_close; }

}  // namespace

EventForwarder::EventForwarder(net::Loop& loop, ClientTable& clients, WorkerTable& workers, EventRouter& router,
                               Settings settings)
    : loop_(loop), clients_(clients), workers_(workers), router_(router), settings_(settings) {}

EventForwarder::Outcome EventForwarder::forward(std::uint32_t client, const Event& event) {
  ClientRecord& record = clients_[client];
  net::Connection* connection = loop_.find(record.connection);
  static const net::Address kUnknown;
  const net::Address& peer = connection != nullptr ? connection->peer() : kUnknown;
  WorkerLink* worker = router_.route(record, peer, event.command, event.body);
  if (worker == nullptr) return hold(record, peer, event);
  std::string_view session = record.session.view();
  if (!fits(*worker, session.size(), event.body.size())) {
    if (!is_essential(event.command)) return Outcome::too_big;
    session = {};
  }
  if (!write(*worker, record.id, peer, session, event)) return hold(record, peer, event);
  net::Connection& inner = *loop_.find(worker->connection);
  if (inner.queued_bytes() > settings_.high_water_bytes) wait_for(*worker, inner, record);
  return Outcome::passed;
}

bool EventForwarder::fits(const WorkerLink& worker, std::size_t session_size, std::size_t body_size) {
  return wire::gateway_frame_size(session_size, body_size) <= (worker.extension ? kMaxFrameForNative : kMaxFrameForPhp);
}

bool EventForwarder::write(WorkerLink& worker, std::uint32_t connection_id, const net::Address& peer, std::string_view session,
                           const Event& event) {
  net::Connection* inner = loop_.find(worker.connection);
  if (inner == nullptr || !inner->is_open()) return false;
  wire::GatewayHeader header;
  header.command = event.command;
  header.flags = event.flags;
  header.local_ip = settings_.local_ip;
  header.local_port = settings_.local_port;
  header.client_ip = peer.ipv4();
  header.client_port = peer.port();
  header.connection_id = connection_id;
  header.gateway_port = settings_.gateway_port;

  std::string_view body = event.body;
  std::string_view address;
  if (!worker.extension) {
    header.flags &= wire::flag::kScalar;
    if ((event.flags & wire::flag::kCloseReason) != 0) body = {};
  } else if (!peer.is_ipv4()) {
    header.flags |= wire::flag::kAddress;
    address = {reinterpret_cast<const char*>(peer.bytes().data()), peer.bytes().size()};  // NOLINT: bytes as characters
  }
  const std::size_t ext_size = address.size() + session.size();
  char* out = inner->grow(wire::gateway_frame_size(ext_size, body.size()));
  if (out == nullptr) return false;
  wire::write_gateway_header(out, header, ext_size, body.size());
  out += wire::GatewayHeader::kSize;
  for (const std::string_view part : {address, session, body}) {
    if (!part.empty()) std::memcpy(out, part.data(), part.size());
    out += part.size();
  }
  ++forwarded_;
  return true;
}

EventForwarder::Outcome EventForwarder::hold(ClientRecord& record, const net::Address& peer, const Event& event) {
  HeldEvent held{loop_.now_ms(),         record.id, event.command, event.flags, peer, std::string(record.session.view()),
                 std::string(event.body)};
  if (held_size_ + size_of(held) > settings_.held_bytes && !is_essential(event.command)) return Outcome::gave_up;
  held_size_ += size_of(held);
  held_.push_back(std::move(held));
  // One event at a time: what the client says next waits in its socket, not here.
  if (net::Connection* connection = loop_.find(record.connection)) connection->pause();
  return Outcome::held;
}

void EventForwarder::wait_for(WorkerLink& worker, net::Connection& inner, ClientRecord& record) {
  net::Connection* connection = loop_.find(record.connection);
  if (connection == nullptr || connection->is_paused()) return;
  connection->pause();
  worker.waiting.push_back(record.id);
  inner.notify_below(settings_.high_water_bytes / 2);
}

void EventForwarder::resume_clients_of(const std::vector<std::uint32_t>& waiting) {
  for (const std::uint32_t id : waiting) {
    const std::uint32_t client = clients_.find(id);
    if (client == ClientTable::kNone) continue;
    if (net::Connection* connection = loop_.find(clients_[client].connection)) connection->resume();
  }
}

void EventForwarder::deliver_held() {
  if (held_.empty() || workers_.size() == 0) return;
  std::vector<std::uint32_t> resumed;
  // A client that has gone meanwhile is bound to nobody: any worker may hear of it, but one worker all of it, to keep the order.
  std::unordered_map<std::uint32_t, WorkerRef> homes;
  held_size_ = 0;
  for (HeldEvent& event : std::exchange(held_, {})) {
    const std::uint32_t client = clients_.find(event.connection_id);
    if (client == ClientTable::kNone) homes.try_emplace(event.connection_id, router_.any());
    WorkerLink* worker = client == ClientTable::kNone ? workers_.find(homes[event.connection_id])
                                                      : router_.route(clients_[client], event.peer, event.command, event.body);
    if (!fits(*worker, event.session.size(), event.body.size())) {
      event.session.clear();
      if (!is_essential(event.command)) {
        loop_.log().warning("a message of {} bytes that waited for a worker is more than this one accepts: client closed",
                            event.body.size());
        given_up_.push_back(event.connection_id);
        continue;
      }
    }
    const Event content{event.command, event.body, event.flags};
    if (!write(*worker, event.connection_id, event.peer, event.session, content)) {
      // That worker is just going; this is called again when it has gone.
      held_size_ += size_of(event);
      held_.push_back(std::move(event));
    } else if (client != ClientTable::kNone) {
      resumed.push_back(event.connection_id);
    }
  }
  resume_clients_of(resumed);
}

std::vector<std::uint32_t> EventForwarder::take_expired() {
  std::vector<std::uint32_t> expired = std::exchange(given_up_, {});
  std::unordered_set<std::uint32_t> unheard_of;
  for (std::size_t left = held_.size(); left > 0 && loop_.now_ms() - held_.front().since_ms >= settings_.held_ms; --left) {
    HeldEvent event = std::move(held_.front());
    held_.pop_front();
    if (is_essential(event.command)) {
      event.since_ms = loop_.now_ms();
      held_.push_back(std::move(event));
      continue;
    }
    held_size_ -= size_of(event);
    const std::uint32_t client = clients_.find(event.connection_id);
    if (client != ClientTable::kNone) {
      expired.push_back(event.connection_id);
      if (event.command == wire::Command::on_connect) clients_[client].announced = false;
    } else if (event.command == wire::Command::on_connect) {
      unheard_of.insert(event.connection_id);
    }
  }
  if (unheard_of.empty()) return expired;
  std::erase_if(held_, [&](const HeldEvent& event) {
    if (!unheard_of.contains(event.connection_id)) return false;
    held_size_ -= size_of(event);
    return true;
  });
  return expired;
}

}  // namespace gatehouse::gateway
