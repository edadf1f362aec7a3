#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace gatehouse {

/// Messages that have come in and gone out since the process began; what they are in each role stands below.
struct MessageCounts {
  std::uint64_t in = 0;
  std::uint64_t out = 0;
};

/// What one process reports of itself for `status`. Counters run from the start of the process.
struct RoleStatus {
  std::string listening;                // "websocket://0.0.0.0:7272", or "" for a worker
  std::uint64_t connections = 0;        // clients of a gateway, peers of a register, inner connections of a worker
  std::uint64_t inner_connections = 0;  // of a gateway: workers and gateway clients
  std::uint64_t messages_in = 0;        // client messages (gateway), events (worker), lines (register)
  std::uint64_t messages_out = 0;       // messages to clients (gateway), commands and questions (worker), lines (register)
  std::uint64_t send_failures = 0;      // messages that could not be sent: receiver gone, or its buffer full
  std::uint64_t queued_bytes = 0;       // waiting to be written, all connections together
  std::uint64_t unread_bytes = 0;       // received, and parts of messages that are not complete
  std::uint64_t handler_errors = 0;     // exceptions that left user code
  std::uint64_t log_lines_lost = 0;     // that could not be written
  // Over the last few seconds.
  std::uint64_t messages_in_per_second = 0;
  std::uint64_t messages_out_per_second = 0;
  std::uint64_t busy_percent = 0;               // of the time of its thread: 100 is a processor of its own
  std::map<std::string, std::uint64_t> limits;  // how often each limit was hit, by its name; those that were
  struct Certificate {
    std::string file;
    std::int64_t ends_s = 0;  // since 1970
  };
  std::vector<Certificate> certificates = {};  // its own, of tls_cert and inner_tls_cert
};

}  // namespace gatehouse
