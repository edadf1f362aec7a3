#pragma once

#include <gatehouse/protocol.h>

#include <memory>
#include <string>
#include <string_view>

namespace gatehouse::wire {

/// The built-in framings of byte streams, by the scheme of a gateway's listen address: "text", "frame" or "tcp". Null for
/// another.
///
/// text   a message ends with "\n"; all CR and LF at its end are stripped; sent with one "\n" (upstream's Protocols\Text)
/// frame  4-byte big-endian length, itself included, then the message; a length under 4 is refused (upstream waits for ever at 0)
/// tcp    whatever one read brings is one message; sent as it is
std::unique_ptr<Protocol> make_stream_protocol(std::string_view scheme);

/// The scheme of a listen address: a protocol, and whether it is spoken over TLS.
struct Scheme {
  std::string protocol;  // "websocket", "ws", "text", "frame", "tcp" or a program's own
  bool is_encrypted = false;
};
/// "text+tls" is text over TLS, and so with every other; "wss" is "ws+tls". In small letters, however it is written.
Scheme split_scheme(std::string_view written);
inline bool is_websocket(std::string_view protocol) { return protocol == "websocket" || protocol == "ws"; }

}  // namespace gatehouse::wire
