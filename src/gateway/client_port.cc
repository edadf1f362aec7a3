#include "gateway/client_port.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include "base/log.h"
#include "gateway/health.h"
#include "wire/http_head.h"
#include "wire/proxy_header.h"
#include "wire/utf8.h"
#include "wire/websocket_handshake.h"

namespace gatehouse::gateway {

using Cause = CloseReason::Cause;

namespace {

constexpr std::size_t kMostOfReason = 200;  // bytes of what a Protocol says, in the log: it may quote the client

}  // namespace

ClientPort::ClientPort(const Parts& parts, Settings settings)
    : loop_(parts.loop),
      table_(parts.table),
      clients_(parts.clients),
      handshakes_(parts.handshakes),
      last_answers_(parts.last_answers),
      framing_(parts.framing),
      websockets_(parts.websockets),
      unfinished_(parts.unfinished),
      admission_(parts.admission),
      proxies_(parts.proxies),
      limits_(parts.limits),
      turns_(parts.turns),
      workers_(parts.workers),
      access_log_(parts.access_log),
      settings_(std::move(settings)),
      rates_(settings_.rates) {}

void ClientPort::change(Settings settings) {
  settings.scheme = std::move(settings_.scheme);
  settings.tls = settings_.tls;
  settings.share = settings_.share;
  settings_ = std::move(settings);
  rates_.change(settings_.rates, table_.capacity(), loop_.now_ms());
  if (settings_.first_bind_ms == 0) first_binds_.clear();
}

std::vector<net::Address> ClientPort::admitted() const {
  std::vector<net::Address> addresses;
  // Also those that are on their way out: they leave later.
  loop_.visit_connections(0, loop_.connection_slots(), [&](net::Connection& connection) {
    if (connection.belongs_to(*this) && connection.tag != kRefused) addresses.push_back(connection.peer());
    return true;
  });
  return addresses;
}

bool ClientPort::is_denied(const net::Address& address) const {
  return !denied_.empty() && denied_.contains(address, loop_.now_ms()) && !proxies_.trusts(address);
}

bool ClientPort::lets_in(const net::Address& peer) {
  if (!is_denied(peer)) return true;
  limits_.hit(Limit::denied, peer);
  return false;
}

void ClientPort::on_open(net::Connection& connection) {
  ++connections_;
  let_in(connection);
  tell_share();
}

void ClientPort::let_in(net::Connection& connection) {
  if (const auto limit = admission_.enter(connection.peer(), loop_.now_ms())) return refuse_at_once(connection, *limit);
  if (!proxies_.send_header(connection.peer())) return start(connection);
  connection.tag = kProxyHeader;
  arrivals_.push_back({connection.id(), loop_.now_ms() + settings_.arrival_ms});
}

void ClientPort::start(net::Connection& connection) {
  if (settings_.tls != nullptr) connection.start_tls(*settings_.tls);
  if (!wants_head_first(connection.peer())) return admit(connection);
  connection.tag = kHttpHead;
  arrivals_.push_back({connection.id(), loop_.now_ms() + settings_.arrival_ms});
}

/// Who the client is, or whether it is one at all, stands in its request.
bool ClientPort::wants_head_first(const net::Address& peer) const {
  return framing_.is_websocket() && (proxies_.send_field(peer) || !settings_.health_path.empty());
}

void ClientPort::admit(net::Connection& connection) {
  const std::uint32_t client = table_.add();
  connection.tag = client;
  ClientRecord& record = table_[client];
  record.connection = connection.id();
  rates_.begin(client, loop_.now_ms());
  if (settings_.first_bind_ms != 0) first_binds_.push_back({record.id, loop_.now_ms() + settings_.first_bind_ms});
  if (framing_.is_websocket()) {
    handshakes_.begin(client);
  } else {
    record.stage = ClientRecord::Stage::open;
  }
  if (access_log_ != nullptr) access_log_->connected(client, record.id, connection);
  clients_.forward(client, {wire::Command::on_connect, {}});
}

void ClientPort::refuse_at_once(net::Connection& connection, Limit limit) {
  limits_.hit(limit, connection.peer());
  connection.tag = kRefused;
  const std::string words = words_for_refused(connection, limit == Limit::connections_per_address ? 429 : 503);
  if (++refusals_ > kMostRefusals || words.empty()) return connection.destroy();
  connection.send(words);
  connection.close();
}

/// Nothing where the protocol has no words for it.
std::string ClientPort::words_for_refused(const net::Connection& connection, int status) const {
  // A handshake of TLS would cost more than the client that is refused.
  if (settings_.tls != nullptr && !connection.is_encrypted()) return std::string(net::TlsContext::kRefusal);
  return framing_.is_websocket() ? wire::http_refusal(status) : std::string();
}

bool ClientPort::move_to(net::Connection& connection, const net::Address& address) {
  const auto limit = admission_.move(connection.peer(), address);
  connection.set_peer(address);
  if (limit) {
    refuse_at_once(connection, *limit);
    return false;
  }
  if (!is_denied(address)) return true;
  limits_.hit(Limit::denied, address);
  // A proxy that speaks HTTP is told, or it would take the gateway for broken.
  if (connection.tag == kHttpHead) {
    end_with(connection, wire::http_refusal(403, "This address may not connect here."));
  } else {
    end_with(connection, {});
  }
  return false;
}

void ClientPort::end_with(net::Connection& connection, const std::string& words) {
  connection.tag = Clients::kNobody;
  if (words.empty()) return connection.destroy();
  connection.send(words);
  connection.close();
}

void ClientPort::refuse_arrival(net::Connection& connection, Limit limit, int status) {
  limits_.hit(limit, connection.peer());
  end_with(connection, words_for_refused(connection, status));
}

std::size_t ClientPort::on_data(net::Connection& connection, std::span<char> bytes, std::size_t seen) {
  std::size_t used = 0;
  if (is_arrival(connection.tag)) {
    const bool was_encrypted = connection.is_encrypted();
    used = read_arrival(connection, bytes, seen);
    // What stands behind a proxy's header is encrypted.
    if (is_arrival(connection.tag) || connection.is_encrypted() != was_encrypted) return used;
    seen = 0;
  }
  if (!is_client(connection.tag) || !connection.is_open()) return bytes.size();
  // Who was just let in may have nothing said yet, or wait for a worker.
  if (used == bytes.size() || connection.is_paused()) return used;
  return used + read_client(connection, bytes.subspan(used), seen);
}

std::size_t ClientPort::read_arrival(net::Connection& connection, std::span<char> bytes, std::size_t seen) {
  std::string_view rest(bytes.data(), bytes.size());
  if (connection.tag == kProxyHeader) {
    rest.remove_prefix(read_proxy_header(connection, rest));
    if (connection.is_encrypted()) return bytes.size() - rest.size();
    seen = 0;
  }
  const std::size_t used = bytes.size() - rest.size();
  if (connection.tag == kHttpHead && read_head(connection, rest, seen)) admit(connection);
  return used;
}

/// The size of the header, when it has come.
std::size_t ClientPort::read_proxy_header(net::Connection& connection, std::string_view bytes) {
  const wire::ProxyHeader header = wire::parse_proxy_header(bytes);
  if (header.status == wire::ProxyStatus::need_more) return 0;
  if (header.status != wire::ProxyStatus::complete) {
    loop_.log().debug("proxy {}: {}", connection.peer().to_string(), header.reason);
    refuse_arrival(connection, Limit::proxy_header, 400);
  } else if (!header.names_client || move_to(connection, net::Address::from_bytes(header.address, header.port))) {
    start(connection);
  }
  return header.size;
}

/// Whether a client is behind it: false when the head of its request has not come, when it is somebody else, and when it is
/// refused. A head that is not right is refused when it is the client's.
bool ClientPort::read_head(net::Connection& connection, std::string_view bytes, std::size_t seen) {
  const wire::HttpResult result = wire::parse_http_head(bytes, seen, head_, settings_.head);
  if (result.status == wire::HttpStatus::need_more) return false;
  const bool is_whole = result.status == wire::HttpStatus::complete;
  if (is_whole && is_health_request(head_, settings_.health_path)) {
    const Health health = workers_.size() == 0 ? Health::no_workers : Health::well;
    end_with(connection, health_answer(draining_ ? Health::draining : health, head_.method == "HEAD"));
    return false;
  }
  if (draining_) {
    end_with(connection, wire::http_refusal(503));
    return false;
  }
  const net::Address peer = connection.peer();
  return !is_whole || !proxies_.send_field(peer) || move_to(connection, proxies_.client_of(head_, peer));
}

std::size_t ClientPort::read_client(net::Connection& connection, std::span<char> bytes, std::size_t seen) {
  const std::uint32_t client = connection.tag;
  const std::uint64_t messages_before = messages_;
  std::size_t used = 0;
  if (table_[client].ends) {
    // Somebody resumed it, but what it says now is not looked at.
    connection.pause();
    return bytes.size();
  }
  if (table_[client].in_turns && turns_.must_pass(client, connection)) return 0;
  if (!framing_.is_websocket()) {
    used = read_stream(connection, bytes, seen);
  } else if (table_[client].stage == ClientRecord::Stage::asked) {
    // Somebody resumed it: what it says still has to wait until it is let in.
    connection.pause();
    return 0;
  } else {
    if (table_[client].stage == ClientRecord::Stage::handshake) used = shake_hands(connection, bytes, seen);
    // Frames may be glued to the handshake.
    if (still(connection, client) && table_[client].stage == ClientRecord::Stage::open) {
      used += read_frames(connection, bytes.subspan(used));
    }
  }
  if (connection.tag != client) return used;
  const bool is_new = messages_ != messages_before || (used > 0 && table_[client].websocket.fragments == nullptr);
  // What is left of a client that is not read from now may be whole messages: they are not of its making.
  const bool is_read_from = !connection.is_paused() && !connection.has_yielded();
  if (is_read_from && table_[client].in_turns) turns_.forget(client);
  const std::size_t left = is_read_from ? bytes.size() - used + connection.partial_record_bytes() : 0;
  const bool stays = may_wait(connection, client, left, is_new) && !table_[client].ends;
  return stays ? used : bytes.size();
}

void ClientPort::on_nothing_shown(net::Connection& connection) {
  if (is_client(connection.tag) && connection.is_open()) {
    (void)may_wait(connection, connection.tag, connection.unread_bytes() + connection.partial_record_bytes(), false);
  }
}

/// Of a WebSocket the closing handshake is the orderly end: without it the connection has failed (RFC 6455, 7.1.5 and 7.1.7).
bool ClientPort::on_peer_finished(net::Connection& connection) {
  if (!is_client(connection.tag)) return false;
  if (!table_[connection.tag].ends && framing_.is_websocket()) return false;
  if (!table_[connection.tag].ends && !last_answers_.keep(connection.tag)) {
    connection.flush();
    if (!connection.is_open() || connection.queued_bytes() == 0) return false;
    // All is answered, and the kernel has not taken all of it yet: that is written first, within the times of close().
    clients_.depart(connection.tag, {Cause::client_closed, 0, {}});
    connection.close();
    return true;
  }
  unfinished_.note(connection.tag, 0, true, loop_.now_ms());  // nothing can complete it any more
  return true;
}

bool ClientPort::may_wait(net::Connection& connection, std::uint32_t client, std::size_t left, bool is_new) {
  ClientRecord& record = table_[client];
  if (left == 0 && record.websocket.place == 0 && record.websocket.fragments == nullptr) return true;
  unfinished_.note(client, left, is_new, loop_.now_ms());
  if (!unfinished_.is_over()) return true;
  make_room();
  return connection.tag == client;
}

void ClientPort::make_room() {
  const auto is_not_read = [this](std::uint32_t client) {
    const net::Connection* connection = loop_.find(table_[client].connection);
    return connection != nullptr && connection->is_paused();
  };
  for (const std::uint32_t client : unfinished_.heaviest(loop_.now_ms(), is_not_read)) {
    clients_.hit(Limit::unfinished_messages, client);
    close(client, Cause::shutdown, wire::close_code::kTryLater, "too much unfinished");
  }
}

void ClientPort::end_late_messages() {
  for (const std::uint32_t client : unfinished_.late(loop_.now_ms())) {
    // Until it is open, its handshake has a time of its own.
    const net::Connection* connection = loop_.find(table_[client].connection);
    const bool is_excused = connection == nullptr || connection->is_paused() || table_[client].stage != ClientRecord::Stage::open;
    if (is_excused) {
      unfinished_.excuse(client, loop_.now_ms());
      continue;
    }
    limits_.hit(Limit::message_time, connection->peer());
    close(client, Cause::timeout, wire::close_code::kPolicy, "message not whole in time");
  }
}

void ClientPort::on_close(net::Connection& connection, net::CloseCause cause, int error) {
  --connections_;
  if (connection.tag == kRefused) {
    --refusals_;
    return tell_share();
  }
  admission_.leave(connection.peer());
  tell_share();
  if (is_client(connection.tag)) {
    const bool lost = cause == net::CloseCause::connection_lost;
    if (lost) loop_.log().debug("client {} lost (errno {})", connection.peer().to_string(), error);
    clients_.depart(connection.tag, {lost ? Cause::connection_lost : Cause::client_closed, 0, {}});
  }
  if (access_log_ != nullptr) access_log_->closed(connection);
}

void ClientPort::on_tls(net::Connection& connection, net::TlsEvent event) {
  switch (event) {
    case net::TlsEvent::delayed: return limits_.hit(Limit::tls_handshakes, connection.peer());
    case net::TlsEvent::crowded:
    case net::TlsEvent::ousted: return limits_.hit(Limit::open_tls_handshakes, connection.peer());
    case net::TlsEvent::late: return limits_.hit(Limit::handshake_time, connection.peer());
    case net::TlsEvent::failed: break;
  }
  // Every open port hears noise all day: counted, and no line in the log.
  limits_.count(Limit::tls);
  loop_.log().debug("client {}: TLS: {}", connection.peer().to_string(), connection.tls_problem());
}

std::size_t ClientPort::shake_hands(net::Connection& connection, std::span<char> bytes, std::size_t seen) {
  const std::uint32_t client = connection.tag;
  const std::string_view text(bytes.data(), bytes.size());
  const wire::HttpResult result = wire::parse_http_head(text, seen, head_, settings_.head);
  if (result.status == wire::HttpStatus::need_more) return 0;
  const auto refuse = [&](const std::string& response, const char* reason) {
    handshakes_.refuse(client, response, reason);
    return bytes.size();
  };
  if (result.status == wire::HttpStatus::too_large) {
    limits_.hit(Limit::header, connection.peer());
    return refuse(wire::http_refusal(431), result.reason);
  }
  if (result.status != wire::HttpStatus::complete) return refuse(wire::http_refusal(400), result.reason);
  wire::HandshakeAnswer answer = wire::check_websocket_handshake(head_);
  if (!answer.accepted) return refuse(answer.refusal, answer.reason);
  if (!settings_.allowed_origins.empty() && !wire::is_allowed_origin(head_, settings_.allowed_origins)) {
    limits_.hit(Limit::origin, connection.peer());
    return refuse(wire::http_refusal(403), "Origin is not one of allowed_origins");
  }
  if (table_[client].waits) {
    // No worker knows yet that it came. It is shown again when one does.
    connection.pause();
    return 0;
  }
  Handshakes::Request request{std::move(answer.accept_key), {}, {}, wire::offered_subprotocols(head_)};
  request.subprotocol = wire::choose_subprotocol(settings_.subprotocols, request.offered);
  if (Compression* compression = framing_.compression()) {
    const std::uint64_t without = compression->counts().without_context;
    wire::DeflateAnswer deflate = compression->agree(table_[client], head_);
    if (compression->counts().without_context != without) limits_.hit(Limit::deflate_contexts, connection.peer());
    request.extensions = std::move(deflate.extensions);
  }
  handshakes_.decide(client, std::move(request), text.substr(result.start, result.size - result.start));
  return connection.tag == client ? result.size : bytes.size();
}

bool ClientPort::may_speak(net::Connection& connection, std::uint32_t client) {
  if (settings_.over_rate != RateAction::delay) return true;
  const std::uint64_t wait_ms = rates_.wait_ms(client, loop_.now_ms());
  if (wait_ms == 0) return true;
  limits_.hit(rates_.is_short_of_messages(client) ? Limit::message_rate : Limit::byte_rate, connection.peer());
  connection.pause();
  loop_.after(std::chrono::milliseconds(wait_ms), [this, id = connection.id(), client] {
    net::Connection* waiting = loop_.find(id);
    if (waiting != nullptr && waiting->tag == client) waiting->resume();
  });
  return false;
}

/// False, and the client is closed, when it has said more than it may. REQUIRES: there are limits.
bool ClientPort::spend(std::uint32_t client, std::uint32_t messages, std::size_t bytes) {
  if (rates_.spend(client, messages, bytes, loop_.now_ms()) || settings_.over_rate == RateAction::delay) return true;
  const net::Connection* connection = loop_.find(table_[client].connection);
  if (connection != nullptr)
    limits_.hit(rates_.is_short_of_messages(client) ? Limit::message_rate : Limit::byte_rate, connection->peer());
  close(client, Cause::protocol_error, wire::close_code::kPolicy, "too fast");
  return false;
}

void ClientPort::close(std::uint32_t client, CloseReason::Cause cause, std::uint16_t code, const char* words) {
  if (framing_.is_websocket()) {
    clients_.close(client, cause, code, words);
  } else {
    clients_.destroy(client, cause);
  }
}

std::size_t ClientPort::read_frames(net::Connection& connection, std::span<char> bytes) {
  const std::uint32_t client = connection.tag;
  const bool limited = rates_.is_limited();
  const std::uint64_t said_before = messages_;
  int work = Turns::kWork;
  std::size_t used = 0;
  while (used < bytes.size() && work > 0) {
    if (limited && !may_speak(connection, client)) break;
    const wire::WebSocketEvent event = websockets_.next(table_[client].websocket, bytes.subspan(used));
    if (event.kind == wire::WebSocketEvent::Kind::need_more) break;
    used += event.consumed;
    const bool is_part = event.kind == wire::WebSocketEvent::Kind::fragment;
    const bool is_end = event.kind == wire::WebSocketEvent::Kind::close || event.kind == wire::WebSocketEvent::Kind::error;
    if (limited && !is_end && !spend(client, is_part ? 0 : 1, event.consumed)) break;
    work -= (is_part ? Turns::kFrame : Turns::kMessage) + static_cast<int>(event.consumed >> Turns::kBytesShift);
    if (!take(connection, client, event, used == bytes.size())) break;
    if (event.compressed) work -= std::exchange(inflating_, 0);
  }
  if (connection.tag == client) websockets_.release(table_[client].websocket);
  if (std::exchange(has_unread_pongs_, false)) work = std::min(work, 0) - Turns::kUnreadPongs;
  if (work <= 0 && still(connection, client)) turns_.end(client, connection, -work, messages_ != said_before);
  return used;
}

bool ClientPort::take(net::Connection& connection, std::uint32_t client, const wire::WebSocketEvent& event, bool is_last) {
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
      // 6455, 5.5.3). What waits may do so for us alone: what goes to very many is written in slices.
      if (connection.queued_bytes() + connection.message_overhead() > 64 * 1024) connection.flush();
      if (!connection.is_open()) break;
      if (connection.queued_bytes() + connection.message_overhead() > 64 * 1024) {
        has_unread_pongs_ = true;
        break;
      }
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
      // Nothing may follow a close frame; from one that breaks that rule what it sent is read, so that no reset overtakes the
      // reply.
      is_last ? connection.finish() : connection.close();
      return false;
    }
    case Kind::error:
      if (event.close_code == wire::close_code::kTooBig) limits_.hit(Limit::message_size, connection.peer());
      if (event.close_code == wire::close_code::kPolicy) limits_.hit(Limit::fragments, connection.peer());
      fail(client, event.close_code, event.reason);
      return false;
    case Kind::need_more: break;
  }
  return still(connection, client);
}

