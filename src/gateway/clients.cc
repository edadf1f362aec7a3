#include "gateway/clients.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "gateway/access_log.h"
#include "gateway/heartbeat.h"
#include "wire/client_id.h"
#include "wire/websocket_handshake.h"

namespace gatehouse::gateway {
namespace {

constexpr std::size_t kHoldingCost = 64;  // of one held message, beside its bytes

/// The extension's body of on_close: cause (1 byte), code (2), text.
std::string close_body(const CloseReason& reason) {
  std::string body(3, '\0');
  body[0] = static_cast<char>(reason.cause);
  store_be16(body.data() + 1, reason.code);
  return body + reason.text;
}

}  // namespace

net::Connection* Clients::ready_unusually(const ClientRecord& record, net::Connection* connection, std::string_view key) {
  if (connection == nullptr || !connection->is_open()) {
    ++send_failures_;
    return nullptr;
  }
  const std::size_t most = settings_.send_buffer_bytes;
  // Much may have been queued in this one iteration; only what the kernel does not take counts against the client.
  if (queued(*connection) >= most) connection->flush();
  if (record.held != nullptr && record.held->bytes >= most) {
    limits_.hit(Limit::send_buffer, connection->peer());
    ++send_failures_;
    slow_.push_back(record.id);
    return nullptr;
  }
  if (queued(*connection) < most || make_room(*connection, record, key)) return connection;
  ++send_failures_;
  return nullptr;
}

/// What waits for a client. Where messages stand alone in its queue, each counts for what it costs to keep it, so that empty ones
/// are bounded too.
std::size_t Clients::queued(const net::Connection& connection) const {
  return connection.queued_bytes() + (drops_oldest() || keeps_latest() ? connection.message_overhead() : 0);
}

/// Applies the policy to a client that does not read; true when it may be sent one more message.
bool Clients::make_room(net::Connection& connection, const ClientRecord& record, std::string_view key) {
  limits_.hit(Limit::send_buffer, connection.peer());
  switch (settings_.policy) {
    case SendBufferPolicy::disconnect: slow_.push_back(record.id); return false;
    case SendBufferPolicy::drop_newest: return false;
    case SendBufferPolicy::keep_latest: return replace_latest(connection, record, key);
    case SendBufferPolicy::drop_oldest: break;
  }
  while (queued(connection) >= settings_.send_buffer_bytes) {
    if (!connection.drop_oldest_message()) return false;  // what is left is half written, or no message
    ++send_failures_;
  }
  return true;
}

/// What is out of date makes room, and nothing else may be lost: who does not even read the latest is too slow.
bool Clients::replace_latest(net::Connection& connection, const ClientRecord& record, std::string_view key) {
  send_failures_ += connection.keep_latest();
  if (queued(connection) < settings_.send_buffer_bytes + connection.latest_size(key)) return true;
  slow_.push_back(record.id);
  return false;
}

void Clients::deliver(net::Connection& connection, const net::SharedBytes& message, std::size_t key_size, bool is_bulk) {
  if (!drops_oldest() && key_size == 0) return connection.send(message, is_bulk);
  if (!connection.send_message(message, key_size, is_bulk)) ++send_failures_;
}

void Clients::send(std::uint32_t client, std::string_view message, bool binary, bool raw, std::string_view key) {
  // A message that may be dropped later stands alone in the queue, as a broadcast's does.
  if (table_[client].stage != ClientRecord::Stage::open || drops_oldest() || (keeps_latest() && !key.empty()))
    return Broadcast(*this, message, binary, raw, key).to(client);
  net::Connection* connection = ready_for(table_[client]);
  if (connection == nullptr) return;
  try {
    if (raw) {
      connection->send(message);
    } else {
      framing_.write(*connection, table_[client], message, binary);
    }
    ++messages_sent_;
  } catch (const std::exception& error) {
    ++send_failures_;
    cannot_encode(error);
  }
}

bool Clients::Broadcast::encode() {
  if (std::exchange(tried_, true)) return !failed_;
  try {
    encoded_ = raw_ ? net::SharedBytes::copy_of(message_) : clients_.framing_.encode(message_, binary_);
  } catch (const std::exception& error) {
    failed_ = true;
    clients_.cannot_encode(error);
  }
  return !failed_;
}

/// Null when the client gets the plain form.
const net::SharedBytes* Clients::Broadcast::deflated_for(const ClientRecord& record) {
  if (record.deflate_bits == 0 || raw_ || record.stage != ClientRecord::Stage::open) return nullptr;
  if (!clients_.framing_.compression()->is_worth_it(message_.size())) return nullptr;
  if (deflated_ == nullptr) deflated_ = std::make_unique<Deflated>();
  net::SharedBytes& frame = deflated_->by_bits[record.deflate_bits];
  const auto bit = static_cast<std::uint16_t>(1U << record.deflate_bits);
  if ((deflated_->tried & bit) == 0) {
    deflated_->tried = static_cast<std::uint16_t>(deflated_->tried | bit);
    frame = clients_.framing_.encode_deflated(message_, binary_, record.deflate_bits);
    if (!frame.empty() && !key_.empty()) frame = with_key(frame);
  }
  return frame.empty() ? nullptr : &frame;
}

net::SharedBytes Clients::Broadcast::with_key(const net::SharedBytes& frame) const {
  net::SharedBytes out = net::SharedBytes::uninitialized(frame.size() + key_.size());
  char* const end = std::copy(frame.view().begin(), frame.view().end(), out.fill().data());
  std::copy(key_.begin(), key_.end(), end);
  return out;
}

const net::SharedBytes& Clients::Broadcast::keyed() {
  if (key_.empty()) return encoded_;
  if (keyed_.empty()) keyed_ = with_key(encoded_);
  return keyed_;
}

void Clients::Broadcast::to(std::uint32_t client) {
  ClientRecord& record = clients_.table_[client];
  net::Connection* connection = clients_.ready_for(record, key_);
  if (connection == nullptr) return;
  const bool is_bulk = ++receivers_ > kFirst;
  if (const net::SharedBytes* deflated = deflated_for(record)) {
    clients_.deliver(*connection, *deflated, key_.size(), is_bulk);
    clients_.framing_.compression()->sent_shared(record);
    ++clients_.messages_sent_;
  } else if (!encode()) {
    ++clients_.send_failures_;
  } else if (record.stage != ClientRecord::Stage::open) {
    if (record.held == nullptr) record.held = std::make_unique<HeldOutput>();
    record.held->messages.push_back(encoded_);
    record.held->bytes += encoded_.size() + kHoldingCost;
  } else {
    clients_.deliver(*connection, keyed(), key_.size(), is_bulk);
    ++clients_.messages_sent_;
  }
}

void Clients::cannot_encode(const std::exception& error) {
  ++encode_failures_;
  if (encode_failures_ == 1 || encode_failures_ % 1000 == 0) {
    loop_.log().error("a message was not sent, for the gateway's Protocol::encode() threw: {} ({} so far)", error.what(),
                      encode_failures_);
  }
}

void Clients::begin_handshake(std::uint32_t client) {
  table_[client].stage = ClientRecord::Stage::handshake;
  ++handshaking_;
}

void Clients::open(std::uint32_t client) {
  ClientRecord& record = table_[client];
  end_handshake(record);
  record.stage = ClientRecord::Stage::open;
  const auto held = std::move(record.held);
  net::Connection* connection = loop_.find(record.connection);
  if (held == nullptr || connection == nullptr) return;
  for (const net::SharedBytes& message : held->messages) connection->send(message);
  messages_sent_ += held->messages.size();
}

void Clients::describe(std::uint32_t client, ConnectionRow& row) const {
  const ClientRecord& record = table_[client];
  const EventForwarder::Settings& gateway = forwarder_.settings();
  row.client_id = wire::format_client_id({gateway.local_ip, gateway.local_port, record.id});
  row.uid = directory_.uid_of(record);
  if (record.stage == ClientRecord::Stage::handshake) row.state = "handshake";
  std::size_t bytes = 0;
  for (std::size_t i = 0; record.groups != nullptr && i < record.groups->size(); ++i) {
    const std::string_view group = directory_.groups().name((*record.groups)[i].list);
    bytes += group.size();
    if (bytes <= ConnectionRow::kMaxGroupBytes) {
      row.groups.emplace_back(group);
    } else {
      ++row.more_groups;
    }
  }
  if (const WorkerLink* worker = workers_.find(record.worker)) row.peer = worker->key;
}

void Clients::close(std::uint32_t client, CloseReason::Cause cause, std::uint16_t code, std::string_view words) {
  ClientRecord& record = table_[client];
  net::Connection* connection = loop_.find(record.connection);
  const bool speaks_websocket = framing_.is_websocket() && record.stage == ClientRecord::Stage::open;
  depart(client, {cause, code, std::string(words)});
  if (connection == nullptr) return;
  if (framing_.is_websocket() && !speaks_websocket &&
      (code == wire::close_code::kTryLater || code == wire::close_code::kGoingAway)) {
    connection->send(wire::http_refusal(503));  // it has asked for a handshake, or is about to
  }
  if (speaks_websocket && code != 0) {
    std::string frame;
    wire::append_close_frame(frame, code, words);
    connection->send(frame);
  }
  connection->close();
}

void Clients::destroy(std::uint32_t client, CloseReason::Cause cause) {
  net::Connection* connection = loop_.find(table_[client].connection);
  depart(client, {cause, 0, {}});
  if (connection != nullptr) connection->destroy();
}

void Clients::cut(std::uint32_t client, CloseReason::Cause cause, std::uint16_t code, std::string_view words) {
  const ClientRecord& record = table_[client];
  net::Connection* connection = loop_.find(record.connection);
  if (connection != nullptr) connection->flush();
  const bool can_hear = connection != nullptr && framing_.is_websocket() && record.stage == ClientRecord::Stage::open &&
                        connection->queued_bytes() == 0;
  depart(client, {cause, code, std::string(words)});
  if (connection == nullptr) return;
  if (!can_hear) return connection->destroy();
  std::string frame;
  wire::append_close_frame(frame, code, words);
  connection->send(frame);
  connection->finish();
}

void Clients::depart(std::uint32_t client, const CloseReason& reason) {
  if (table_[client].announced) {
    const std::string body = close_body(reason);
    const auto flags = static_cast<std::uint8_t>(wire::flag::kScalar | wire::flag::kCloseReason);
    forwarder_.forward(client, {wire::Command::on_close, body, flags});
  }
  if (access_log_ != nullptr) {
    const ClientRecord& record = table_[client];
    access_log_->departed(client, record.id, reason, directory_.uid_of(record), loop_.find(record.connection));
  }
  end_handshake(table_[client]);
  directory_.forget(client);
  if (table_[client].in_turns) forwarder_.turns().forget(client);
  if (table_[client].own_heartbeat) heartbeat_->forget(table_[client].id);
  unfinished_.forget(client);
  if (Compression* compression = framing_.compression()) compression->forget(table_[client]);
  ClientRecord& record = table_[client];
  workers_.unbind(record.worker);
  if (net::Connection* connection = loop_.find(record.connection)) connection->tag = kNobody;
  table_.remove(client);
}

void Clients::forward(std::uint32_t client, const EventForwarder::Event& event) {
  switch (forwarder_.forward(client, event)) {
    case EventForwarder::Outcome::passed_and_waits: hit(Limit::worker_buffer, client); [[fallthrough]];
    case EventForwarder::Outcome::passed:
    case EventForwarder::Outcome::held: table_[client].announced = true; return;
    case EventForwarder::Outcome::too_big:
      hit(Limit::worker_frame, client);
      loop_.log().debug("client {}: a message of {} bytes and a session of {} bytes", table_[client].id, event.body.size(),
                        table_[client].session.view().size());
      return close(client, CloseReason::Cause::too_big, wire::close_code::kTooBig, "message too big");
    case EventForwarder::Outcome::gave_up:
      hit(Limit::no_worker_buffer, client);
      return close(client, CloseReason::Cause::shutdown, wire::close_code::kTryLater, "no worker");
  }
}

void Clients::hit(Limit limit, std::uint32_t client) {
  if (const net::Connection* connection = loop_.find(table_[client].connection)) limits_.hit(limit, connection->peer());
}

void Clients::end_those_too_slow() {
  for (const std::uint32_t id : std::exchange(slow_, {})) {
    const std::uint32_t client = table_.find(id);
    if (client == ClientTable::kNone) continue;
    // It may only be slow: it gets what waits and is told why, as long as it goes on reading (Connection::close()).
    if (framing_.is_websocket() && table_[client].stage == ClientRecord::Stage::open) {
      close(client, CloseReason::Cause::slow_consumer, wire::close_code::kPolicy, "too slow");
    } else {
      destroy(client, CloseReason::Cause::slow_consumer);
    }
  }
}

}  // namespace gatehouse::gateway
