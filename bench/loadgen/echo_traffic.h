#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "connections.h"
#include "message_writer.h"
#include "pace.h"
#include "run_state.h"

namespace loadgen {

/// Messages that the server sends back as they are: 'E', 16 digits (the connection's id and the sequence number), filler. The
/// mode echo; churn and --touch exchange one such message per connection.
class EchoTraffic {
 public:
  EchoTraffic(RunState& run, Connections& connections, MessageWriter& writer, Pace& pace);

  /// Adds the connection's next message to the batch. The latency will count from `due_ns`.
  void append(Connection& connection, std::uint64_t due_ns);
  /// Whether this is the reply that comes next, byte for byte. Counts what is wrong.
  bool check(const Connection& connection, std::string_view reply);

  /// The closed loop begins with `depth` messages on every connection; every reply calls forth the next one.
  void start_closed_loop();
  void take_reply(Connection& connection, std::string_view reply, std::uint64_t time_ns);
  /// The open loop: sends what is due, each message on the next connection that has less than `depth` outstanding.
  void send_due(std::uint64_t time_ns);

  [[nodiscard]] bool is_outstanding() const;
  /// At the end: what never came.
  void count_lost();

 private:
  bool note(Count count, const char* problem);
  Connection* next_free();

  RunState& run_;
  Connections& connections_;
  Statistics& statistics_;
  MessageWriter& writer_;
  Pace& pace_;
  const std::size_t size_;
  const std::uint64_t depth_;
  const bool is_open_loop_;
  std::string message_;
  std::size_t next_ = 0;  ///< whose turn it is in the open loop
};

}  // namespace loadgen