void ClientPort::inflate_and_deliver(std::uint32_t client, const wire::WebSocketEvent& event) {
  Compression& compression = *framing_.compression();
  const wire::Inflater::Result result =
      compression.inflate(table_[client], std::string_view(event.payload.data(), event.payload.size()));
  using Status = wire::Inflater::Status;
  if (result.status == Status::too_big) {
    if (const net::Connection* connection = loop_.find(table_[client].connection))
      limits_.hit(Limit::inflated_size, connection->peer());
    return fail(client, wire::close_code::kTooBig, "message over the limit when inflated");
  }
  inflating_ = static_cast<int>(result.message.size() >> Turns::kInflatedBytesShift);
  if (result.status != Status::complete) return fail(client, wire::close_code::kInvalidData, "compressed data is not deflate's");
  if (!event.binary && !wire::is_utf8(result.message)) return fail(client, wire::close_code::kInvalidData, "text is not UTF-8");
  // A byte rate bounds what reaches the business, so what it has become is paid for, not what came.
  const std::size_t grown = result.message.size() - std::min(result.message.size(), event.payload.size());
  if (!rates_.is_limited() || spend(client, 0, grown)) deliver(client, result.message, event.binary);
}

/// The client broke its protocol: it hears why, and is gone. Who is over a limit is so at once; others get what is on its way.
void ClientPort::fail(std::uint32_t client, std::uint16_t code, const char* reason) {
  const net::Connection* connection = loop_.find(table_[client].connection);
  loop_.log().debug("client {}: {}", connection == nullptr ? "?" : connection->peer().to_string(), reason);
  if (code == wire::close_code::kTooBig) return clients_.close(client, Cause::too_big, code, reason);
  if (code == wire::close_code::kPolicy) return clients_.close(client, Cause::protocol_error, code, reason);
  last_answers_.close(client, {Cause::protocol_error, code, reason});
}

