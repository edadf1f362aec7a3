#include "gateway/handshakes.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "wire/websocket_handshake.h"

namespace gatehouse::gateway {

using Stage = ClientRecord::Stage;

void Handshakes::begin(std::uint32_t client) {
  table_[client].stage = Stage::handshake;
  deadlines_.push_back({table_[client].id, loop_.now_ms() + settings_.deadline_ms});
}

void Handshakes::decide(std::uint32_t client, Request request, std::string_view head) {
  table_[client].silent_ticks = -1;
  const std::uint32_t id = table_[client].id;
  if (settings_.ask_worker) table_[client].stage = Stage::asked;
  const auto flags = static_cast<std::uint8_t>(wire::flag::kScalar | (settings_.ask_worker ? wire::flag::kAwaitsAnswer : 0));
  clients_.forward(client, {wire::Command::on_websocket_connect, head, flags});
  if (table_.find(id) != client) return;
  if (!settings_.ask_worker || !can_be_answered(table_[client])) return accept(client, request);
  asked_.insert_or_assign(id, std::move(request));
  // What it says behind its request waits in its socket.
  if (net::Connection* connection = loop_.find(table_[client].connection)) connection->pause();
}

bool Handshakes::can_be_answered(const ClientRecord& record) const {
  const WorkerLink* worker = workers_.find(record.worker);
  return worker == nullptr || worker->extension != 0;
}

void Handshakes::accept(std::uint32_t client, const Request& request) {
  net::Connection* connection = loop_.find(table_[client].connection);
  if (connection == nullptr) return;
  connection->send(wire::websocket_acceptance(request.accept_key, request.subprotocol, request.extensions));
  const bool was_asked = table_[client].stage == Stage::asked;
  clients_.open(client);
  if (was_asked) connection->resume();
}

void Handshakes::refuse(std::uint32_t client, const std::string& response, const char* reason) {
  net::Connection* connection = loop_.find(table_[client].connection);
  if (connection == nullptr) return;
  loop_.log().debug("client {} refused at its handshake: {}", connection->peer().to_string(), reason);
  clients_.depart(client, {CloseReason::Cause::protocol_error, 0, {}});
  connection->send(response);
  connection->close();
}

void Handshakes::answer(std::uint32_t connection_id, const wire::HandshakeVerdict& verdict) {
  const auto found = asked_.find(connection_id);
  if (found == asked_.end()) return;
  Request request = std::move(found->second);
  asked_.erase(found);
  const std::uint32_t client = table_.find(connection_id);
  if (client == ClientTable::kNone || table_[client].stage != Stage::asked) return;
  if (!verdict.accepted()) {
    net::Connection* connection = loop_.find(table_[client].connection);
    clients_.depart(client, {CloseReason::Cause::closed, 0, {}});
    if (connection == nullptr) return;
    connection->send(wire::http_refusal(verdict.status, verdict.words));
    connection->close();
    return;
  }
  if (!verdict.subprotocol.empty()) {
    // Only what the client has offered may be chosen (RFC 6455, 4.2.2).
    if (std::find(request.offered.begin(), request.offered.end(), verdict.subprotocol) != request.offered.end()) {
      request.subprotocol = verdict.subprotocol;
    } else {
      loop_.log().warning("a worker chose a subprotocol that client {} did not offer; the client goes on without it",
                          connection_id);
    }
  }
  accept(client, request);
}

void Handshakes::end_late() {
  for (auto it = asked_.begin(); it != asked_.end();) {
    const std::uint32_t client = table_.find(it->first);
    const bool waits = client != ClientTable::kNone && table_[client].stage == Stage::asked;
    // Its event waited for a worker, and the one that came speaks upstream's protocol alone.
    const bool to_be_opened = waits && !can_be_answered(table_[client]);
    const Request request = to_be_opened ? std::move(it->second) : Request{};
    it = waits && !to_be_opened ? std::next(it) : asked_.erase(it);
    if (to_be_opened) accept(client, request);
  }
  std::optional<std::unordered_set<std::uint32_t>> held;  // made when it is needed
  while (!deadlines_.empty() && deadlines_.front().at_ms <= loop_.now_ms()) {
    const std::uint32_t id = deadlines_.front().connection_id;
    deadlines_.pop_front();
    const std::uint32_t client = table_.find(id);
    if (client == ClientTable::kNone || table_[client].stage == Stage::open) continue;
    net::Connection* connection = loop_.find(table_[client].connection);
    const bool asked = table_[client].stage == Stage::asked;
    bool waits_for_us = connection != nullptr && connection->is_paused() && (!asked || workers_.size() == 0);
    if (waits_for_us && asked) {
      // Not one whose worker has gone with the question: nobody will ask again.
      if (!held) held = forwarder_.held_clients();
      waits_for_us = held->contains(id);
    }
    if (waits_for_us) {
      // It is we who do not read, for want of a worker: its time starts anew.
      deadlines_.push_back({id, loop_.now_ms() + settings_.deadline_ms});
      continue;
    }
    if (connection != nullptr) limits_.hit(Limit::handshake_time, connection->peer());
    clients_.depart(client, {CloseReason::Cause::timeout, 0, {}});
    if (connection == nullptr) continue;
    connection->send(wire::http_refusal(asked ? 503 : 408));
    connection->close();
  }
}

}  // namespace gatehouse::gateway
