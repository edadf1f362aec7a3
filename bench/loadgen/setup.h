#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "connections.h"
#include "echo_traffic.h"
#include "message_writer.h"
#include "random.h"
#include "run_state.h"

namespace loadgen {

/// Brings connections up: connect, the WebSocket handshake, --hello, then what the mode asks for (a join, or one echo).
class Setup {
 public:
  Setup(RunState& run, Connections& connections, MessageWriter& writer, EchoTraffic& echo, Random& random, double ramp);

  /// Starts as many connections as --ramp and --inflight allow now.
  void start_more(std::uint64_t time_ns);
  [[nodiscard]] bool all_started() const { return next_to_start_ == connections_.all().size(); }
  /// How long the worker may wait before it calls start_more() again.
  [[nodiscard]] std::uint64_t wait_ns() const;
  /// Gives up what has waited longer than --timeout. Looks at all connections, but four times a second at most.
  void check_timeouts(std::uint64_t time_ns);

  void start(Connection& connection);
  /// After an event of a connection that is_connecting.
  void finish_connect(Connection& connection, bool is_writable);
  /// Adds to what has come of the server's handshake. True when it is complete and right; `rest` is what follows it.
  bool take_handshake(Connection& connection, std::string_view bytes, std::string& rest);
  void take_join_reply(Connection& connection, std::string_view message);
  /// True when it is the reply to the one echo; what to do then is up to the mode.
  bool take_touch_reply(Connection& connection, std::string_view message);

 private:
  void begin_handshake(Connection& connection);
  void open(Connection& connection);

  RunState& run_;
  Connections& connections_;
  MessageWriter& writer_;
  EchoTraffic& echo_;
  Random& random_;
  const double ramp_;  ///< connections per second of this worker; 0: no limit
  std::size_t next_to_start_ = 0;
  std::uint64_t ramp_start_ns_ = 0;
  std::uint64_t last_check_ns_ = 0;
};

}  // namespace loadgen
