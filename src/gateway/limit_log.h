#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "net/endpoint.h"
#include "net/loop.h"

namespace gatehouse::gateway {

/// What a gateway refuses too much of, or too late.
enum class Limit : std::uint8_t {
  connections,
  connections_per_address,
  new_connections,
  memory,
  denied,
  origin,
  header,
  proxy_header,
  handshake_time,
  first_bind,
  protocol,
  message_size,
  inflated_size,
  fragments,
  unfinished_messages,
  message_time,
  message_rate,
  byte_rate,
  send_buffer,
  worker_buffer,
  worker_frame,
  groups,
  no_worker_buffer,
  no_worker_time,
  deflate_contexts,
  inner_connect,
  inner_strangers,
  command_size,
  inner_refused,
  tls_handshakes,
  open_tls_handshakes,
  tls,
  inner_tls,
  count_,  // how many there are
};

/// Counts how often each limit was hit, and writes a line for each at most every kQuietMs: a flood must not fill the disk.
class LimitLog {
 public:
  static constexpr std::uint64_t kQuietMs = 10'000;

  explicit LimitLog(net::Loop& loop) : loop_(loop) {}

  /// `detail`, if any, says more of this one time; it stands in the line.
  void hit(Limit limit, const net::Address& who, std::string_view detail = {});
  /// Counts it alone: for what is nobody's concern.
  void count(Limit limit) { ++entries_[static_cast<std::size_t>(limit)].count; }
  [[nodiscard]] std::uint64_t count(Limit limit) const { return entries_[static_cast<std::size_t>(limit)].count; }
  /// By name, those that were hit.
  [[nodiscard]] std::map<std::string, std::uint64_t> counts() const;

 private:
  struct Entry {
    std::uint64_t count = 0;
    std::uint64_t logged = 0;  // of them, when the last line was written
    std::uint64_t logged_at_ms = 0;
  };

  net::Loop& loop_;
  std::array<Entry, static_cast<std::size_t>(Limit::count_)> entries_;
};

}  // namespace gatehouse::gateway
