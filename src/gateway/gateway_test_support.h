#pragma once

// For tests only: a gateway with real sockets, and hand-made WebSocket clients and workers at its two ports.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "gateway/access_log.h"
#include "gateway/gateway.h"
#include "net/loop_test_support.h"
#include "wire/deflate.h"
#include "wire/gateway_protocol.h"
#include "wire/stream_protocols.h"
#include "wire/websocket_frame.h"
#include "wire/websocket_handshake.h"

namespace gatehouse::gateway::testing {

using net::testing::run_until;

inline Log quiet_log() {
  Log log("test");
  log.set_level(LogLevel::error);
  return log;
}

/// A socket that is written to whenever the kernel takes something, and read from unless told otherwise.
class Peer {
 public:
  explicit Peer(const net::Endpoint& endpoint, int receive_buffer = 0) : socket(endpoint, receive_buffer) {
    EXPECT_TRUE(socket.connected());
  }

  void write(std::string_view bytes) {
    out_ += bytes;
    pump();
  }
  /// Moves bytes in both directions.
  void pump() {
    if (!out_.empty()) out_.erase(0, socket.write(out_));
    if (reading) socket.read();
  }
  [[nodiscard]] std::size_t unwritten() const { return out_.size(); }
  [[nodiscard]] bool ended() {
    pump();
    return socket.ended || socket.error != 0;
  }

  net::testing::RawPeer socket;
  bool reading = true;

 private:
  std::string out_;
};

/// A WebSocket client.
class WebSocketPeer : public Peer {
 public:
  struct Message {
    std::string text;
    bool binary;
  };
  using Peer::Peer;

  /// `more` are further header fields, each with its CRLF.
  static std::string request(std::string_view target = "/", std::string_view more = {}) {
    std::string head = wire::websocket_request("test.example:80", target, "dGhlIHNhbXBsZSBub25jZQ==");
    head.insert(head.size() - 2, more);
    return head;
  }
  static std::string frame(std::string_view payload, wire::Opcode opcode = wire::Opcode::text, bool fin = true) {
    std::string bytes;
    wire::append_masked_frame(bytes, opcode, payload, 0x9d3c51a7U, fin);
    return bytes;
  }
  void shake_hands(std::string_view target = "/", std::string_view more = {}) { write(request(target, more)); }
  void say(std::string_view payload, wire::Opcode opcode = wire::Opcode::text) { write(frame(payload, opcode)); }

  /// Decodes what has come.
  void poll() {
    pump();
    std::string& bytes = socket.received;
    if (head.empty()) {
      const std::size_t end = bytes.find("\r\n\r\n");
      if (end == std::string::npos) return;
      head = bytes.substr(0, end + 4);
      state_.deflate = head.find("permessage-deflate") != std::string::npos;
      keeps_context_ = state_.deflate && head.find("server_no_context_takeover") == std::string::npos;
      bytes.erase(0, end + 4);
    }
    if (!is_open()) return;
    for (;;) {
      const wire::WebSocketEvent event = reader_.next(state_, bytes);
      std::string payload(event.payload.begin(), event.payload.end());
      if (event.compressed) {
        const wire::Inflater::Result result = inflater_.inflate(payload, 64 * 1024 * 1024, keeps_context_);
        EXPECT_EQ(result.status, wire::Inflater::Status::complete);
        compressed_bytes += payload.size();
        ++compressed;
        payload = result.message;
      }
      using Kind = wire::WebSocketEvent::Kind;
      switch (event.kind) {
        case Kind::message: messages.push_back({payload, event.binary}); break;
        case Kind::pong: pongs.push_back(payload); break;
        case Kind::close:
          close_code = event.close_code;
          close_reason = payload;
          break;
        case Kind::error: ADD_FAILURE() << "the gateway broke the protocol: " << event.reason; break;
        default: break;
      }
      bytes.erase(0, event.consumed);
      if (event.consumed == 0) return;
    }
  }
  [[nodiscard]] bool is_open() const { return head.starts_with("HTTP/1.1 101 "); }
  [[nodiscard]] std::vector<std::string> texts() {
    poll();
    std::vector<std::string> out;
    for (const Message& message : messages) out.push_back(message.text);
    return out;
  }
  /// With all that came before the end decoded.
  [[nodiscard]] bool ended() {
    const bool has_ended = Peer::ended();
    poll();
    return has_ended;
  }

  std::string head;  // of the HTTP answer
  std::vector<Message> messages;
  std::vector<std::string> pongs;
  std::optional<std::uint16_t> close_code;
  std::string close_reason;
  std::size_t compressed = 0;  // of the messages
  std::size_t compressed_bytes = 0;

 private:
  wire::Inflater inflater_{15};
  bool keeps_context_ = false;
  wire::WebSocketReader reader_{wire::WebSocketReader::Role::client, {.message = 64 * 1024 * 1024}};
  wire::WebSocketState state_;
};

/// A worker or GatewayClient at the inner port.
class InnerPeer : public Peer {
 public:
  struct Frame {
    wire::GatewayHeader header;
    std::string ext_data;
    std::string body;
    std::string bytes;  // as it stood on the wire
  };
  using Peer::Peer;

  void connect_as_worker(std::string_view key, std::string_view secret = {}, bool extension = false) {
    send(wire::Command::worker_connect, 0, {}, wire::worker_connect_body(key, secret, extension));
  }
  void connect_as_client(std::string_view secret) {
    send(wire::Command::gateway_client_connect, 0, {}, wire::gateway_client_connect_body(secret));
  }
  void send(wire::Command command, std::uint32_t connection_id, std::string_view ext_data, std::string_view body,
            std::uint8_t flags = wire::flag::kScalar) {
    std::string bytes;
    wire::append_gateway_frame(bytes, {.command = command, .flags = flags, .connection_id = connection_id}, ext_data, body);
    write(bytes);
  }

