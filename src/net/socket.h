#pragma once

#include <utility>

#include "base/result.h"
#include "net/endpoint.h"

namespace gatehouse::net {

/// Owns a file descriptor and closes it.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// A listening TCP socket: non-blocking, close-on-exec, SO_REUSEADDR. Port 0 takes a free one; see local_address().
/// An IPv6 wildcard also takes IPv4 clients. Fails with the endpoint and the system's reason in the message.
Result<Socket> listen_tcp(const Endpoint& endpoint, int backlog = 4096);
/// Has connections to a listening socket refused, in all processes that have it, until listen_again(); its address stays taken
/// when its port was asked for by number. Those that wait to be accepted are reset. A no-op for one that does not listen.
void stop_listening(int fd);
void listen_again(int fd, int backlog = 4096);

/// A non-blocking TCP socket whose connect has been started.
Result<Socket> start_connect(const Endpoint& endpoint);

/// The address a socket is bound to.
Address local_address(int fd);

/// No delay (Nagle off) and keep-alive probes after 55 s, as upstream sets them.
void set_stream_options(int fd);

}  // namespace gatehouse::net
