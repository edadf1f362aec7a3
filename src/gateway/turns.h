#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gateway/client_table.h"
#include "gateway/deliveries.h"
#include "gateway/worker_table.h"
#include "net/loop.h"

namespace gatehouse::gateway {

/// Sees to it that a client which says more than others do not wait for it. What a client may have done for it in one iteration
/// of the loop is bounded by work, not by bytes; one that has more to say waits for the next iteration. What it makes the workers
/// do is bounded too: it is not read from while its worker has not finished the events of its turn before last.
///
/// Only clients that have used up a turn are known here.
class Turns {
 public:
  /// Work in one turn, in units of about 0.1 us of this process: a frame that is no message.
  static constexpr int kWork = 1024;
  static constexpr int kFrame = 1;
  static constexpr int kMessage = 8;               // or a ping: something goes out for it
  static constexpr int kBytesShift = 7;            // one more for each 128 bytes that came,
  static constexpr int kInflatedBytesShift = 4;    // and for each 16 that they have become
  static constexpr int kUnreadPongs = 16 * kWork;  // in a turn with pings of one that does not read its pongs: it can wait
  static constexpr int kFewOwed = 8;               // turns that are let pass; for more it is waited by the clock,
  static constexpr int kMostOwed = 1024;           // and never for more than these: 0.3 s

  Turns(net::Loop& loop, ClientTable& table, WorkerTable& workers) : loop_(loop), table_(table), workers_(workers) {}

  /// The client has used up its turn, and `overdrawn` more, and has said something for a worker in it or not. It is read from
  /// again in its next one.
  void end(std::uint32_t client, net::Connection& connection, int overdrawn, bool has_spoken);
  /// Whether a client that is known here has to wait once more, for what it has overdrawn: a few turns, or, for one message that
  /// took thousands of times what a message takes, three times as long as that.
  bool must_pass(std::uint32_t client, net::Connection& connection);
  /// It has said all that it had to say, or is gone. REQUIRES: it is known here.
  void forget(std::uint32_t client);

  /// Events of this link have been finished, or it is gone (`is_gone`): the connection ids of those who waited for that, and are
  /// to be read from again.
  std::vector<std::uint32_t> released_by(const WorkerDelivery& link, bool is_gone) {
    return waiting_ == 0 ? std::vector<std::uint32_t>() : take_released(link, is_gone);
  }
  [[nodiscard]] std::size_t size() const { return turns_.size(); }

 private:
  struct Turn {
    int owed = 0;  // turns to let pass
    std::uint64_t since_ms = 0;
    std::uint32_t link = 0;     // to whom the last event of its turn went; 0: to nobody who says when it is finished
    std::uint64_t number = 0;   // of that event
    std::uint64_t awaited = 0;  // the same of the turn before, while it waits for that
    bool waits = false;
  };
  std::vector<std::uint32_t> take_released(const WorkerDelivery& link, bool is_gone);
  void wait_no_more(Turn& turn) {
    if (std::exchange(turn.waits, false)) --waiting_;
  }

  net::Loop& loop_;
  ClientTable& table_;
  WorkerTable& workers_;
  std::unordered_map<std::uint32_t, Turn> turns_;  // by connection id
  std::size_t waiting_ = 0;
};

}  // namespace gatehouse::gateway
