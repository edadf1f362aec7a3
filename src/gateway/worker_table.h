#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/client_record.h"
#include "net/loop.h"

namespace gatehouse::gateway {

/// A worker process that has connected for events.
struct WorkerLink {
  std::string key;  // "ip:name:index", as upstream names it
  net::ConnectionId connection;
  bool extension = false;              // it announced ours
  std::uint32_t clients = 0;           // bound to it
  std::vector<std::uint32_t> waiting;  // connection ids of clients not read from until its queue drains
};

/// The workers of a gateway, and which client belongs to which: bound at the client's first event to the worker with the fewest
/// clients, and for as long as both live.
class WorkerTable {
 public:
  /// A worker with a key that is there already replaces the old one, whose connection is returned (else an empty id).
  net::ConnectionId add(std::string key, net::ConnectionId connection, bool extension, WorkerRef& out);
  void remove(WorkerRef ref);

  [[nodiscard]] WorkerLink* find(WorkerRef ref);
  [[nodiscard]] WorkerLink* find(std::string_view key);
  /// The worker with the fewest clients; nothing (generation 0) when there is none.
  [[nodiscard]] WorkerRef least_loaded() const;

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint16_t generation = 1;
    bool used = false;
    WorkerLink link;
  };
  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace gatehouse::gateway
