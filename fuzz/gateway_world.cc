#include "fuzz/gateway_world.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "fuzz/inner_peer.h"
#include "wire/deflate.h"
#include "wire/gateway_protocol.h"
#include "wire/stream_protocols.h"
#include "wire/websocket_handshake.h"

namespace gatehouse::fuzz {

using testing::Call;
using wire::Command;

namespace {

constexpr std::uint16_t kClientPort = 8282;
constexpr std::uint16_t kInnerPort = 2900;
constexpr std::size_t kMostClients = 6;
constexpr std::size_t kMostInners = 4;
constexpr std::size_t kMostQueuedBytes = 8 * 1024 * 1024;
// Every peer has hung up: what is left is time-outs and last words.
constexpr std::uint64_t kMostWaitsAtEnd = 20'000;
constexpr std::uint64_t kMostMsAtEnd = 300'000;

constexpr std::array<const char*, 4> kSchemes = {"websocket", "text", "frame", "tcp"};

}  // namespace

GatewayOptions GatewayWorld::options(Script& script) {
  GatewayOptions options;
  const std::uint8_t how = script.byte();
  const std::uint8_t more = script.byte();
  // Most of the time the protocol with the most to get wrong.
  options.listen = std::string((how & 0x0cU) == 0 ? kSchemes.at(how & 3U) : "websocket") + "://127.0.0.1:8282";
  options.register_addresses.clear();
  if ((how & 0x10U) != 0) options.secret_key = "s3cret";
  options.max_package_size = 4096;
  options.max_fragments = 16;
  options.unfinished_messages_size = 32 * 1024;
  options.send_to_client_buffer_size = 16 * 1024;
  options.send_buffer_policy = static_cast<SendBufferPolicy>((how >> 5) % 3);
  options.send_to_worker_buffer_size = 16 * 1024;
  options.unfinished_buffer_size = 8 * 1024;
  options.no_worker_buffer_size = 8 * 1024;
  options.max_connections = 5;
  // Short, for the end waits for them.
  options.no_worker_timeout = std::chrono::seconds(3);
  options.handshake_timeout = std::chrono::seconds(3);
  options.worker_timeout = std::chrono::seconds(9);
  options.deflate = (more & 1U) != 0;
  options.deflate_context_takeover = (more & 2U) != 0;
  options.deflate_threshold = 16;
  options.deflate_window_bits = 9;
  options.deflate_context_memory = 64 * 1024;
  options.handshake_by_worker = (more & 4U) != 0;
  if ((more & 8U) != 0) options.ping_interval = std::chrono::seconds(5);
  options.ping_not_response_limit = 1;
  if ((more & 0x10U) != 0) options.first_bind_timeout = std::chrono::seconds(20);
  if ((more & 0x20U) != 0) options.max_messages_per_second = 4;
  if ((more & 0x40U) != 0) options.over_rate = RateAction::close;
  if ((more & 0x80U) != 0) options.subprotocols = {"chat", "superchat"};
  return options;
}

GatewayWorld::GatewayWorld(Script& script, Part part) : script_(script), part_(part), options_(options(script)) {
  loop_ = std::make_unique<net::Loop>(Log::silent());
  const std::string scheme = options_.listen.substr(0, options_.listen.find(':'));
  auto protocol = scheme == "websocket" ? nullptr : wire::make_stream_protocol(scheme);
  gateway_ = std::make_unique<Gateway>(*loop_, options_, 0, std::move(protocol));
  const auto listen = [this](std::uint16_t port) { return net::Socket(kernel_.listen_here(port)); };
  gateway_->serve(listen(kClientPort), listen(kInnerPort));
  kernel_.fault = [this](Call /*call*/, int /*fd*/) { return fail_in_ >= 0 && fail_in_-- == 0 ? error_ : 0; };
  kernel_.most = [this](Call /*call*/, std::size_t bytes) { return std::min(bytes, most_); };
  kernel_.on_wait = [this](int /*timeout_ms*/) {
    if (ending_) return;
    if (script_.done()) return loop_->stop();
    step();
    look_at_all();
  };
}

void GatewayWorld::play() {
  if (part_ == Part::inner_port) {
    for (int i = 0; i < 2; ++i) {
      dial_client();
      say(clients_.back().end, wire::websocket_request("a.example", "/", "dGhlIHNhbXBsZSBub25jZQ=="));
    }
    dial_inner();
  }
  loop_->run();
  end_everything();
}

void GatewayWorld::step() {
  const std::size_t which = script_.below(16);
  if (part_ == Part::inner_port) {
    if (which < 12) return step_of_inner();
    return which < 14 ? step_of_client() : step_of_kernel();
  }
  if (which < 8) return step_of_client();
  return which < 13 ? step_of_inner() : step_of_kernel();
}

void GatewayWorld::dial_client() {
  for (Client& client : clients_) {
    if (!kernel_.is_open(client.end)) reader_.forget(client.state);
  }
  std::erase_if(clients_, [this](const Client& client) { return !kernel_.is_open(client.end); });
  if (clients_.size() >= kMostClients) return;
  const int end = kernel_.dial(kClientPort, 0xc0a80001U + script_.byte() % 2U);
  if (end < 0) return;
  clients_.emplace_back();
  clients_.back().end = end;
}

void GatewayWorld::dial_inner() {
  std::erase_if(inners_, [this](const Inner& inner) { return !kernel_.is_open(inner.end); });
  if (inners_.size() >= kMostInners) return;
  const int end = kernel_.dial(kInnerPort);
  if (end < 0) return;
  inners_.emplace_back();
  inners_.back().end = end;
  if (script_.flip()) return;
  say(end, some_worker_connect(script_, options_.secret_key));
}

GatewayWorld::Client* GatewayWorld::some_client() {
  if (clients_.empty()) dial_client();
  return clients_.empty() ? nullptr : &clients_[script_.below(clients_.size())];
}

GatewayWorld::Inner* GatewayWorld::some_inner() {
  if (inners_.empty()) dial_inner();
  return inners_.empty() ? nullptr : &inners_[script_.below(inners_.size())];
}

/// As far as there is room; a peer that cannot write goes on without it.
void GatewayWorld::say(int end, std::string_view bytes) { kernel_.put(end, bytes); }

std::string GatewayWorld::handshake() {
  const std::uint8_t how = script_.byte();
  std::string head = wire::websocket_request("a.example", "/?a=1&b[]=2", "dGhlIHNhbXBsZSBub25jZQ==");
  std::string more;
  if ((how & 1U) != 0) more += "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
  if ((how & 2U) != 0) more += "Sec-WebSocket-Protocol: superchat, chat\r\n";
  if ((how & 4U) != 0) more += "Cookie: a=b; c=d\r\n";
  if ((how & 8U) != 0) more += std::string(script_.text()) + "\r\n";
  return head.insert(head.size() - 2, more);
}

std::string GatewayWorld::frame() {
  static constexpr std::array kOpcodes = {wire::Opcode::text, wire::Opcode::binary, wire::Opcode::continuation,
                                          wire::Opcode::ping, wire::Opcode::pong,   wire::Opcode::close};
  const std::uint8_t how = script_.byte();
  std::string payload(script_.text());
  if ((how & 0x80U) != 0) payload += std::string(3000, 'x');
  const bool compressed = (how & 0x10U) != 0;
  if (compressed && (how & 0x20U) != 0) {
    wire::Deflater deflater(1, 9);
    const std::string_view smaller = deflater.deflate(payload, false);
    if (!smaller.empty()) payload = smaller;
  }
  std::string bytes;
  wire::append_masked_frame(bytes, kOpcodes.at((how & 7U) % kOpcodes.size()), payload, script_.number(), (how & 8U) == 0);
  if (compressed) bytes[0] = static_cast<char>(bytes[0] | 0x40);
  return bytes;
}

void GatewayWorld::step_of_client() {
  const std::size_t which = script_.below(10);
  if (which == 0) return dial_client();
  Client* client = some_client();
  if (client == nullptr) return;
  switch (which) {
    case 1: say(client->end, handshake()); break;
    case 2:
    case 3:
    case 4: say(client->end, frame()); break;
    case 5: say(client->end, script_.text()); break;
    case 6: kernel_.set_room(client->end, script_.flip() ? 100 : 64 * 1024); break;
    case 7: kernel_.finish(client->end); break;
    case 8: kernel_.reset(client->end); break;
    default: kernel_.hang_up(client->end);
  }
}

void GatewayWorld::step_of_inner() {
  const std::size_t which = script_.below(12);
  if (which == 0) return dial_inner();
  Inner* inner = some_inner();
  if (inner == nullptr) return;
  switch (which) {
    case 1: say(inner->end, some_worker_connect(script_, options_.secret_key)); break;
    case 2:
    case 3:
    case 4: {
      const std::string bytes = some_frame(script_, ids_);
      const auto decoded = wire::decode_gateway_frame(bytes, bytes.size());
      inner->asked = true;
      raw_ = raw_ || (decoded.frame.header.flags & wire::flag::kRaw) != 0;
      say(inner->end, bytes);
      break;
    }
    case 5:
    case 6: say(inner->end, some_acknowledgement(script_)); break;
    case 7:
      inner->asked = raw_ = true;
      say(inner->end, script_.text());
      break;
    case 8: kernel_.set_room(inner->end, script_.flip() ? 100 : 64 * 1024); break;
    case 9: kernel_.finish(inner->end); break;
    case 10: kernel_.reset(inner->end); break;
    default: kernel_.hang_up(inner->end);
  }
}

void GatewayWorld::step_of_kernel() {
  static constexpr std::array kErrors = {EAGAIN, ECONNRESET, EMFILE, ENFILE, ENOMEM, ENOBUFS, EPIPE, EINTR};
  switch (script_.below(4)) {
    case 0: kernel_.pass(std::uint64_t{1} << script_.below(17)); break;
    case 1:
      fail_in_ = script_.byte() % 16;
      error_ = kErrors.at(script_.below(kErrors.size()));
      break;
    case 2: most_ = script_.flip() ? SIZE_MAX : std::size_t{1} + script_.byte(); break;
    default: kernel_.descriptor_limit = script_.flip() ? SIZE_MAX : kernel_.descriptors();
  }
}

/// What a client reads is HTTP and then frames that are all right.
void GatewayWorld::look(Client& client) {
  client.received += kernel_.take(client.end);
  std::string& bytes = client.received;
  if (!client.shaken) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string::npos) return;
    client.shaken = true;
    client.unknown = !options_.listen.starts_with("websocket") || !bytes.starts_with("HTTP/1.1 101 ");
    client.state.deflate = bytes.find("permessage-deflate") < end;
    bytes.erase(0, end + 4);
  }
  if (client.unknown || raw_) return bytes.clear();
  for (;;) {
    const wire::WebSocketEvent event = reader_.next(client.state, bytes);
    // Bytes that a worker calls text need not be UTF-8: they are passed on as they are.
    if (event.kind == wire::WebSocketEvent::Kind::error) {
      check(event.close_code == wire::close_code::kInvalidData);
      client.unknown = true;
      return bytes.clear();
    }
    bytes.erase(0, event.consumed);
    if (event.consumed == 0) return;
  }
}

