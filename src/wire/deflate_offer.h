#pragma once

#include <cstdint>
#include <string>

#include "wire/http_head.h"

namespace gatehouse::wire {

/// What a server wants of permessage-deflate.
struct DeflateRules {
  bool context_takeover = false;  // may be kept, in both directions, by clients that do not refuse it
  int window_bits = 15;           // 9 to 15: the server's own window, and the client's as far as it lets itself be told
};

/// What becomes of a client's Sec-WebSocket-Extensions.
struct DeflateAnswer {
  enum class Kind : std::uint8_t {
    declined,  // none of its offers is for us, or none can be met: the connection goes on without
    agreed,
  };
  Kind kind = Kind::declined;
  // Only when agreed:
  int server_window_bits = 15;
  int client_window_bits = 15;
  bool server_keeps_context = false;
  bool client_keeps_context = false;
  std::string extensions;  // the value of the answer's Sec-WebSocket-Extensions
};

/// Whether what the client sent as Sec-WebSocket-Extensions, if anything, is what RFC 6455, 9.1 allows. If not, the handshake
/// must fail, whether or not any extension is on here.
bool are_extensions_well_formed(const HttpHead& head);

/// Takes the first of the client's offers that can be met (RFC 7692, 5.1 and 7.1). An offer with a parameter that is unknown,
/// doubled or out of range is passed over; so is one that wants a server window of 8 bits, which zlib does not write. Behind what
/// is malformed nothing is looked at.
DeflateAnswer answer_deflate_offers(const HttpHead& head, const DeflateRules& rules);

}  // namespace gatehouse::wire
