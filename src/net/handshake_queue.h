#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "net/connection.h"

namespace gatehouse::net {

/// Whose turn it is to take a step of a TLS handshake. A step may cost as much as serving a thousand messages, so the loop takes
/// few of them in an iteration; and how many new handshakes begin in a second may be limited, the others waiting in order. Those
/// that have begun go first. Knows no clock: it is told the time.
class HandshakeQueue {
 public:
  /// The next step of one that has begun, or of one that is not limited.
  void add(ConnectionId id) { begun_.push_back(id); }
  /// The first step of one of which at most `per_s` may begin in a second. Returns whether it has to wait.
  bool add_new(ConnectionId id, std::uint32_t per_s, std::uint64_t now_ms);

  /// The next one; nothing when none may take a step now.
  std::optional<ConnectionId> take(std::uint64_t now_ms);
  /// The one that take() gave is gone and costs nothing: another may begin in its place.
  void give_back() { tokens_milli_ += taken_milli_; }
  /// Until take() gives one: 0 for at once, -1 when there is none.
  [[nodiscard]] int wait_ms(std::uint64_t now_ms) const;
  [[nodiscard]] std::size_t size() const { return begun_.size() + new_.size(); }

 private:
  void refill(std::uint64_t now_ms);

  std::deque<ConnectionId> begun_;
  std::deque<ConnectionId> new_;
  // A bucket of a tenth of a second's handshakes, but one at least, in thousandths.
  std::uint32_t per_s_ = 0;
  std::uint64_t tokens_milli_ = 0;
  std::uint64_t taken_milli_ = 0;  // by the last take()
  std::uint64_t filled_at_ms_ = 0;
};

}  // namespace gatehouse::net
