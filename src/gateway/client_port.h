#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include <gatehouse/options.h>

#include "gateway/admission.h"
#include "gateway/client_framing.h"
#include "gateway/client_rates.h"
#include "gateway/client_table.h"
#include "gateway/clients.h"
#include "gateway/handshakes.h"
#include "gateway/limit_log.h"
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
    std::string scheme = {};  // "websocket", for `connections`
    std::vector<std::string> subprotocols = {};
    std::vector<std::string> allowed_origins = {};  // empty: all
    wire::HttpLimits head = {};
    std::uint64_t first_bind_ms = 0;                      // 0: no deadline
    std::size_t max_unfinished_bytes = 64 * 1024 * 1024;  // of all clients' messages that are not whole
    ClientRates::Settings rates = {};
    RateAction over_rate = RateAction::delay;
  };
  /// The parts of the gateway that it works with.
  struct Parts {
    net::Loop& loop;
    ClientTable& table;
    Clients& clients;
    Handshakes& handshakes;
    ClientFraming& framing;
    wire::WebSocketReader& websockets;
    Admission& admission;
    LimitLog& limits;
  };

  ClientPort(const Parts& parts, Settings settings);

  void on_open(net::Connection& connection) override;
  std::size_t on_data(net::Connection& connection, std::span<char> bytes, std::size_t seen) override;
  void on_close(net::Connection& connection, net::CloseCause cause, int error) override;
  void describe(const net::Connection& connection, ConnectionRow& row) const override;

  /// Ends those whose handshake, or first uid or group, is not there in time. Called about once a second.
  void end_late();

  [[nodiscard]] std::uint64_t messages() const { return messages_; }
  /// Those that are still open, also of clients that have departed and whose last words are on their way.
  [[nodiscard]] std::size_t connections() const { return connections_; }

 private:
  struct Deadline {
    std::uint32_t connection_id;
    std::uint64_t at_ms;
  };
  /// Tags of connections that are no client's: refused at once.
  static constexpr std::uint32_t kRefused = 0xfffffffeU;
  static constexpr std::size_t kMostRefusals = 256;  // that are told why, at a time; more are just closed

  void refuse_at_once(net::Connection& connection, Limit limit);
  /// Whether the client may say something more now; if not, it is read from later, or it has been closed.
  bool may_speak(net::Connection& connection, std::uint32_t client);
  bool spend(std::uint32_t client, std::uint32_t messages, std::size_t bytes);
  /// False, and the client is closed, when what is left unread of it would be too much with what others have left.
  bool may_wait(net::Connection& connection, std::uint32_t client, std::size_t left);

  std::size_t shake_hands(net::Connection& connection, std::span<char> bytes, std::size_t seen);
  std::size_t read_frames(net::Connection& connection, std::span<char> bytes);
  std::size_t read_stream(net::Connection& connection, std::span<char> bytes, std::size_t seen);
  /// One WebSocket event; false when the client has gone with it.
  bool take(net::Connection& connection, std::uint32_t client, const wire::WebSocketEvent& event);
  void inflate_and_deliver(std::uint32_t client, const wire::WebSocketEvent& event);
  void deliver(std::uint32_t client, std::string_view message, bool binary);
  void fail(std::uint32_t client, std::uint16_t code, const char* reason);
  void refuse_stream(std::uint32_t client, CloseReason::Cause cause, const std::string& why);
  void close(std::uint32_t client, CloseReason::Cause cause, std::uint16_t code, const char* words);
  [[nodiscard]] bool still(const net::Connection& connection, std::uint32_t client) const {
    return connection.is_open() && connection.tag == client && !connection.is_paused();
  }

  net::Loop& loop_;
  ClientTable& table_;
  Clients& clients_;
  Handshakes& handshakes_;
  ClientFraming& framing_;
  wire::WebSocketReader& websockets_;
  Admission& admission_;
  LimitLog& limits_;
  Settings settings_;
  ClientRates rates_;
  wire::HttpHead head_;               // of the handshake at hand; kept for its memory
  std::deque<Deadline> first_binds_;  // in the order of their deadlines, which are all equally far away
  std::size_t refusals_ = 0;          // that are being told why
  std::uint64_t messages_ = 0;
  std::size_t connections_ = 0;
};

}  // namespace gatehouse::gateway
