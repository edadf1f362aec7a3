#pragma once

#include <gatehouse/protocol.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/client_record.h"
#include "gateway/compression.h"
#include "net/connection.h"
#include "net/shared_bytes.h"
#include "wire/websocket_frame.h"

namespace gatehouse::gateway {

/// Puts messages into the form of a gateway's client protocol: WebSocket frames, or what a Protocol makes of them.
class ClientFraming {
 public:
  /// `protocol` is null for WebSocket. `compression` is null for none.
  explicit ClientFraming(std::unique_ptr<Protocol> protocol, std::unique_ptr<Compression> compression = nullptr)
      : protocol_(std::move(protocol)), compression_(std::move(compression)) {}

  [[nodiscard]] bool is_websocket() const { return protocol_ == nullptr; }
  [[nodiscard]] const Protocol& protocol() const { return *protocol_; }

  /// Null when permessage-deflate is off.
  [[nodiscard]] Compression* compression() const { return compression_.get(); }
  /// What new clients are offered from now on; once there has been some, it stays for those that have it.
  void set_compression(const Compression::Settings& settings) {
    if (compression_ != nullptr) {
      compression_->change(settings);
    } else if (settings.offered) {
      compression_ = std::make_unique<Compression>(settings);
    }
  }

  /// Writes one message into the output queue of the client's connection.
  void write(net::Connection& connection, const ClientRecord& client, std::string_view message, bool binary);
  /// One encoded message for many connections.
  [[nodiscard]] net::SharedBytes encode(std::string_view message, bool binary);
  /// The same, compressed, for clients whose records have these deflate_bits; empty when it is better sent plain.
  [[nodiscard]] net::SharedBytes encode_deflated(std::string_view message, bool binary, std::uint8_t bits);

 private:
  std::string_view encode_to_scratch(std::string_view message);

  std::unique_ptr<Protocol> protocol_;
  std::unique_ptr<Compression> compression_;
  std::string scratch_;  // kept between messages so that a Protocol's encode allocates nothing at rest
};

}  // namespace gatehouse::gateway
