#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace loadgen {

/// RFC 6455, section 11.8.
enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// Appends one whole, masked frame.
void append_frame(std::string& output, std::string_view payload, Opcode opcode, std::uint32_t mask);

/// One frame of a server.
struct Frame {
  Opcode opcode;  ///< may be one that the RFC does not know
  bool is_final;
  std::size_t payload_at;  ///< where in the input the payload begins
  std::size_t payload_size;

  [[nodiscard]] std::size_t size() const { return payload_at + payload_size; }
  [[nodiscard]] bool is_control() const { return opcode >= Opcode::close; }
};

enum class FrameState { whole, partial, broken };

/// Reads the frame at the beginning of the input. When it is broken, `problem` says how.
FrameState read_frame(std::string_view input, Frame& frame, const char*& problem);

}  // namespace loadgen