std::size_t ClientPort::read_stream(net::Connection& connection, std::span<char> bytes, std::size_t seen) {
  const std::uint32_t client = connection.tag;
  const Protocol& protocol = framing_.protocol();
  const bool limited = rates_.is_limited();
  const std::uint64_t said_before = messages_;
  int work = Turns::kWork;
  std::size_t used = 0;
  try {
    while (used < bytes.size() && work > 0 && still(connection, client)) {
      if (limited && !may_speak(connection, client)) break;
      const std::string_view rest(bytes.data() + used, bytes.size() - used);
      // Shown no more than one message may have, so that a read which holds much of a raw stream is several messages.
      const std::string_view shown = rest.substr(0, settings_.max_message_bytes);
      const Input input = protocol.input(shown, used == 0 ? seen : 0);
      if (input.kind() == Input::Kind::refuse) {
        refuse_stream(client, rest, input.reason());
        break;
      }
      const bool whole = input.kind() == Input::Kind::frame;
      const std::size_t size = whole ? input.size() : std::max(input.size(), rest.size());
      if (size > settings_.max_message_bytes) {
        // A health probe: its first bytes are the length of a message to the frame protocol, and no line in the log.
        if (!wire::begins_like_http(rest)) limits_.hit(Limit::message_size, connection.peer());
        loop_.log().debug("client {}: a message of over {} bytes", connection.peer().to_string(), settings_.max_message_bytes);
        clients_.destroy(client, Cause::too_big);
        break;
      }
      if (!whole) break;
      if (size == 0 || size > shown.size()) {
        refuse_stream(
            client, rest,
            "its Protocol::input() gave a frame of " + std::to_string(size) + " bytes out of " + std::to_string(shown.size()));
        break;
      }
      used += size;
      work -= Turns::kMessage + static_cast<int>(size >> Turns::kBytesShift);
      if (limited && !spend(client, 1, size)) break;
      deliver(client, protocol.decode(shown.substr(0, size)), false);
    }
  } catch (const std::exception& error) {
    if (connection.tag == client)
      refuse_stream(client, {bytes.data() + used, bytes.size() - used}, std::string("its Protocol threw: ") + error.what());
  }
  if (work <= 0 && still(connection, client)) turns_.end(client, connection, -work, messages_ != said_before);
  return used;
}

