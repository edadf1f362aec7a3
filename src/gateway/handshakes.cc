#include "gateway/handshakes.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <unordered_set>
#include <utility>

#include "wire/websocket_handshake.h"

namespace gatehouse::gateway {

using Stage = ClientRecord::Stage;

void Handshakes::begin(std::uint32_t client) {
  clients_.begin_handshake(client);
  deadlines_.push_back({table_[client].id, loop_.now_ms() + settings_.deadline_ms});
}

void Handshakes::decide(std::uint32_t client, Request request, std::string_view head) {
  table_[client].silent_ticks = -1;
  const std::uint32_t id = table_[client].id;
  if (settings_.ask_worker) table_[client].stage = Stage::asked;
  const auto flags = static_cast<std::uint8_t>(wire::flag::kScalar | (settings_.ask_worker ? wire::flag::kAwaitsAnswer : 0));
  clients_.forward(client, {wire::Command::on_websocket_connect, head, flags});
  if (table_.find(id) != client) return;
  if (!settings_.ask_worker) return accept(client, request);
  Asked& asked = asked_.insert_or_assign(id, Asked{std::move(request)}).first->second;
  if (!can_be_answered(table_[client])) give_php_time(client, asked);
  // What it says behind its request waits in its socket.
  if (net::Connection* connection = loop_.find(table_[client].connection)) connection->pause();
}

bool Handshakes::can_be_answered(const ClientRecord& record) const {
  const WorkerLink* worker = workers_.find(record.worker);
  return worker == nullptr || worker->extension != 0;
}

void Handshakes::give_php_time(std::uint32_t client, Asked& asked) {
  asked.is_timed = true;
  const std::uint64_t time_ms = std::min(kPhpAnswerMs, settings_.deadline_ms / 2);
  asked.timer = loop_.after(std::chrono::milliseconds(time_ms), [this, id = table_[client].id] {
    const std::uint32_t again = table_.find(id);
    if (again == ClientTable::kNone) return;
    let_in(again);
    // Its worker may be away at this moment: end_late() gives it time anew.
    if (const auto left = asked_.find(id); left != asked_.end()) left->second.is_timed = false;
  });
}

void Handshakes::let_in(std::uint32_t client) {
  if (table_[client].stage != Stage::asked || can_be_answered(table_[client])) return;
  if (const auto request = take_asked(table_[client].id)) accept(client, *request);
}

std::optional<Handshakes::Request> Handshakes::take_asked(std::uint32_t connection_id) {
  auto asked = asked_.extract(connection_id);
  if (asked.empty()) return std::nullopt;
  loop_.cancel(asked.mapped().timer);
  return std::move(asked.mapped().request);
}

Handshakes::~Handshakes() {
  for (const auto& [id, asked] : asked_) loop_.cancel(asked.timer);
}

bool Handshakes::turn_away(std::uint32_t client, std::string_view words) {
  if (table_[client].stage != Stage::asked) return false;
  (void)take_asked(table_[client].id);
  refuse_asked(client, 403, words);
  return true;
}

void Handshakes::refuse_asked(std::uint32_t client, int status, std::string_view words) {
  net::Connection* connection = loop_.find(table_[client].connection);
  clients_.depart(client, {CloseReason::Cause::closed, 0, {}});
  if (connection == nullptr) return;
  connection->send(wire::http_refusal(status, words));
  connection->close();
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
  auto request = take_asked(connection_id);
  if (!request) return;
  const std::uint32_t client = table_.find(connection_id);
  if (client == ClientTable::kNone || table_[client].stage != Stage::asked) return;
  if (!verdict.accepted()) return refuse_asked(client, verdict.status, verdict.words);
  if (!verdict.subprotocol.empty()) {
    // Only what the client has offered may be chosen (RFC 6455, 4.2.2).
    if (std::find(request->offered.begin(), request->offered.end(), verdict.subprotocol) != request->offered.end()) {
      request->subprotocol = verdict.subprotocol;
    } else {
      loop_.log().warning("a worker chose a subprotocol that client {} did not offer; the client goes on without it",
                          connection_id);
    }
  }
  accept(client, *request);
}

void Handshakes::end_late() {
  for (auto it = asked_.begin(); it != asked_.end();) {
    const std::uint32_t client = table_.find(it->first);
    const bool waits = client != ClientTable::kNone && table_[client].stage == Stage::asked;
    // Its event waited for a worker, and the one that came speaks upstream's protocol alone.
    if (waits && !it->second.is_timed && !can_be_answered(table_[client])) give_php_time(client, it->second);
    const std::uint32_t gone = it->first;
    ++it;
    if (!waits) (void)take_asked(gone);
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
