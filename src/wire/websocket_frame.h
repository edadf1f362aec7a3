#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace gatehouse::wire {

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

namespace close_code {
inline constexpr std::uint16_t kNormal = 1000;
inline constexpr std::uint16_t kGoingAway = 1001;
inline constexpr std::uint16_t kProtocolError = 1002;
inline constexpr std::uint16_t kNoStatus = 1005;  // never on the wire: a close frame without a code
inline constexpr std::uint16_t kInvalidData = 1007;
inline constexpr std::uint16_t kPolicy = 1008;
inline constexpr std::uint16_t kTooBig = 1009;
inline constexpr std::uint16_t kInternalError = 1011;
inline constexpr std::uint16_t kTryLater = 1013;
}  // namespace close_code

struct WebSocketLimits {
  std::size_t message = 1024 * 1024;  // bytes of one message, all its fragments together
  std::uint32_t fragments = 1024;     // frames of one message
};

/// What a WebSocketReader keeps for one connection between calls: 24 bytes, and heap memory only inside a fragmented message.
struct WebSocketState {
  struct Fragments {
    std::string bytes;
    std::uint32_t count = 0;
  };
  std::unique_ptr<Fragments> fragments;          // the message whose FIN has not come
  std::uint32_t progress = 0;                    // payload bytes of the incomplete frame that are unmasked and checked already
  std::uint32_t utf8 = 0;                        // state of the UTF-8 check across frames
  std::uint32_t place = 0;                       // its caller's, for what it knows of the connection's unfinished messages
  Opcode message_opcode = Opcode::continuation;  // of the fragmented message; continuation when there is none
  bool closed = false;                           // a close frame was given out: nothing more is read
  bool deflate = false;                          // permessage-deflate was agreed on: RSV1 marks a compressed message
  bool compressed = false;                       // the fragmented message is
};

/// One step of reading.
struct WebSocketEvent {
  enum class Kind : std::uint8_t {
    need_more,  // no whole frame is left
    fragment,   // a data frame of an unfinished message was taken in; nothing to deliver yet
    message,    // payload is a whole message, `binary` says of which kind
    ping,       // payload (0..125 bytes) wants to come back in a pong
    pong,
    close,  // the peer's close frame: close_code (1005 when it had none), payload is its reason (UTF-8)
    error,  // the peer broke the protocol: close_code is what to send, `reason` a phrase for the log. Nothing more can be read.
  };
  Kind kind = Kind::need_more;
  bool binary = false;
  bool compressed = false;  // the payload of a message is to be inflated, and its text to be checked then
  std::uint16_t close_code = 0;
  const char* reason = "";
  std::size_t consumed = 0;  // bytes of the input that are done with once payload has been used
  std::span<char> payload;   // inside the input, or inside the state's fragments (valid until the next call)
};

/// Reads frames of one side strictly as RFC 6455 wants it: masked from clients and unmasked from servers, no reserved bits but
/// an agreed RSV1 in its place, no unknown opcodes, minimal lengths, whole and short control frames, UTF-8 checked as it arrives
/// (also in the middle of a frame), close codes and reasons checked, limits enforced from the header on, before a byte of the
/// payload is waited for.
///
/// One object serves all connections of a gateway: what belongs to one is in its WebSocketState. It counts what all unfinished
/// messages hold.
class WebSocketReader {
 public:
  enum class Role { server, client };
  /// A message is never longer than 3 GiB, whatever the limit: WebSocketState counts in 32 bits.
  WebSocketReader(Role role, WebSocketLimits limits) : role_(role) { set_limits(limits); }

  /// For what is read from now on.
  void set_limits(WebSocketLimits limits) {
    limits_ = limits;
    limits_.message = std::min(limits_.message, std::size_t{3} << 30);
  }

  /// Takes one step from the start of `input`, all unconsumed bytes in order; unmasks in place. Bytes that were shown before and
  /// not consumed must come again as this call left them (unmasked as far as it got). Never allocates for input that it refuses.
  WebSocketEvent next(WebSocketState& state, std::span<char> input);

  /// Gives up what the state holds, when a connection ends.
  void forget(WebSocketState& state);
  /// Gives up the fragments of a message that was given out and has been used, without waiting for the next call, which may not
  /// come for hours.
  void release(WebSocketState& state) {
    if (state.fragments != nullptr && state.message_opcode == Opcode::continuation) forget(state);
  }
  /// Payload bytes of an unfinished message that the state holds. The memory behind them is at most twice as much and some 50
  /// bytes.
  [[nodiscard]] static std::size_t held_by(const WebSocketState& state) {
    return state.fragments == nullptr ? 0 : state.fragments->bytes.size();
  }
  /// The same of all states.
  [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }

 private:
  bool take_whole_message(const WebSocketState& state, std::span<char> input, WebSocketEvent& event);
  WebSocketEvent take_any(WebSocketState& state, std::span<char> input);
  void take_fragment(WebSocketState& state, Opcode opcode, bool fin, WebSocketEvent& event);
  WebSocketEvent take_control_frame(WebSocketState& state, std::span<char> input, Opcode opcode, std::span<char> payload);
  WebSocketEvent fail(WebSocketState& state, std::span<char> input, std::uint16_t code, const char* reason);

  Role role_;
  WebSocketLimits limits_;
  std::size_t held_bytes_ = 0;
};

inline constexpr std::size_t kMaxFrameHeader = 14;

/// Writes the header of an unmasked, unfragmented frame (2, 4 or 10 bytes) to `out`; returns its length. `compressed` sets RSV1
/// (RFC 7692, 6.1).
inline std::size_t write_frame_header(char* out, Opcode opcode, std::size_t payload_size, bool compressed = false);
/// The length that write_frame_header will return.
inline std::size_t frame_header_size(std::size_t payload_size) { return payload_size < 126 ? 2 : payload_size < 65536 ? 4 : 10; }

inline std::size_t write_frame_header(char* out, Opcode opcode, std::size_t payload_size, bool compressed) {
  constexpr unsigned kFin = 0x80;
  constexpr unsigned kRsv1 = 0x40;  // RFC 7692, 6
  out[0] = static_cast<char>(kFin | (compressed ? kRsv1 : 0U) | static_cast<unsigned>(opcode));
  const std::size_t size = frame_header_size(payload_size);
  if (size == 2) {
    out[1] = static_cast<char>(payload_size);
  } else if (size == 4) {
    out[1] = 126;  // the length follows in 16 bits
    store_be16(out + 2, static_cast<std::uint16_t>(payload_size));
  } else {
    out[1] = 127;  // in 64
    store_be64(out + 2, payload_size);
  }
  return size;
}

void append_frame(std::string& out, Opcode opcode, std::string_view payload);
/// A client's frame, masked with `mask`.
void append_masked_frame(std::string& out, Opcode opcode, std::string_view payload, std::uint32_t mask, bool fin = true);
/// A close frame; `code` 1005 makes an empty one. `reason` is cut to 123 bytes at a character's boundary.
void append_close_frame(std::string& out, std::uint16_t code, std::string_view reason = {});

/// XORs `bytes` with the mask (the four bytes as they stand on the wire, in memory order), whose first byte
/// belongs to `offset` 0. False when what came out is all ASCII, so that nobody need look through it again for that.
bool unmask(std::span<char> bytes, std::uint32_t mask, std::size_t offset);

/// RFC 6455 7.4: whether a code may stand in a close frame.
bool is_valid_close_code(std::uint16_t code);

}  // namespace gatehouse::wire