void ClientPort::deliver(std::uint32_t client, std::string_view message, bool binary) {
  ++messages_;
  table_[client].silent_ticks = -1;
  const auto flags = static_cast<std::uint8_t>(wire::flag::kScalar | (binary ? wire::flag::kBinary : 0));
  clients_.forward(client, {wire::Command::on_message, message, flags});
}

/// `bytes` are not of the protocol.
void ClientPort::refuse_stream(std::uint32_t client, std::string_view bytes, const std::string& why) {
  net::Connection* connection = loop_.find(table_[client].connection);
  if (connection == nullptr) return clients_.destroy(client, Cause::protocol_error);
  // A health probe's request is no line in the log.
  if (wire::begins_like_http(bytes)) {
    limits_.count(Limit::protocol);
  } else {
    limits_.hit(Limit::protocol, connection->peer(), printable(why, kMostOfReason));
  }
  loop_.log().debug("client {}: {}", connection->peer().to_string(), printable(why, kMostOfReason));
  last_answers_.refuse(client);
}

void ClientPort::describe(const net::Connection& connection, ConnectionRow& row) const {
  row.kind = "client";
  row.protocol = settings_.scheme;
  if (is_client(connection.tag)) clients_.describe(connection.tag, row);
  if (is_arrival(connection.tag)) row.state = "handshake";
}

