#include "wire/websocket_frame.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "base/bytes.h"
#include "wire/utf8.h"

namespace gatehouse::wire {
namespace {

// The first two bytes of a frame (RFC 6455, 5.2).
constexpr unsigned kFinBit = 0x80;
constexpr unsigned kReservedBits = 0x70;
constexpr unsigned kCompressedBit = 0x40;  // RSV1 (RFC 7692, 6)
constexpr unsigned kOpcodeBits = 0x0F;
constexpr unsigned kMaskBit = 0x80;
constexpr unsigned kLengthBits = 0x7F;
constexpr unsigned kLengthIn16Bits = 126;
constexpr unsigned kLengthIn64Bits = 127;
constexpr std::size_t kMaxControlPayload = 125;
constexpr std::size_t kMaskSize = 4;

bool is_control(Opcode opcode) { return static_cast<unsigned>(opcode) >= 8; }

bool is_known(Opcode opcode) {
  constexpr unsigned kKnown = 1U << 0 | 1U << 1 | 1U << 2 | 1U << 8 | 1U << 9 | 1U << 10;
  return (kKnown >> static_cast<unsigned>(opcode) & 1U) != 0;
}

unsigned char byte_at(std::span<const char> bytes, std::size_t index) { return static_cast<unsigned char>(bytes[index]); }

std::string_view view(std::span<const char> bytes) { return {bytes.data(), bytes.size()}; }

// 16 bytes that are XORed at once: SSE2 and NEON are part of the 64-bit machines themselves, and elsewhere it is two words.
using Vector = std::uint64_t __attribute__((vector_size(16)));  // NOLINT: a type of g++ and clang

template <class Word>
Word repeat(std::uint32_t mask) {
  if constexpr (sizeof(Word) == sizeof mask) {
    return mask;
  } else {
    return Word{} + (std::uint64_t{mask} << 32 | mask);
  }
}

bool has_high_bit(std::uint64_t word) { return (word & 0x8080808080808080U) != 0; }
bool has_high_bit(Vector word) { return has_high_bit(word[0] | word[1]); }

/// XORs `bytes` with `mask`, over and over, a word at a time; whether a byte came out with its highest bit set. The last word may
/// overlap the one before, so it is read before the others are written. REQUIRES: a word or more.
template <class Word>
bool unmask_words(std::span<char> bytes, std::uint32_t mask) {
  char* p = bytes.data();
  char* const last_at = p + bytes.size() - sizeof(Word);
  Word last;
  std::memcpy(&last, last_at, sizeof last);
  last ^= repeat<Word>(std::rotr(mask, static_cast<int>(8 * ((bytes.size() - sizeof(Word)) % 4))));
  Word seen = last;
  const Word repeated = repeat<Word>(mask);
  for (; p < last_at; p += sizeof(Word)) {
    Word word;
    std::memcpy(&word, p, sizeof word);
    word ^= repeated;
    seen |= word;
    std::memcpy(p, &word, sizeof word);
  }
  std::memcpy(last_at, &last, sizeof last);
  return has_high_bit(seen);
}

/// What is wrong with a frame, or nothing.
struct Fault {
  std::uint16_t close_code = 0;
  const char* reason = "";
  explicit operator bool() const { return close_code != 0; }
};

// Every check below asks for no more bytes than those before it, so a fault is found at the same byte however the input is cut.

Fault check_first_byte(const WebSocketState& state, const WebSocketLimits& limits, unsigned first) {
  const auto opcode = static_cast<Opcode>(first & kOpcodeBits);
  // Only the first frame of a message says that it is compressed (RFC 7692, 6.1).
  const bool may_be_compressed = state.deflate && (opcode == Opcode::text || opcode == Opcode::binary);
  const unsigned forbidden = may_be_compressed ? kReservedBits & ~kCompressedBit : kReservedBits;
  if ((first & forbidden) != 0) return {close_code::kProtocolError, "reserved bits set without an extension"};
  if (!is_known(opcode)) return {close_code::kProtocolError, "unknown opcode"};
  if (is_control(opcode)) {
    if ((first & kFinBit) == 0) return {close_code::kProtocolError, "fragmented control frame"};
    return {};
  }
  const bool inside_message = state.message_opcode != Opcode::continuation;
  if (inside_message != (opcode == Opcode::continuation)) {
    return {close_code::kProtocolError, inside_message ? "new message inside a fragmented one" : "continuation of no message"};
  }
  if (inside_message && state.fragments->count >= limits.fragments) return {close_code::kPolicy, "too many fragments"};
  return {};
}

Fault check_second_byte(Opcode opcode, bool must_be_masked, unsigned second) {
  const bool masked = (second & kMaskBit) != 0;
  if (masked != must_be_masked) {
    return {close_code::kProtocolError, masked ? "masked frame from a server" : "unmasked frame from a client"};
  }
  if (is_control(opcode) && (second & kLengthBits) > kMaxControlPayload) {
    return {close_code::kProtocolError, "control frame of more than 125 bytes"};
  }
  return {};
}

Fault check_length(const WebSocketState& state, const WebSocketLimits& limits, Opcode opcode, bool compressed,
                   std::uint64_t length) {
  if (is_control(opcode)) return {};
  const std::size_t held = opcode == Opcode::continuation ? state.fragments->bytes.size() : 0;
  // What cannot be compressed grows by up to an eighth in zlib's hands (deflateBound); its inflated size is checked later.
  const std::size_t most = limits.message + (compressed ? limits.message / 8 + 64 : 0);
  if (held > most || length > most - held) return {close_code::kTooBig, "message over the limit"};
  return {};
}

}  // namespace

WebSocketEvent WebSocketReader::next(WebSocketState& state, std::span<char> input) {
  WebSocketEvent event;
  if (take_whole_message(state, input, event)) return event;
  return take_any(state, input);
}

/// What nearly every frame is, in a few steps: a client's whole message of less than 64 KB, uncompressed, all there. False, and
/// nothing touched, for everything else, also for what looks wrong.
bool WebSocketReader::take_whole_message(const WebSocketState& state, std::span<char> input, WebSocketEvent& event) {
  constexpr unsigned kText = kFinBit | static_cast<unsigned>(Opcode::text);
  constexpr unsigned kBinary = kFinBit | static_cast<unsigned>(Opcode::binary);
  constexpr std::size_t kShortest = 2 + kMaskSize;
  if (state.fragments != nullptr || state.progress != 0 || state.closed || role_ != Role::server) return false;
  if (input.size() < kShortest) return false;
  const unsigned first = byte_at(input, 0);
  const unsigned second = byte_at(input, 1);
  if ((first != kText && first != kBinary) || (second & kMaskBit) == 0) return false;
  std::size_t length = second & kLengthBits;
  std::size_t header_size = kShortest;
  if (length >= kLengthIn16Bits) {
    header_size += 2;
    if (length != kLengthIn16Bits || input.size() < header_size) return false;
    length = load_be16(input.data() + 2);
    if (length < kLengthIn16Bits) return false;
  }
  if (length > limits_.message || input.size() - header_size < length) return false;

  std::uint32_t mask = 0;
  std::memcpy(&mask, input.data() + header_size - kMaskSize, kMaskSize);
  event.payload = input.subspan(header_size, length);
  const bool beyond_ascii = unmask(event.payload, mask, 0);
  if (first == kText && beyond_ascii && check_utf8(kUtf8Accept, view(event.payload)) != kUtf8Accept) {
    unmask(event.payload, mask, 0);  // again masked: what is wrong is said in one place
    return false;
  }
  event.kind = WebSocketEvent::Kind::message;
  event.binary = first == kBinary;
  event.consumed = header_size + length;
  return true;
}

WebSocketEvent WebSocketReader::take_any(WebSocketState& state, std::span<char> input) {
  WebSocketEvent event;
  if (state.closed) {
    event.consumed = input.size();
    return event;
  }
  // The fragments of a message that was delivered have been used by now.
  release(state);
  if (input.empty()) return event;

  const unsigned first = byte_at(input, 0);
  const auto opcode = static_cast<Opcode>(first & kOpcodeBits);
  if (const Fault fault = check_first_byte(state, limits_, first)) return fail(state, input, fault.close_code, fault.reason);
  if (input.size() < 2) return event;

  const unsigned second = byte_at(input, 1);
  const bool masked = role_ == Role::server;
  if (const Fault fault = check_second_byte(opcode, masked, second)) return fail(state, input, fault.close_code, fault.reason);

  std::uint64_t length = second & kLengthBits;
  std::size_t header_size = 2;
  if (length == kLengthIn16Bits) {
    header_size = 4;
    if (input.size() < header_size) return event;
    length = load_be16(input.data() + 2);
    if (length < kLengthIn16Bits) return fail(state, input, close_code::kProtocolError, "length not in its shortest form");
  } else if (length == kLengthIn64Bits) {
    header_size = 10;
    if (input.size() < header_size) return event;
    length = load_be64(input.data() + 2);
    if (length >> 63 != 0) return fail(state, input, close_code::kProtocolError, "length with its highest bit set");
    if (length <= 0xFFFF) return fail(state, input, close_code::kProtocolError, "length not in its shortest form");
  }
  const bool compressed = opcode == Opcode::continuation ? state.compressed : (first & kCompressedBit) != 0;
  if (const Fault fault = check_length(state, limits_, opcode, compressed, length))
    return fail(state, input, fault.close_code, fault.reason);

  std::uint32_t mask = 0;
  if (masked) {
    if (input.size() < header_size + kMaskSize) return event;
    std::memcpy(&mask, input.data() + header_size, kMaskSize);
    header_size += kMaskSize;
  }

  const auto payload_size = static_cast<std::size_t>(length);
  const std::size_t come = std::min(payload_size, input.size() - header_size);
  if (is_control(opcode)) {
    if (come < payload_size) return event;  // at most 125 bytes: not worth the state
    const std::span<char> payload = input.subspan(header_size, payload_size);
    if (masked) unmask(payload, mask, 0);
    return take_control_frame(state, input, opcode, payload);
  }

  assert(come >= state.progress);
  const std::span<char> fresh = input.subspan(header_size + state.progress, come - state.progress);
  const bool may_be_beyond_ascii = !masked || unmask(fresh, mask, state.progress) || state.utf8 != kUtf8Accept;
  const bool fin = (first & kFinBit) != 0;
  if (!compressed && (opcode == Opcode::text || state.message_opcode == Opcode::text)) {
    if (may_be_beyond_ascii) state.utf8 = check_utf8(state.utf8, view(fresh));
    if (state.utf8 == kUtf8Reject) return fail(state, input, close_code::kInvalidData, "text is not UTF-8");
    if (fin && come == payload_size && state.utf8 != kUtf8Accept) {
      return fail(state, input, close_code::kInvalidData, "text ends inside a character");
    }
  }
  if (come < payload_size) {
    state.progress = static_cast<std::uint32_t>(come);
    return event;
  }
  state.progress = 0;
  event.consumed = header_size + payload_size;
  event.payload = input.subspan(header_size, payload_size);
  if (fin && opcode != Opcode::continuation) {
    event.kind = WebSocketEvent::Kind::message;
    event.binary = opcode == Opcode::binary;
    event.compressed = compressed;
    return event;
  }
  state.compressed = compressed;
  take_fragment(state, opcode, fin, event);
  return event;
}

void WebSocketReader::take_fragment(WebSocketState& state, Opcode opcode, bool fin, WebSocketEvent& event) {
  if (!state.fragments) {
    state.fragments = std::make_unique<WebSocketState::Fragments>();
    state.message_opcode = opcode;
  }
  state.fragments->bytes.append(event.payload.data(), event.payload.size());
  ++state.fragments->count;
  held_bytes_ += event.payload.size();
  if (!fin) {
    event.kind = WebSocketEvent::Kind::fragment;
    event.payload = {};
    return;
  }
  event.kind = WebSocketEvent::Kind::message;
  event.binary = state.message_opcode == Opcode::binary;
  event.compressed = state.compressed;
  event.payload = state.fragments->bytes;
  state.message_opcode = Opcode::continuation;  // the bytes stay until the next call
}

WebSocketEvent WebSocketReader::take_control_frame(WebSocketState& state, std::span<char> input, Opcode opcode,
                                                   std::span<char> payload) {
  WebSocketEvent event;
  event.consumed = static_cast<std::size_t>(payload.data() - input.data()) + payload.size();
  event.payload = payload;
  if (opcode != Opcode::close) {
    event.kind = opcode == Opcode::ping ? WebSocketEvent::Kind::ping : WebSocketEvent::Kind::pong;
    return event;
  }
  event.kind = WebSocketEvent::Kind::close;
  event.close_code = close_code::kNoStatus;
  if (payload.size() == 1) return fail(state, input, close_code::kProtocolError, "close frame with half a code");
  if (payload.size() >= 2) {
    event.close_code = load_be16(payload.data());
    event.payload = payload.subspan(2);
    if (!is_valid_close_code(event.close_code)) return fail(state, input, close_code::kProtocolError, "invalid close code");
    if (!is_utf8(view(event.payload))) return fail(state, input, close_code::kInvalidData, "close reason is not UTF-8");
  }
  forget(state);
  state.closed = true;
  return event;
}

WebSocketEvent WebSocketReader::fail(WebSocketState& state, std::span<char> input, std::uint16_t code, const char* reason) {
  forget(state);
  state.closed = true;
  WebSocketEvent event;
  event.kind = WebSocketEvent::Kind::error;
  event.close_code = code;
  event.reason = reason;
  event.consumed = input.size();
  return event;
}

void WebSocketReader::forget(WebSocketState& state) {
  if (state.fragments) held_bytes_ -= state.fragments->bytes.size();
  state.fragments.reset();
  state.progress = 0;
  state.utf8 = kUtf8Accept;
  state.compressed = false;
  state.message_opcode = Opcode::continuation;
}

void append_frame(std::string& out, Opcode opcode, std::string_view payload) {
  char header[kMaxFrameHeader];
  out.append(header, write_frame_header(header, opcode, payload.size()));
  out.append(payload);
}

void append_masked_frame(std::string& out, Opcode opcode, std::string_view payload, std::uint32_t mask, bool fin) {
  char header[kMaxFrameHeader];
  const std::size_t header_size = write_frame_header(header, opcode, payload.size());
  if (!fin) header[0] = static_cast<char>(opcode);
  header[1] = static_cast<char>(static_cast<unsigned char>(header[1]) | kMaskBit);
  std::memcpy(header + header_size, &mask, kMaskSize);
  out.append(header, header_size + kMaskSize);
  const std::size_t start = out.size();
  out.append(payload);
  unmask(std::span(out).subspan(start), mask, 0);
}

void append_close_frame(std::string& out, std::uint16_t code, std::string_view reason) {
  if (code == close_code::kNoStatus) return append_frame(out, Opcode::close, {});
  char payload[kMaxControlPayload];
  store_be16(payload, code);
  std::size_t size = std::min(reason.size(), kMaxControlPayload - 2);
  if (size < reason.size()) {
    while (size > 0 && (byte_at(reason, size) & 0xC0) == 0x80) --size;
  }
  std::copy_n(reason.data(), size, payload + 2);
  append_frame(out, Opcode::close, {payload, size + 2});
}

bool unmask(std::span<char> bytes, std::uint32_t mask, std::size_t offset) {
  const std::uint32_t turned = std::rotr(mask, static_cast<int>(8 * (offset % 4)));
  if (bytes.size() >= sizeof(Vector)) return unmask_words<Vector>(bytes, turned);
  if (bytes.size() >= sizeof(std::uint64_t)) return unmask_words<std::uint64_t>(bytes, turned);
  if (bytes.size() >= sizeof turned) return unmask_words<std::uint32_t>(bytes, turned);
  unsigned seen = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(bytes[i] ^ static_cast<char>(turned >> (8 * i)));
    seen |= byte_at(bytes, i);
  }
  return has_high_bit(std::uint64_t{seen});
}

bool is_valid_close_code(std::uint16_t code) {
  // 1004 is reserved, 1005, 1006 and 1015 never stand in a frame; 1012 to 1014 are of IANA's registry.
  if (code < 3000) return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
  return code <= 4999;
}

}  // namespace gatehouse::wire
