#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/socket.h"

namespace gatehouse::net {

/// How several processes share the clients of one listening socket. The kernel wakes the process that stands first in the
/// socket's line, again and again (EPOLLEXCLUSIVE), and clients stay for long; so each process notes in memory that all of them
/// share how many clients it has, and one that has clearly more than another leaves the listener to that one (Loop::listen()).
///
/// Nobody is trusted to do what it announces: who was left clients and takes none is left out until it takes one.
///
/// Thread rule: one thread in each process.
class AcceptShare {
 public:
  static constexpr std::size_t kMostProcesses = 256;  // those beyond take part in nothing, and accept as they are woken

  /// The memory, empty, for all processes of one listener. Fails when the system has none.
  static Result<Socket> make_memory();

  /// `memory` is made by make_memory(); it may be closed afterwards. `index` is this process's place among them, which another
  /// one may have had before. Where the memory cannot be mapped this process takes part in nothing.
  AcceptShare(const Socket& memory, std::size_t index);
  AcceptShare(const AcceptShare&) = delete;
  AcceptShare& operator=(const AcceptShare&) = delete;
  /// This process takes no more.
  ~AcceptShare();

  /// How many clients this process has, and whether there is room for more.
  void set_clients(std::uint32_t clients, bool has_room) {
    if (mine_ == nullptr) return;
    mine_->clients.store(clients, std::memory_order_relaxed);
    if (has_room != has_room_) set_room(has_room);
  }
  /// Called whenever there is room no more, or again.
  void when_room_changes(std::function<void()> callback) { on_room_ = std::move(callback); }
  [[nodiscard]] bool has_room() const { return has_room_; }
  /// For the time being it accepts nothing, for a reason of its own: short of descriptors, closed.
  void set_open(bool is_open);
  /// It has taken a client.
  void took() {
    if (mine_ != nullptr) mine_->taken.fetch_add(1, std::memory_order_relaxed);
  }

  /// Whether another process takes clients.
  [[nodiscard]] bool has_takers() const;
  /// Whether new clients are better left to another process: this one has no room, or clearly more than the one with the fewest.
  [[nodiscard]] bool is_ahead() const;

  /// This process leaves the listener to others from now on: what they take is watched from here.
  void begin_watching();
  /// Whether one of those for whose sake this process holds back has taken a client since it was last asked.
  [[nodiscard]] bool others_move();
  /// They are left out until they take a client.
  void leave_out_others();

 private:
  struct alignas(64) Place {
    std::atomic<std::uint32_t> clients;
    std::atomic<std::uint32_t> taken;    // counts up
    std::atomic<std::uint32_t> is_open;  // takes clients: 1
  };
  /// What this process knows of another.
  struct Seen {
    std::uint32_t taken = 0;
    bool is_left_out = false;
  };
  struct Memory {
    std::array<Place, kMostProcesses> places;
    std::atomic<std::uint32_t> used;  // no place behind these has ever been used
  };

  void set_room(bool has_room);
  void publish();
  [[nodiscard]] std::size_t used() const;
  [[nodiscard]] bool takes(std::size_t place) const;
  [[nodiscard]] bool is_behind(std::size_t place) const;
  static std::uint32_t slack(std::uint32_t clients);

  Memory* memory_ = nullptr;
  Place* mine_ = nullptr;
  std::size_t index_;
  std::vector<Seen> seen_;
  std::function<void()> on_room_;
  bool has_room_ = true;
  bool is_open_ = false;
};

}  // namespace gatehouse::net
