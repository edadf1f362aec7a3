#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "churn.h"
#include "connections.h"
#include "echo_traffic.h"
#include "message_writer.h"
#include "pace.h"
#include "publisher.h"
#include "random.h"
#include "receiver.h"
#include "run_state.h"
#include "setup.h"
#include "statistics.h"
#include "subscriber.h"
#include "waker.h"

namespace loadgen {

/// One thread's share of the load: an event loop over its connections.
class Worker {
 public:
  struct Share {
    std::size_t number;  ///< of the worker; number 0 has the publisher
    std::uint32_t first_id;
    std::size_t connections;  ///< the publisher included
    bool has_publisher;
  };

  /// `publisher` is the waker of the worker that has the publisher, when that is another one.
  Worker(RunState& run, const Share& share, const Waker* publisher);

  /// The thread; returns when the run is told to quit.
  void run();

  [[nodiscard]] const Waker& waker() const { return waker_; }
  /// After the thread has ended.
  [[nodiscard]] const Statistics& statistics() const { return statistics_; }
  [[nodiscard]] const Connections& connections() const { return connections_; }

 private:
  void work(std::uint64_t time_ns);
  void set_up(std::uint64_t time_ns);
  void start_load(std::uint64_t time_ns);
  void report_drained(std::uint64_t time_ns);
  [[nodiscard]] std::uint64_t wait_ns(std::uint64_t time_ns) const;

  RunState& run_;
  const Mode mode_;
  Statistics statistics_;
  Waker waker_;
  Random random_;
  Pace pace_;
  Connections connections_;
  MessageWriter writer_;
  EchoTraffic echo_;
  Setup setup_;
  Churn churn_;
  Subscriber subscriber_;
  std::optional<Publisher> publisher_;
  Receiver receiver_;
  bool is_set_up_ = false;
  bool is_started_ = false;
  bool is_drained_ = false;
};

}  // namespace loadgen
