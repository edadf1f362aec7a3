#pragma once

#include <cstdint>

#include "connections.h"
#include "message_writer.h"
#include "run_state.h"
#include "setup.h"

namespace loadgen {

/// The mode churn: connect, one echo, close, over and over. The latency is that of the whole cycle.
class Churn {
 public:
  Churn(RunState& run, Connections& connections, MessageWriter& writer, Setup& setup)
      : run_(run), connections_(connections), writer_(writer), setup_(setup) {}

  /// Begins the next cycle of every connection whose last one is over. Only from the worker's loop, or a server that answers
  /// at once would make it recurse.
  void restart();
  /// The echo is there: closes.
  void begin_close(Connection& connection);
  /// The server has closed too, or is not waited for.
  void finish(Connection& connection);

 private:
  RunState& run_;
  Connections& connections_;
  MessageWriter& writer_;
  Setup& setup_;
};

}  // namespace loadgen