/// What a worker reads is whole frames.
void GatewayWorld::look(Inner& inner) {
  inner.received += kernel_.take(inner.end);
  std::string& bytes = inner.received;
  if (inner.asked) return bytes.clear();
  for (;;) {
    const auto decoded = wire::decode_gateway_frame(bytes, 64 * 1024 * 1024);
    if (decoded.status == wire::GatewayFrameStatus::need_more) return;
    if (bytes.starts_with("HTTP/1.1 400 ")) return bytes.clear();
    check(decoded.status == wire::GatewayFrameStatus::complete);
    const std::uint32_t id = decoded.frame.header.connection_id;
    if (decoded.frame.header.command == Command::on_connect && std::find(ids_.begin(), ids_.end(), id) == ids_.end())
      ids_.push_back(id);
    bytes.erase(0, decoded.size);
  }
}

void GatewayWorld::look_at_all() {
  for (Client& client : clients_) look(client);
  for (Inner& inner : inners_) look(inner);
  const RoleStatus status = gateway_->status();
  check(status.connections <= static_cast<std::size_t>(options_.max_connections));
  // A client's buffer and the message that went over it; a worker's mark and what its clients may add at it; answers. Those that
  // are on their way out have the same.
  check(status.queued_bytes <= kMostQueuedBytes);
}

