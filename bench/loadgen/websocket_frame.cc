#include "websocket_frame.h"

#include <cstring>

namespace loadgen {
namespace {

constexpr std::uint64_t kLongestPayload = 64U << 20;
constexpr std::uint64_t kLongestControlPayload = 125;
constexpr std::uint8_t kFinal = 0x80;
constexpr std::uint8_t kReserved = 0x70;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kLengthIn2Bytes = 126;
constexpr std::uint8_t kLengthIn8Bytes = 127;
constexpr std::size_t kMaskSize = 4;

/// Both in the network's order; returns how many bytes the first two and the length take.
std::size_t put_length(std::uint8_t* head, std::uint64_t size) {
  if (size < kLengthIn2Bytes) {
    head[1] = static_cast<std::uint8_t>(kMasked | size);
    return 2;
  }
  if (size < 65536) {
    head[1] = kMasked | kLengthIn2Bytes;
    head[2] = static_cast<std::uint8_t>(size >> 8);
    head[3] = static_cast<std::uint8_t>(size);
    return 4;
  }
  head[1] = kMasked | kLengthIn8Bytes;
  for (unsigned i = 0; i < 8; i++) head[2 + i] = static_cast<std::uint8_t>(size >> (56 - 8 * i));
  return 10;
}

void copy_masked(char* to, std::string_view from, std::uint32_t mask) {
  const std::uint64_t wide_mask = std::uint64_t{mask} << 32 | mask;
  std::size_t i = 0;
  for (; i + sizeof wide_mask <= from.size(); i += sizeof wide_mask) {
    std::uint64_t bytes;
    std::memcpy(&bytes, from.data() + i, sizeof bytes);
    bytes ^= wide_mask;
    std::memcpy(to + i, &bytes, sizeof bytes);
  }
  char mask_bytes[kMaskSize];
  std::memcpy(mask_bytes, &mask, kMaskSize);
  for (; i < from.size(); i++) to[i] = static_cast<char>(from[i] ^ mask_bytes[i % kMaskSize]);
}

}  // namespace

void append_frame(std::string& output, std::string_view payload, Opcode opcode, std::uint32_t mask) {
  std::uint8_t head[10 + kMaskSize];
  head[0] = static_cast<std::uint8_t>(kFinal | static_cast<std::uint8_t>(opcode));
  const std::size_t mask_at = put_length(head, payload.size());
  std::memcpy(head + mask_at, &mask, kMaskSize);
  const std::size_t head_size = mask_at + kMaskSize;
  const std::size_t start = output.size();
  output.resize(start + head_size + payload.size());
  std::memcpy(&output[start], head, head_size);
  copy_masked(&output[start + head_size], payload, mask);
}

FrameState read_frame(std::string_view input, Frame& frame, const char*& problem) {
  if (input.size() < 2) return FrameState::partial;
  const auto byte = [input](std::size_t at) { return static_cast<std::uint8_t>(input[at]); };
  if ((byte(0) & kReserved) != 0 || (byte(1) & kMasked) != 0) {
    problem = "reserved bits or a masked frame from the server";
    return FrameState::broken;
  }
  std::uint64_t size = byte(1);
  frame.payload_at = 2;
  if (size == kLengthIn2Bytes) {
    if (input.size() < 4) return FrameState::partial;
    size = static_cast<std::uint64_t>(byte(2)) << 8 | byte(3);
    frame.payload_at = 4;
  } else if (size == kLengthIn8Bytes) {
    if (input.size() < 10) return FrameState::partial;
    size = 0;
    for (std::size_t i = 2; i < 10; i++) size = size << 8 | byte(i);
    frame.payload_at = 10;
  }
  if (size > kLongestPayload) {
    problem = "frame over 64 MiB";
    return FrameState::broken;
  }
  frame.payload_size = size;
  if (input.size() < frame.size()) return FrameState::partial;
  frame.opcode = static_cast<Opcode>(byte(0) & 0x0f);
  frame.is_final = (byte(0) & kFinal) != 0;
  if (frame.is_control() && (!frame.is_final || size > kLongestControlPayload)) {
    problem = "bad control frame";
    return FrameState::broken;
  }
  return FrameState::whole;
}

}  // namespace loadgen
