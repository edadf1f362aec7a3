#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "net/connection.h"

namespace gatehouse::net {

/// How many TLS handshakes of one kind of connections may be going on at a time, since each of them holds about 46 KB until it is
/// done. One that finds all slots taken waits in line, and costs nothing but its place: its ClientHello stays with the kernel. So
/// that those who begin and never go on keep nobody out for long, the one that began first makes way once that is kPatienceMs
/// ago; an honest one is done in a few round trips. Knows no clock: it is told the time.
class TlsSlots {
 public:
  static constexpr std::uint64_t kPatienceMs = 2000;

  explicit TlsSlots(std::size_t most) : most_(most) {}
  /// Those that are taken beyond it stay.
  void set_most(std::size_t most) { most_ = most; }

  /// Names the slot until give_back(); 0 when there is none, and the connection waits in line, at its front when it has waited
  /// before.
  std::uint64_t take(ConnectionId id, bool has_waited, std::uint64_t now_ms);
  void give_back(std::uint64_t slot) { taken_.erase(slot); }
  /// Who has to make way now; nobody while a slot is free, or all have begun only just now.
  [[nodiscard]] std::optional<ConnectionId> in_the_way(std::uint64_t now_ms) const;
  /// Takes the next one out of the line.
  std::optional<ConnectionId> next();

  [[nodiscard]] bool has_room() const { return taken_.size() < most_; }
  [[nodiscard]] std::size_t room() const { return has_room() ? most_ - taken_.size() : 0; }
  [[nodiscard]] std::size_t taken() const { return taken_.size(); }
  [[nodiscard]] std::size_t waiting() const { return line_.size(); }
  /// Until somebody in line can go on although nobody has finished: 0 for at once.
  [[nodiscard]] std::uint64_t wait_ms(std::uint64_t now_ms) const;

 private:
  struct Taken {
    ConnectionId id;
    std::uint64_t since_ms;
  };
  std::size_t most_;
  std::uint64_t next_slot_ = 1;
  std::map<std::uint64_t, Taken> taken_;  // in the order in which they began
  std::deque<ConnectionId> line_;         // some may be gone
};

}  // namespace gatehouse::net
