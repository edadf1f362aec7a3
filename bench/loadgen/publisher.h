#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "connections.h"
#include "message_writer.h"
#include "pace.h"
#include "run_state.h"

namespace loadgen {

/// The sending end of fanout and all: one connection, which is no member of the group. It lives on the first worker.
class Publisher {
 public:
  Publisher(RunState& run, Connections& connections, MessageWriter& writer, Pace& pace);

  void start(std::uint64_t time_ns) { last_progress_ns_ = time_ns; }
  /// Publishes what is due, or what the window has room for.
  void publish_more(std::uint64_t time_ns);
  /// Takes the results of the publications that all members have, in order.
  void collect(std::uint64_t time_ns);

 private:
  void publish_due(std::uint64_t time_ns);
  void fill_window(std::uint64_t time_ns);
  /// False when that was one too many, and the load has ended.
  bool give_up_oldest(std::uint64_t time_ns);
  void publish(std::uint64_t due_ns, std::uint64_t time_ns);
  [[nodiscard]] std::uint64_t outstanding() const { return next_sequence_ - next_to_collect_; }

  RunState& run_;
  Statistics& statistics_;
  MessageWriter& writer_;
  Pace& pace_;
  Connection& connection_;
  std::string message_;           ///< all that stays the same is in it
  const std::size_t payload_at_;  ///< in the message, behind the command
  std::uint64_t next_sequence_ = 0;
  std::uint64_t next_to_collect_ = 0;
  std::uint64_t last_progress_ns_ = 0;
  unsigned given_up_in_a_row_ = 0;
};

}  // namespace loadgen
