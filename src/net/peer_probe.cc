#include "net/peer_probe.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace gatehouse::net {

bool peer_has_ended(int fd) {
  pollfd socket{.fd = fd, .events = POLLRDHUP, .revents = 0};
  return ::poll(&socket, 1, 0) > 0 && (socket.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void probe_peer(int fd) {
  constexpr int kOn = 1;
  constexpr int kPeriodS = 1;
  constexpr int kTimes = 3;
  // With bytes in flight nothing is probed (tcp(7)); this ends it then.
  constexpr unsigned kMostMs = 4'000;
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kMostMs, sizeof kMostMs);
  (void)::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &kOn, sizeof kOn);
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kPeriodS, sizeof kPeriodS);
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kPeriodS, sizeof kPeriodS);
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kTimes, sizeof kTimes);
}

}  // namespace gatehouse::net
