#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "churn.h"
#include "connections.h"
#include "echo_traffic.h"
#include "message_writer.h"
#include "run_state.h"
#include "setup.h"
#include "subscriber.h"
#include "websocket_frame.h"

namespace loadgen {

/// What comes in on the connections of a worker: cuts it into messages and hands each to the part whose turn it is.
class Receiver {
 public:
  Receiver(RunState& run, Connections& connections, MessageWriter& writer, EchoTraffic& echo, Setup& setup, Churn& churn,
           Subscriber& subscriber);

  /// `events` as epoll has them.
  void handle(Connection& connection, std::uint32_t events);

 private:
  void receive(Connection& connection);
  void handle_end(Connection& connection);
  void take_handshake(Connection& connection, std::string_view bytes, std::uint64_t time_ns);
  /// How much of `input` was whole messages. The connection may be closed afterwards.
  std::size_t take_input(Connection& connection, std::string_view input, std::uint64_t time_ns);
  std::size_t take_lines(Connection& connection, std::string_view input, std::uint64_t time_ns);
  std::size_t take_frames(Connection& connection, std::string_view input, std::uint64_t time_ns);
  void take_data_frame(Connection& connection, const Frame& frame, std::string_view payload, std::uint64_t time_ns);
  void take_control_frame(Connection& connection, Opcode opcode, std::string_view payload);
  void take_message(Connection& connection, std::string_view message, std::uint64_t time_ns);
  void refuse(Connection& connection, const char* problem) { connections_.fail(connection, Count::protocol_error, problem); }

  const Mode mode_;
  Connections& connections_;
  Statistics& statistics_;
  MessageWriter& writer_;
  EchoTraffic& echo_;
  Setup& setup_;
  Churn& churn_;
  Subscriber& subscriber_;
  std::vector<char> buffer_;  ///< one for all connections: only what is incomplete is kept with each
};

}  // namespace loadgen
