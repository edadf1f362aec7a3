#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "connections.h"
#include "random.h"
#include "websocket_frame.h"

namespace loadgen {

/// Frames the messages of one worker. What one round of replies calls forth is sent at once: append() for each message, then
/// send_batch().
class MessageWriter {
 public:
  MessageWriter(Connections& connections, Random& random) : connections_(connections), random_(random) {}

  /// On a connection without frames the message ends with a newline.
  void append(const Connection& connection, std::string_view message) { frame(batch_, connection, message, Opcode::text); }

  void discard_batch() { batch_.clear(); }

  void send_batch(Connection& connection) {
    if (batch_.empty()) return;
    connections_.send(connection, batch_);
    batch_.clear();
  }

  /// At once, whatever the batch holds: a ping may come in the middle of the replies.
  void send(Connection& connection, std::string_view message, Opcode opcode = Opcode::text) {
    single_.clear();
    frame(single_, connection, message, opcode);
    connections_.send(connection, single_);
  }

 private:
  void frame(std::string& output, const Connection& connection, std::string_view message, Opcode opcode) {
    if (connection.url->is_websocket) {
      append_frame(output, message, opcode, static_cast<std::uint32_t>(random_.next() >> 16));
    } else {
      output += message;
      output += '\n';
    }
  }

  Connections& connections_;
  Random& random_;
  std::string batch_;
  std::string single_;
};

}  // namespace loadgen
