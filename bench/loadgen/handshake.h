#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "url.h"

namespace loadgen {

/// The WebSocket handshake of a client (RFC 6455, section 4.1). Its key follows from a seed, which is all that a connection has
/// to keep of it.
std::string handshake_request(const Url& url, std::uint64_t seed);

struct HandshakeReply {
  enum class State { partial, refused, accepted };
  State state;
  std::size_t size = 0;  ///< of an accepted reply: what follows are frames
  std::string problem;   ///< of a refused one
};

/// Checks what the server has sent so far.
HandshakeReply read_handshake_reply(std::string_view input, std::uint64_t seed);

}  // namespace loadgen
