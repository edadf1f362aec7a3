#pragma once

#include <gatehouse/router.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/client_record.h"
#include "net/loop.h"

namespace gatehouse::gateway {

struct WorkerDelivery;

/// A worker process that has connected for events.
struct WorkerLink {
  std::string key;  // "ip:name:index", as upstream names it
  net::ConnectionId connection;
  std::uint32_t extension = 0;         // the version of ours that it announced; 0 for none
  std::uint32_t clients = 0;           // bound to it
  std::vector<std::uint32_t> waiting;  // connection ids of clients not read from until its queue drains
  WorkerDelivery* delivery = nullptr;  // when it acknowledges its events; owned by Deliveries
};

/// The workers of a gateway, and how many clients are bound to each.
///
/// A worker that has left stays known by its key as long as clients are bound to it: when it comes back, it has those again that
/// have not spoken meanwhile, and its count is that of the clients it really has (upstream begins again at 0 and sends it
/// everybody new).
class WorkerTable {
 public:
  /// How many keys may be known at a time; WorkerRef::slot names them.
  static constexpr std::size_t kMostWorkers = 65'535;

  /// A worker with a key that is there already replaces the old one, whose connection is returned (else an empty id). `out` is
  /// nothing (generation 0) when the table is full.
  net::ConnectionId add(std::string key, net::ConnectionId connection, std::uint32_t extension, WorkerRef& out);
  /// It has left; nobody is bound to it anew.
  void remove(WorkerRef ref);

  /// Null for one that is not here.
  [[nodiscard]] WorkerLink* find(WorkerRef ref);
  [[nodiscard]] WorkerLink* find(std::string_view key);

  /// Takes a client from the worker that `ref` names, if any, and gives it to the one that `to` names. Null when that is nothing.
  WorkerLink* bind(WorkerRef& ref, WorkerRef to);
  void unbind(WorkerRef& ref);

  /// Workers of our own are those that have announced our extension.
  enum class Among : std::uint8_t { all, native };
  /// A worker for one more client; nothing (generation 0) when there is none.
  [[nodiscard]] WorkerRef choose(LoadBalancing mode, Among among = Among::all);
  /// Where a client that has been given to `bound` for want of its own worker had better be: at the worker with the fewest
  /// clients, when `bound` has clearly more. Nothing (generation 0) when it had better stay.
  [[nodiscard]] WorkerRef better_than(const WorkerLink& bound);
  /// All that are here, in a lasting order.
  void list(std::vector<WorkerRef>& out, Among among = Among::all) const;
  [[nodiscard]] std::size_t count(Among among) const;

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Slot {
    enum class State : std::uint8_t { free, here, away };
    std::uint16_t generation = 1;
    State state = State::free;
    WorkerLink link;
  };
  [[nodiscard]] WorkerRef ref_of(std::size_t slot) const { return {static_cast<std::uint16_t>(slot), slots_[slot].generation}; }
  Slot* slot_of(WorkerRef ref);
  void free(Slot& slot);
  static bool is_here(const Slot& slot, Among among) {
    return slot.state == Slot::State::here && (among == Among::all || slot.link.extension != 0);
  }
  [[nodiscard]] WorkerRef next_here(std::size_t from, Among among) const;
  [[nodiscard]] WorkerRef least_loaded(Among among) const;

  std::vector<Slot> slots_;
  std::size_t size_ = 0;    // that are here
  std::size_t turn_ = 0;    // the slot from which round robin looks on
  bool is_uneven_ = false;  // a worker has come, and clients may have to be given to it
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace gatehouse::gateway
