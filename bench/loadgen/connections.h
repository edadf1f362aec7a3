#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "connection.h"
#include "run_state.h"
#include "statistics.h"

namespace loadgen {

/// The connections of one worker: their sockets in one epoll, what they have not sent yet, and how many are still being set up.
class Connections {
 public:
  /// `count` of them with ids from `first_id`; the last one is the publisher when `has_publisher`.
  Connections(RunState& run, Statistics& statistics, std::uint32_t first_id, std::size_t count, bool has_publisher);
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;
  ~Connections();

  [[nodiscard]] int epoll_fd() const { return epoll_fd_; }
  [[nodiscard]] Statistics& statistics() { return statistics_; }
  [[nodiscard]] std::vector<Connection>& all() { return all_; }
  [[nodiscard]] const std::vector<Connection>& all() const { return all_; }
  [[nodiscard]] Connection* publisher() { return publisher_; }

  /// Begins a connection. True when it is there already, as mostly on loopback; otherwise finish_connect() follows.
  bool connect(Connection& connection);
  /// After an event of a connection that is_connecting. True when it is there now.
  bool finish_connect(Connection& connection, bool is_writable);

  /// Keeps what the system does not take. Does nothing on a closed connection.
  void send(Connection& connection, std::string_view bytes);
  /// After EPOLLOUT.
  void send_rest(Connection& connection);

  /// The end of the set-up.
  void mark_up(Connection& connection);
  void close(Connection& connection);
  /// Closes, counts and describes; `error` is an errno, when one says more.
  void fail(Connection& connection, Count count, const char* problem, int error = 0);

  /// How many are under way to up, and how many have come there or failed. Not kept for churn, which sets up all the time.
  [[nodiscard]] std::size_t being_set_up() const { return being_set_up_; }
  [[nodiscard]] bool all_settled() const { return settled_ == all_.size(); }

 private:
  bool open_socket(Connection& connection);
  bool bind_source(Connection& connection);
  void watch_output(Connection& connection, bool on);
  void settle(Connection& connection);

  RunState& run_;
  Statistics& statistics_;
  const bool is_churn_;
  const int epoll_fd_;
  std::vector<Connection> all_;
  Connection* publisher_ = nullptr;
  std::uint64_t attempts_ = 0;
  std::size_t being_set_up_ = 0;
  std::size_t settled_ = 0;
};

}  // namespace loadgen
