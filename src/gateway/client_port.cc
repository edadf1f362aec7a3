#include "gateway/client_port.h"

#include <algorithm>
#include <exception>
#include <string>

#include "wire/php_serialize.h"
#include "wire/utf8.h"
#include "wire/websocket_handshake.h"

namespace gatehouse::gateway {

using Cause = CloseReason::Cause;

ClientPort::ClientPort(net::Loop& loop, ClientTable& table, Clients& clients, ClientFraming& framing,
                       wire::WebSocketReader& websockets, Settings settings)
    : loop_(loop), table_(table), clients_(clients), framing_(framing), websockets_(websockets), settings_(settings) {}

void ClientPort::on_open(net::Connection& connection) {
  ++connections_;
  const std::uint32_t client = table_.add();
  connection.tag = client;
  ClientRecord& record = table_[client];
  record.connection = connection.id();
  if (framing_.is_websocket()) {
    record.stage = ClientRecord::Stage::handshake;
    handshakes_.push_back({record.id, loop_.now_ms() + settings_.handshake_ms});
  } else {
    record.stage = ClientRecord::Stage::open;
  }
  clients_.forward(client, {wire::Command::on_connect, {}});
}

std::size_t ClientPort::on_data(net::Connection& connection, std::span<char> bytes, std::size_t seen) {
  const std::uint32_t client = connection.tag;
  if (client == Clients::kNobody) return bytes.size();
  if (!framing_.is_websocket()) return read_stream(connection, bytes, seen);
  std::size_t used = 0;
  if (table_[client].stage == ClientRecord::Stage::handshake) {
    used = shake_hands(connection, bytes, seen);
    // Frames may be glued to the handshake.
    if (!still(connection, client) || table_[client].stage == ClientRecord::Stage::handshake) return used;
  }
  return used + read_frames(connection, bytes.subspan(used));
}

void ClientPort::on_close(net::Connection& connection, net::CloseCause cause, int error) {
  --connections_;
  if (connection.tag == Clients::kNobody) return;
  const bool lost = cause == net::CloseCause::connection_lost;
  if (lost) loop_.log().debug("client {} lost (errno {})", connection.peer().to_string(), error);
  clients_.depart(connection.tag, {lost ? Cause::connection_lost : Cause::client_closed, 0, {}});
}

std::size_t ClientPort::shake_hands(net::Connection& connection, std::span<char> bytes, std::size_t seen) {
  const std::uint32_t client = connection.tag;
  const std::string_view text(bytes.data(), bytes.size());
  const wire::HttpResult result = wire::parse_http_head(text, seen, head_);
  if (result.status == wire::HttpStatus::need_more) return 0;
  if (result.status != wire::HttpStatus::complete) {
    refuse(connection, client, wire::http_refusal(result.status == wire::HttpStatus::too_large ? 431 : 400), result.reason);
    return bytes.size();
  }
  const wire::HandshakeAnswer answer = wire::check_websocket_handshake(head_);
  if (!answer.accepted) {
    refuse(connection, client, answer.refusal, answer.reason);
    return bytes.size();
  }
  std::string extensions;
  if (Compression* compression = framing_.compression()) {
    wire::DeflateAnswer deflate = compression->agree(table_[client], head_);
    if (deflate.kind == wire::DeflateAnswer::Kind::malformed) {
      refuse(connection, client, wire::http_refusal(400), "malformed Sec-WebSocket-Extensions");
      return bytes.size();
    }
    extensions = std::move(deflate.extensions);
  }
  const std::string body =
      wire::serialize(wire::handshake_values(head_, connection.peer().ip(), connection.peer().port(), settings_.port));
  table_[client].silent_ticks = -1;
  clients_.forward(client, {wire::Command::on_websocket_connect, body, 0});
  if (connection.tag != client) return bytes.size();
  connection.send(wire::websocket_acceptance(answer.accept_key, {}, extensions));
  clients_.open(client);
  return result.size;
}

std::size_t ClientPort::read_frames(net::Connection& connection, std::span<char> bytes) {
  const std::uint32_t client = connection.tag;
  std::size_t used = 0;
  while (used < bytes.size()) {
    const wire::WebSocketEvent event = websockets_.next(table_[client].websocket, bytes.subspan(used));
    if (event.kind == wire::WebSocketEvent::Kind::need_more) break;
    used += event.consumed;
    if (!take(connection, client, event)) break;
  }
  return used;
}

bool ClientPort::take(net::Connection& connection, std::uint32_t client, const wire::WebSocketEvent& event) {
  const std::string_view payload(event.payload.data(), event.payload.size());
  using Kind = wire::WebSocketEvent::Kind;
  switch (event.kind) {
    case Kind::message:
      if (event.compressed) {
        inflate_and_deliver(client, event);
      } else {
        deliver(client, payload, event.binary);
      }
      break;
    case Kind::fragment: break;
    case Kind::ping: {
      table_[client].silent_ticks = -1;
      // A flood of pings that is not read is answered no more, once this much waits: one pong is due to the latest only (RFC
      // 6455, 5.5.3).
      if (connection.queued_bytes() > 64 * 1024) break;
      std::string pong;
      wire::append_frame(pong, wire::Opcode::pong, payload);
      connection.send(pong);
      break;
    }
    case Kind::pong: table_[client].silent_ticks = -1; break;
    case Kind::close: {
      // The same code comes back (RFC 6455, 5.5.1); the connection is then the server's to end (7.1.1).
      std::string frame;
      wire::append_close_frame(frame, event.close_code);
      connection.send(frame);
      // A close frame may come without a code: 1005 is a name for that, not a code (RFC 6455, 7.1.5).
      const std::uint16_t code = event.close_code == wire::close_code::kNoStatus ? std::uint16_t{0} : event.close_code;
      clients_.depart(client, {Cause::client_closed, code, std::string(payload)});
      connection.close();
      return false;
    }
    case Kind::error: fail(client, event.close_code, event.reason); return false;
    case Kind::need_more: break;
  }
  return still(connection, client);
}

void ClientPort::inflate_and_deliver(std::uint32_t client, const wire::WebSocketEvent& event) {
  Compression& compression = *framing_.compression();
  const wire::Inflater::Result result =
      compression.inflate(table_[client], std::string_view(event.payload.data(), event.payload.size()));
  using Status = wire::Inflater::Status;
  if (result.status == Status::too_big) return fail(client, wire::close_code::kTooBig, "message over the limit when inflated");
  if (result.status != Status::complete) return fail(client, wire::close_code::kInvalidData, "compressed data is not deflate's");
  if (!event.binary && !wire::is_utf8(result.message)) return fail(client, wire::close_code::kInvalidData, "text is not UTF-8");
  const std::uint32_t id = table_[client].id;
  deliver(client, result.message, event.binary);
  if (table_.find(id) == client) compression.trim_inflater(table_[client]);
}

/// The client broke its protocol: it hears why, and is gone.
void ClientPort::fail(std::uint32_t client, std::uint16_t code, const char* reason) {
  const net::Connection* connection = loop_.find(table_[client].connection);
  loop_.log().debug("client {}: {}", connection == nullptr ? "?" : connection->peer().to_string(), reason);
  clients_.close(client, code == wire::close_code::kTooBig ? Cause::too_big : Cause::protocol_error, code, reason);
}

std::size_t ClientPort::read_stream(net::Connection& connection, std::span<char> bytes, std::size_t seen) {
  const std::uint32_t client = connection.tag;
  const Protocol& protocol = framing_.protocol();
  std::size_t used = 0;
  try {
    while (used < bytes.size() && still(connection, client)) {
      const std::string_view rest(bytes.data() + used, bytes.size() - used);
      // Shown no more than one message may have, so that a read which holds much of a raw stream is several messages.
      const std::string_view shown = rest.substr(0, settings_.max_message_bytes);
      const Input input = protocol.input(shown, used == 0 ? seen : 0);
      if (input.kind() == Input::Kind::refuse) {
        refuse_stream(client, Cause::protocol_error, input.reason());
        break;
      }
      const bool whole = input.kind() == Input::Kind::frame;
      const std::size_t size = whole ? input.size() : std::max(input.size(), rest.size());
      if (size > settings_.max_message_bytes) {
        refuse_stream(client, Cause::too_big, "a message of over " + std::to_string(settings_.max_message_bytes) + " bytes");
        break;
      }
      if (!whole) break;
      if (size == 0 || size > shown.size()) {
        refuse_stream(
            client, Cause::protocol_error,
            "its Protocol::input() gave a frame of " + std::to_string(size) + " bytes out of " + std::to_string(shown.size()));
        break;
      }
      used += size;
      deliver(client, protocol.decode(shown.substr(0, size)), false);
    }
  } catch (const std::exception& error) {
    if (connection.tag == client)
      refuse_stream(client, Cause::protocol_error, std::string("its Protocol threw: ") + error.what());
  }
  return used;
}

void ClientPort::deliver(std::uint32_t client, std::string_view message, bool binary) {
  ++messages_;
  table_[client].silent_ticks = -1;
  const auto flags = static_cast<std::uint8_t>(wire::flag::kScalar | (binary ? wire::flag::kBinary : 0));
  clients_.forward(client, {wire::Command::on_message, message, flags});
}

void ClientPort::refuse(net::Connection& connection, std::uint32_t client, const std::string& answer, const char* reason) {
  loop_.log().debug("client {} refused at its handshake: {}", connection.peer().to_string(), reason);
  clients_.depart(client, {Cause::protocol_error, 0, {}});
  connection.send(answer);
  connection.close();
}

void ClientPort::refuse_stream(std::uint32_t client, Cause cause, const std::string& why) {
  const net::Connection* connection = loop_.find(table_[client].connection);
  loop_.log().debug("client {}: {}", connection == nullptr ? "?" : connection->peer().to_string(), why);
  clients_.destroy(client, cause);
}

void ClientPort::describe(const net::Connection& connection, ConnectionRow& row) const {
  row.kind = "client";
  row.protocol = settings_.scheme;
  if (connection.tag != Clients::kNobody) clients_.describe(connection.tag, row);
}

void ClientPort::end_late_handshakes() {
  while (!handshakes_.empty() && handshakes_.front().at_ms <= loop_.now_ms()) {
    const std::uint32_t id = handshakes_.front().connection_id;
    handshakes_.pop_front();
    const std::uint32_t client = table_.find(id);
    if (client == ClientTable::kNone || table_[client].stage != ClientRecord::Stage::handshake) continue;
    net::Connection* connection = loop_.find(table_[client].connection);
    if (connection != nullptr && connection->is_paused()) {
      // It is we who do not read, for want of a worker: its time starts anew.
      handshakes_.push_back({id, loop_.now_ms() + settings_.handshake_ms});
      continue;
    }
    clients_.depart(client, {Cause::timeout, 0, {}});
    if (connection == nullptr) continue;
    connection->send(wire::http_refusal(408));
    connection->close();
  }
}

}  // namespace gatehouse::gateway
