#pragma once

#include <cstdint>
#include <string>

namespace gatehouse {

/// Why a client's connection ended.
struct CloseReason {
  enum class Cause : std::uint8_t {
    unknown = 0,          ///< the gateway did not say (PHP gateways never do)
    client_closed = 1,    ///< the client closed it, with a close frame or at the end of its stream
    connection_lost = 2,  ///< reset, timed out, unreachable
    heartbeat = 3,        ///< silent for longer than the gateway's heartbeat allows
    closed = 4,           ///< close_client() or Client::close()
    destroyed = 5,        ///< destroy_client() or Client::destroy()
    protocol_error = 6,   ///< it sent what its protocol does not allow
    too_big = 7,          ///< a message over the gateway's limit
    slow_consumer = 8,    ///< it did not read what was sent to it
    timeout = 9,          ///< too long without a handshake, a worker, or a uid or group (first_bind_timeout)
    shutdown = 10,        ///< the gateway stopped
    undeliverable = 11,   ///< an event of it was lost with several workers, one after the other: it may be what ends them
    denied = 12,          ///< an operator denied its address (`gatehouse deny`)
  };
  Cause cause = Cause::unknown;
  /// The WebSocket close code that the client sent, or that was sent to it (RFC 6455, 7.4); 0 when there was none.
  std::uint16_t code = 0;
  /// The reason in the client's close frame; up to 123 bytes of UTF-8.
  std::string text;
};

}  // namespace gatehouse