  /// Decodes the frames that have come. Not for connections that ask.
  void poll() {
    pump();
    for (;;) {
      const auto decoded = wire::decode_gateway_frame(socket.received, 64 * 1024 * 1024);
      if (decoded.status == wire::GatewayFrameStatus::need_more) return;
      ASSERT_EQ(decoded.status, wire::GatewayFrameStatus::complete);
      frames.push_back({decoded.frame.header, std::string(decoded.frame.ext_data), std::string(decoded.frame.body),
                        socket.received.substr(0, decoded.size)});
      socket.received.erase(0, decoded.size);
    }
  }
  /// The serialized values that have come as answers, oldest first.
  const std::vector<std::string>& answers() {
    pump();
    std::string& bytes = socket.received;
    while (bytes.size() >= 4 && bytes.size() - 4 >= load_be32(bytes.data())) {
      const std::size_t size = load_be32(bytes.data());
      answers_.push_back(bytes.substr(4, size));
      bytes.erase(0, 4 + size);
    }
    return answers_;
  }
  [[nodiscard]] std::vector<Frame> events(wire::Command command) {
    poll();
    std::vector<Frame> out;
    std::copy_if(frames.begin(), frames.end(), std::back_inserter(out),
                 [&](const Frame& frame) { return frame.header.command == command; });
    return out;
  }
  [[nodiscard]] std::size_t count(wire::Command command) { return events(command).size(); }
  /// The bodies of on_message, in order.
  [[nodiscard]] std::vector<std::string> said() {
    std::vector<std::string> out;
    for (const Frame& frame : events(wire::Command::on_message)) out.push_back(frame.body);
    return out;
  }

  std::vector<Frame> frames;

 private:
  std::vector<std::string> answers_;
};

/// A gateway on free ports of the loopback, without a register.
class TestGateway {
 public:
  static GatewayOptions options() {
    GatewayOptions options;
    options.register_addresses.clear();
    return options;
  }

  explicit TestGateway(const GatewayOptions& options = TestGateway::options(), std::unique_ptr<Protocol> protocol = nullptr,
                       std::string_view host = "127.0.0.1", Gateway::Tls tls = Gateway::Tls{}, LogFormat format = LogFormat::text)
      : gateway(std::make_unique<Gateway>(loop, options, 0, std::move(protocol), tls)) {
    net::Socket clients = net::listen_tcp(*net::Endpoint::parse_numeric(std::string(host) + ":0")).value();
    net::Socket inner = net::listen_tcp(*net::Endpoint::parse_numeric("127.0.0.1:0")).value();
    // An unspecified address is not one to connect to.
    const std::string reached = host == "[::]" ? "[::1]" : std::string(host);
    client_port = net::local_address(clients.fd()).port();
    client_endpoint = *net::Endpoint::parse_numeric(reached + ":" + std::to_string(client_port));
    inner_port = net::local_address(inner.fd()).port();
    inner_endpoint = *net::Endpoint::parse_numeric("127.0.0.1:" + std::to_string(inner_port));
    if (!options.access_log.empty()) {
      access_log = AccessLog::open(loop, {.path = options.access_log, .format = format, .process = "gateway test:0"}).value();
      gateway->use_access_log(access_log.get());
    }
    gateway->serve(std::move(clients), std::move(inner));
  }

  [[nodiscard]] bool until(const std::function<bool()>& condition) { return run_until(loop, condition); }
  /// Runs the loop until everything that was on its way has been dealt with: a question is answered behind it.
  void settle() {
    for (int i = 0; i < 2; ++i) {
      if (asker_ == nullptr) {
        asker_ = std::make_unique<InnerPeer>(inner_endpoint);
        asker_->connect_as_client(secret);
      }
      const std::size_t before = asker_->answers().size();
      asker_->send(wire::Command::get_client_count_by_group, 0, {}, {});
      ASSERT_TRUE(until([&] { return asker_->answers().size() > before; }));
    }
  }

  std::unique_ptr<InnerPeer> worker(std::string_view key = "test:0", bool extension = false) {
    auto peer = std::make_unique<InnerPeer>(inner_endpoint);
    const std::size_t before = gateway->status().inner_connections;
    peer->connect_as_worker(key, secret, extension);
    EXPECT_TRUE(until([&] { return gateway->status().inner_connections > before; }));
    settle();
    return peer;
  }
  /// A connection that commands and asks.
  std::unique_ptr<InnerPeer> commander() {
    auto peer = std::make_unique<InnerPeer>(inner_endpoint);
    if (!secret.empty()) peer->connect_as_client(secret);
    return peer;
  }
  std::unique_ptr<WebSocketPeer> client(int receive_buffer = 0, std::string_view more_fields = {}) {
    auto peer = std::make_unique<WebSocketPeer>(client_endpoint, receive_buffer);
    peer->shake_hands("/", more_fields);
    EXPECT_TRUE(until([&] {
      peer->poll();
      return peer->is_open();
    }));
    return peer;
  }

  net::Loop loop{quiet_log()};
  std::unique_ptr<AccessLog> access_log;
  std::unique_ptr<Gateway> gateway;
  net::Endpoint client_endpoint;
  net::Endpoint inner_endpoint;
  std::uint16_t client_port = 0;
  std::uint16_t inner_port = 0;
  std::string secret;

 private:
  std::unique_ptr<InnerPeer> asker_;
};

}  // namespace gatehouse::gateway::testing
