#pragma once

// For tests only: running a loop until something is true, a handler that records, and plain sockets for the other end.

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/loop.h"

namespace gatehouse::net::testing {

using std::chrono::milliseconds;

/// Waits outside the loop until the peer's bytes or its end are in the kernel's hands, so that one event tells of all.
[[nodiscard]] inline bool wait_readable(int fd, short events) {
  pollfd poll{.fd = fd, .events = events, .revents = 0};
  return ::poll(&poll, 1, 10'000) == 1;
}

/// Runs the loop until `condition` holds, asked about every millisecond. False when that takes longer than `deadline`.
inline bool run_until(Loop& loop, const std::function<bool()>& condition, milliseconds deadline = milliseconds(20'000)) {
  if (condition()) return true;
  bool held = false;
  const auto end = std::chrono::steady_clock::now() + deadline;
  const TimerId check = loop.every(milliseconds(1), [&] {
    held = condition();
    if (held || std::chrono::steady_clock::now() > end) loop.stop();
  });
  loop.run();
  loop.cancel(check);
  return held;
}

/// Runs the loop for a time during which nothing is supposed to happen. Wakes it once.
inline void run_for(Loop& loop, milliseconds time) {
  loop.after(time, [&loop] { loop.stop(); });
  loop.run();
}

/// Bytes that differ at every offset, so that a lost, doubled or swapped piece shows.
inline std::string pattern(std::size_t size, std::uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

/// Records what happens; each event can be given something to do.
class Recorder : public ConnectionHandler {
 public:
  struct Closed {
    ConnectionId id;
    CloseCause cause;
    int error;
  };

  std::function<void(Connection&)> when_open;
  std::function<std::size_t(Connection&, std::span<char>, std::size_t)> when_data;  // unset: everything is consumed
  std::function<void(Connection&, CloseCause)> when_closed;
  std::function<void(Connection&)> when_drained;

  std::vector<ConnectionId> opened;
  std::vector<Closed> closed;
  std::string received;  // by all connections together, as consumed
  int drained = 0;

  void on_open(Connection& connection) override {
    opened.push_back(connection.id());
    if (when_open) when_open(connection);
  }
  std::size_t on_data(Connection& connection, std::span<char> bytes, std::size_t seen) override {
    const std::string before(bytes.data(), bytes.size());
    const std::size_t consumed = when_data ? when_data(connection, bytes, seen) : bytes.size();
    received.append(before, 0, consumed);
    return consumed;
  }
  void on_close(Connection& connection, CloseCause cause, int error) override {
    closed.push_back({connection.id(), cause, error});
    if (when_closed) when_closed(connection, cause);
  }
  void on_drain(Connection& connection) override {
    ++drained;
    if (when_drained) when_drained(connection);
  }

  [[nodiscard]] int times_closed(ConnectionId id) const {
    int count = 0;
    for (const Closed& each : closed) count += each.id == id ? 1 : 0;
    return count;
  }
};

/// A listener on a free port of 127.0.0.1.
struct LocalListener {
  LocalListener() : socket(listen_tcp(*Endpoint::parse_numeric("127.0.0.1:0")).value()) {
    endpoint = *Endpoint::parse_numeric(local_address(socket.fd()).to_string());
  }
  Socket socket;
  Endpoint endpoint;
};

/// The other end of a connection as a plain non-blocking socket, so that the test decides when it reads and writes.
class RawPeer {
 public:
  explicit RawPeer(const Endpoint& endpoint, int receive_buffer = 0) {
    socket_ = Socket(::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0) setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    // Blocking: the kernel completes a loopback connect without the listener's program.
    connected_ = ::connect(socket_.fd(), endpoint.address(), endpoint.length()) == 0;
    (void)fcntl(socket_.fd(), F_SETFL, O_NONBLOCK);
  }
  explicit RawPeer(Socket socket) : socket_(std::move(socket)), connected_(true) {
    (void)fcntl(socket_.fd(), F_SETFL, O_NONBLOCK);
  }

  [[nodiscard]] int fd() const { return socket_.fd(); }
  [[nodiscard]] bool connected() const { return connected_; }

  /// Returns how many bytes the kernel took.
  std::size_t write(std::string_view bytes) {
    const ssize_t sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }
  /// Reads at most `most` bytes of what is there into `received`; notes the end.
  void read(std::size_t most = SIZE_MAX) {
    char buffer[64 * 1024];
    while (most > 0 && !ended && error == 0) {
      const ssize_t got = ::recv(fd(), buffer, std::min(most, sizeof buffer), 0);
      if (got < 0) {
        if (errno != EAGAIN) error = errno;
        return;
      }
      ended = got == 0;
      received.append(buffer, static_cast<std::size_t>(got));
      most -= static_cast<std::size_t>(got);
    }
  }
  void finish_writing() { ::shutdown(fd(), SHUT_WR); }
  void close() { socket_ = Socket(); }
  /// Closes with a reset instead of a FIN.
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }

  std::string received;
  bool ended = false;
  int error = 0;

 private:
  Socket socket_;
  bool connected_ = false;
};

/// A loop, a listener and one accepted connection with a raw peer.
struct AcceptedPair {
  explicit AcceptedPair(int receive_buffer = 0) : loop(Log("test")) {
    loop.listen(std::move(listener.socket), server);
    peer.emplace_back(listener.endpoint, receive_buffer);
    run_until(loop, [&] { return !server.opened.empty(); });
  }
  [[nodiscard]] RawPeer& client() { return peer.front(); }
  [[nodiscard]] ConnectionId id() const { return server.opened.at(0); }
  [[nodiscard]] Connection* connection() { return loop.find(id()); }
  [[nodiscard]] bool run_until_closed() {
    return run_until(loop, [&] { return !server.closed.empty(); });
  }

  Recorder server;
  LocalListener listener;
  std::vector<RawPeer> peer;
  Loop loop;
};

}  // namespace gatehouse::net::testing