void GatewayWorld::run_until_idle() {
  const std::uint64_t waits = kernel_.waits();
  const std::uint64_t began_ms = kernel_.now_ms();
  int quiet = 0;  // turns: the first is still to close what it has ended
  kernel_.on_wait = [&](int /*timeout_ms*/) {
    check(kernel_.waits() - waits < kMostWaitsAtEnd && kernel_.now_ms() - began_ms < kMostMsAtEnd);
    // Whoever waits may have to wait for long: after a shortage the listener rests.
    quiet = loop_->connection_count() == 0 && !kernel_.is_anyone_waiting() ? quiet + 1 : 0;
    if (quiet > 1) loop_->stop();
  };
  loop_->run();
}

void GatewayWorld::end_everything() {
  ending_ = true;
  fail_in_ = -1;
  most_ = SIZE_MAX;
  kernel_.descriptor_limit = SIZE_MAX;
  for (const Client& client : clients_) kernel_.hang_up(client.end);
  for (const Inner& inner : inners_) kernel_.hang_up(inner.end);
  run_until_idle();
  const RoleStatus status = gateway_->status();
  check(status.connections == 0 && status.inner_connections == 0 && status.queued_bytes == 0 && status.unread_bytes == 0);
  // Whoever comes now is served.
  const int end = kernel_.dial(kClientPort);
  check(end >= 0);
  const std::uint64_t waits = kernel_.waits();
  kernel_.on_wait = [&](int /*timeout_ms*/) {
    check(kernel_.waits() - waits < 100);
    if (gateway_->status().connections > 0) loop_->stop();
  };
  loop_->run();
  kernel_.hang_up(end);
  run_until_idle();

  bool stopped = false;
  kernel_.on_wait = nullptr;
  gateway_->stop([&] {
    stopped = true;
    loop_->stop();
  });
  loop_->run();
  check(stopped);
  gateway_.reset();
  loop_.reset();
  check(kernel_.descriptors() == 0);
  for (Client& client : clients_) reader_.forget(client.state);
}

}  // namespace gatehouse::fuzz
