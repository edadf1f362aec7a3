#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "url.h"

namespace loadgen {

/// In the order of a connection's life. The text of an error has it as a number.
enum class State : std::uint8_t { unused, connecting, handshaking, joining, touching, up, closing, dead };

/// One connection, of a million perhaps: what is seldom needed takes no memory until it is.
struct Connection {
  const Url* url = nullptr;
  int fd = -1;
  State state = State::unused;
  bool is_publisher = false;
  bool wants_output = false;  ///< as epoll has it
  bool is_connecting = false;
  std::uint32_t id = 0;
  std::uint64_t handshake_seed = 0;
  std::uint64_t started_ns = 0;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;       ///< replies, or deliveries
  std::uint64_t next_sequence = 0;  ///< of a subscriber: the lowest that is no duplicate
  std::size_t output_sent = 0;      ///< how much of `output` is gone
  std::string input;                ///< the beginning of a message, or of the handshake's reply
  std::string output;               ///< what the system did not take
  std::unique_ptr<std::string> fragments;
  std::unique_ptr<std::uint64_t[]> sent_at_ns;  ///< of the messages outstanding, `depth` long

  [[nodiscard]] bool is_open() const { return fd >= 0; }
  [[nodiscard]] std::uint64_t outstanding() const { return sent - received; }
  /// Between connect() and up.
  [[nodiscard]] bool is_setting_up() const { return state >= State::connecting && state <= State::touching; }
};

}  // namespace loadgen