std::string_view ClientPort::refusal() const {
  static const std::string kUnavailable = wire::http_refusal(503);
  if (settings_.tls != nullptr) return net::TlsContext::kRefusal;
  return framing_.is_websocket() ? kUnavailable : std::string_view();
}

void ClientPort::end_arrivals() {
  for (const Arrival& arrival : std::exchange(arrivals_, {})) {
    net::Connection* connection = loop_.find(arrival.connection);
    if (connection != nullptr && connection->is_open() && is_arrival(connection->tag)) connection->destroy();
  }
}

std::size_t ClientPort::deny(const net::AddressRange& range, std::uint64_t until_ms) {
  denied_.add(range, until_ms);
  std::vector<std::uint32_t> ids;
  table_.for_each([&](std::uint32_t, const ClientRecord& record) {
    const net::Connection* connection = loop_.find(record.connection);
    if (connection != nullptr && range.contains(connection->peer()) && !proxies_.trusts(connection->peer()))
      ids.push_back(record.id);
  });
  for (const Arrival& arrival : arrivals_) {
    net::Connection* connection = loop_.find(arrival.connection);
    if (connection == nullptr || !connection->is_open() || !is_arrival(connection->tag)) continue;
    if (!range.contains(connection->peer()) || proxies_.trusts(connection->peer())) continue;
    connection->tag = Clients::kNobody;
    connection->destroy();
  }
  const std::size_t count = ids.size();
  cut(std::move(ids));
  return count;
}

