#pragma once

#include <gatehouse/close_reason.h>

#include <cstdint>
#include <unordered_map>

#include "gateway/client_table.h"
#include "gateway/clients.h"
#include "gateway/event_forwarder.h"
#include "net/loop.h"

namespace gatehouse::gateway {

/// Clients that say no more, and first get the answers to what they have said: one whose next frame was bad, and one that has
/// closed its own direction of the connection (half-close).
///
/// Until then they stay clients, with uid, groups and session, but are not read from. A worker that acknowledges has answered
/// when it has finished the client's events; one that does not, PHP's, is given a short time. What waits for such a client counts
/// as for any other (send_to_client_buffer_size).
///
/// Clients over a limit are not to be brought here: they are closed at once.
class LastAnswers {
 public:
  static constexpr std::uint64_t kMostMs = 5000;           // for a worker that acknowledges
  static constexpr std::uint64_t kUnacknowledgedMs = 500;  // for one that does not

  LastAnswers(net::Loop& loop, ClientTable& table, Clients& clients, EventForwarder& forwarder);
  LastAnswers(const LastAnswers&) = delete;
  LastAnswers& operator=(const LastAnswers&) = delete;
  ~LastAnswers();

  /// Closes the client for `reason` (Clients::close()), at once when nothing is to be waited for.
  void close(std::uint32_t client, const CloseReason& reason);
  /// As close() for one whose protocol has no words for it: when nothing is to be waited for and nothing is queued, it ends now.
  void refuse(std::uint32_t client);
  /// The client has closed its direction. False when there is nothing to wait for: it may go now.
  bool keep(std::uint32_t client);

  [[nodiscard]] std::size_t size() const { return endings_.size(); }

 private:
  struct Ending {
    CloseReason reason;
    bool has_closed = false;  // its own direction
    net::TimerId timer;
  };
  /// False when there is nothing to wait for.
  bool wait(std::uint32_t client, const CloseReason& reason, bool has_closed);
  void look(std::uint32_t connection_id);
  void end(std::uint32_t connection_id);

  net::Loop& loop_;
  ClientTable& table_;
  Clients& clients_;
  EventForwarder& forwarder_;
  std::unordered_map<std::uint32_t, Ending> endings_;  // by connection id; some have gone, and their timers clean up behind them
};

}  // namespace gatehouse::gateway
