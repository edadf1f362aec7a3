#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gatehouse {

/// What one process reports of one of its connections, for `connections`. Sizes in bytes.
struct ConnectionRow {
  std::string kind;       // "client", "worker", "commands", "events", "register", "gateway", "peer": who is at the other end
  std::string state;      // "open", "handshake", "connecting", "closing"
  std::string protocol;   // "websocket", "gateway", "text"
  std::string client_id;  // of a client
  std::string uid;        // of a client that has one
  std::vector<std::string> groups;
  std::uint64_t more_groups = 0;  // that the client is in besides those above
  std::string peer;               // of an inner connection: the worker's key, or the gateway's inner address
  std::string local_address;      // "127.0.0.1:8282"
  std::string remote_address;
  std::uint64_t unread_bytes = 0;  // received, and part of a message that is not complete
  std::uint64_t queued_bytes = 0;  // waiting to be written
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  bool paused = false;  // not read from for the moment: back-pressure

  /// Group names that are listed: as many as fit into this many bytes.
  static constexpr std::size_t kMaxGroupBytes = 4096;
};

/// Which connections are wanted: those for which everything that is set here is so.
struct ConnectionFilter {
  std::string client_id = {};
  std::string uid = {};
  std::string group = {};
  std::string address = {};  // of the remote side, "IP" or "IP:PORT"

  [[nodiscard]] bool is_empty() const { return client_id.empty() && uid.empty() && group.empty() && address.empty(); }
};

}  // namespace gatehouse
