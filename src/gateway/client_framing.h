#pragma once

#include <gatehouse/protocol.h>

#include <memory>
#include <string>
#include <string_view>

#include "net/connection.h"
#include "net/shared_bytes.h"
#include "wire/websocket_frame.h"

namespace gatehouse::gateway {

/// Puts messages into the form of a gateway's client protocol: WebSocket frames, or what a Protocol makes of them.
class ClientFraming {
 public:
  /// `protocol` is null for WebSocket.
  explicit ClientFraming(std::unique_ptr<Protocol> protocol) : protocol_(std::move(protocol)) {}

  [[nodiscard]] bool is_websocket() const { return protocol_ == nullptr; }
  [[nodiscard]] const Protocol& protocol() const { return *protocol_; }

  /// Writes one message into the connection's output queue.
  void write(net::Connection& connection, std::string_view message, bool binary);
  /// One encoded message for many connections.
  [[nodiscard]] net::SharedBytes encode(std::string_view message, bool binary);

 private:
  std::string_view encode_to_scratch(std::string_view message);

  std::unique_ptr<Protocol> protocol_;
  std::string scratch_;  // kept between messages so that a Protocol's encode allocates nothing at rest
};

}  // namespace gatehouse::gateway
