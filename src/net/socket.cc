#include "net/socket.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>

namespace gatehouse::net {
namespace {

void set_int(int fd, int level, int option, int value) {
  // A socket without one of these options works all the same, so the result does not matter.
  (void)setsockopt(fd, level, option, &value, sizeof value);
}

bool is_listening(int fd) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0;
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Socket> listen_tcp(const Endpoint& endpoint, int backlog) {
  const std::string what = "cannot listen on " + endpoint.to_string();
  Socket socket(::socket(endpoint.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return os_failure(what, errno);
  set_int(socket.fd(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (endpoint.family() == AF_INET6) set_int(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (::bind(socket.fd(), endpoint.address(), endpoint.length()) != 0) return os_failure(what, errno);
  if (::listen(socket.fd(), backlog) != 0) return os_failure(what, errno);
  return socket;
}

void stop_listening(int fd) {
  // Of a socket that does not listen it would be remembered, and connections that it accepts later would have ended at once.
  if (is_listening(fd)) (void)::shutdown(fd, SHUT_RDWR);
}

void listen_again(int fd, int backlog) {
  if (is_listening(fd)) return;
  // Two processes may have stopped it in the same moment: this forgets what is remembered of it (connect(2), AF_UNSPEC).
  const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
  (void)::connect(fd, &nobody, sizeof nobody);
  (void)::listen(fd, backlog);
}

Result<Socket> start_connect(const Endpoint& endpoint) {
  const std::string what = "cannot connect to " + endpoint.to_string();
  Socket socket(::socket(endpoint.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return os_failure(what, errno);
  if (::connect(socket.fd(), endpoint.address(), endpoint.length()) != 0 && errno != EINPROGRESS) return os_failure(what, errno);
  return socket;
}

Address local_address(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};  // NOLINT: the C API
  return Address::from_sockaddr(storage);
}

void set_stream_options(int fd) {
  set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 55);
  set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, 55);
  set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 1);
}

}  // namespace gatehouse::net