/// Each of them makes an event for a worker: many at once would keep the others waiting.
void ClientPort::cut(std::vector<std::uint32_t> ids) {
  for (std::size_t i = 0; i < kCutAtOnce && !ids.empty(); ++i) {
    const std::uint32_t client = table_.find(ids.back());
    ids.pop_back();
    if (client == ClientTable::kNone) continue;
    if (framing_.is_websocket())
      clients_.cut(client, Cause::denied, wire::close_code::kPolicy, "denied");
    else
      clients_.destroy(client, Cause::denied);
  }
  if (!ids.empty()) loop_.post([this, rest = std::move(ids)]() mutable { cut(std::move(rest)); });
}

void ClientPort::end_late() {
  handshakes_.end_late();
  denied_.forget_expired(loop_.now_ms());
  end_late_messages();
  while (!arrivals_.empty() && arrivals_.front().deadline_ms <= loop_.now_ms()) {
    net::Connection* connection = loop_.find(arrivals_.front().connection);
    arrivals_.pop_front();
    if (connection != nullptr && connection->is_open() && is_arrival(connection->tag))
      refuse_arrival(*connection, Limit::handshake_time, 408);
  }
  while (!first_binds_.empty() && first_binds_.front().at_ms <= loop_.now_ms()) {
    const std::uint32_t client = table_.find(first_binds_.front().connection_id);
    first_binds_.pop_front();
    if (client == ClientTable::kNone) continue;
    const ClientRecord& record = table_[client];
    if (record.uid != ClientRecord::kNoUid || (record.groups != nullptr && !record.groups->empty())) continue;
    if (const net::Connection* connection = loop_.find(record.connection)) limits_.hit(Limit::first_bind, connection->peer());
    close(client, Cause::timeout, wire::close_code::kPolicy, "not signed in in time");
  }
}

}  // namespace gatehouse::gateway
