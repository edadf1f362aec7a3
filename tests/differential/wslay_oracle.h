#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::differential {

/// What a server's reader makes of a stream of a client's frames.
struct WebSocketReading {
  struct Message {
    std::uint8_t opcode = 0;  // 1 or 2; 8 to 10 for control frames
    std::uint16_t close_code = 0;
    std::string payload;
    friend bool operator==(const Message&, const Message&) = default;
  };
  std::vector<Message> messages;  // and control frames, in order
  std::uint16_t refusal = 0;      // the close code for whoever broke the protocol; 0: nothing wrong so far
  friend bool operator==(const WebSocketReading&, const WebSocketReading&) = default;
};

inline constexpr std::size_t kMostMessageBytes = 4096;

WebSocketReading read_with_ours(std::string_view stream);
WebSocketReading read_with_wslay(std::string_view stream);

/// "" when both make the same of it, with the differences that are meant taken out; else what differs.
std::string compare(std::string_view stream);

}  // namespace gatehouse::differential
