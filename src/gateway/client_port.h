#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>

#include "gateway/client_framing.h"
#include "gateway/client_table.h"
#include "gateway/clients.h"
#include "net/loop.h"
#include "wire/http_head.h"
#include "wire/websocket_frame.h"

namespace gatehouse::gateway {

/// The public side of a gateway: accepts clients, shakes hands, decodes what they say and passes it on.
class ClientPort : public net::ConnectionHandler {
 public:
  struct Settings {
    std::uint16_t port = 0;
    std::size_t max_message_bytes = 1024 * 1024;
    std::uint64_t handshake_ms = 10'000;
    std::string scheme = {};  // "websocket", for `connections`
  };

  ClientPort(net::Loop& loop, ClientTable& table, Clients& clients, ClientFraming& framing, wire::WebSocketReader& websockets,
             Settings settings);

  void on_open(net::Connection& connection) override;
  std::size_t on_data(net::Connection& connection, std::span<char> bytes, std::size_t seen) override;
  void on_close(net::Connection& connection, net::CloseCause cause, int error) override;
  void describe(const net::Connection& connection, ConnectionRow& row) const override;

  /// Ends those whose handshake is not done in time. Called about once a second.
  void end_late_handshakes();

  [[nodiscard]] std::uint64_t messages() const { return messages_; }
  /// Those that are still open, also of clients that have departed and whose last words are on their way.
  [[nodiscard]] std::size_t connections() const { return connections_; }

 private:
  struct Deadline {
    std::uint32_t connection_id;
    std::uint64_t at_ms;
  };

  std::size_t shake_hands(net::Connection& connection, std::span<char> bytes, std::size_t seen);
  std::size_t read_frames(net::Connection& connection, std::span<char> bytes);
  std::size_t read_stream(net::Connection& connection, std::span<char> bytes, std::size_t seen);
  /// One WebSocket event; false when the client has gone with it.
  bool take(net::Connection& connection, std::uint32_t client, const wire::WebSocketEvent& event);
  void inflate_and_deliver(std::uint32_t client, const wire::WebSocketEvent& event);
  void deliver(std::uint32_t client, std::string_view message, bool binary);
  void fail(std::uint32_t client, std::uint16_t code, const char* reason);
  void refuse(net::Connection& connection, std::uint32_t client, const std::string& answer, const char* reason);
  void refuse_stream(std::uint32_t client, CloseReason::Cause cause, const std::string& why);
  [[nodiscard]] bool still(const net::Connection& connection, std::uint32_t client) const {
    return connection.is_open() && connection.tag == client && !connection.is_paused();
  }

  net::Loop& loop_;
  ClientTable& table_;
  Clients& clients_;
  ClientFraming& framing_;
  wire::WebSocketReader& websockets_;
  Settings settings_;
  wire::HttpHead head_;              // of the handshake at hand; kept for its memory
  std::deque<Deadline> handshakes_;  // in the order of their deadlines, which are all equally far away
  std::uint64_t messages_ = 0;
  std::size_t connections_ = 0;
};

}  // namespace gatehouse::gateway
