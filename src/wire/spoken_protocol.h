#pragma once

#include <string_view>

namespace gatehouse::wire {

/// What a connection may bring that has come to a wrong port, or from a role that is configured in another way.
enum class SpokenProtocol {
  unknown,
  tls,          // a record: handshake or alert (RFC 8446, 5.1)
  http,         // a request or an answer
  register_,    // a line of the register's protocol
  inner_frame,  // of the inner port of a gateway
};

/// Of the first bytes of a connection; five are enough.
SpokenProtocol recognize_protocol(std::string_view first);

/// "TLS", "HTTP", "the register's protocol", "the inner protocol of gateways"; empty for one that is unknown.
std::string_view name_of(SpokenProtocol protocol);

}  // namespace gatehouse::wire
