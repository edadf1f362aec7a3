#pragma once

#include <gatehouse/protocol.h>

#include <memory>
#include <string_view>

namespace gatehouse::wire {

/// The built-in framings of byte streams, by the scheme of a gateway's listen address: "text", "frame" or "tcp". Null for
/// another.
///
/// text   a message ends with "\n"; all CR and LF at its end are stripped; sent with one "\n" (upstream's Protocols\Text)
/// frame  4-byte big-endian length, itself included, then the message; a length under 4 is refused (upstream waits for ever at 0)
/// tcp    whatever one read brings is one message; sent as it is
std::unique_ptr<Protocol> make_stream_protocol(std::string_view scheme);

}  // namespace gatehouse::wire
