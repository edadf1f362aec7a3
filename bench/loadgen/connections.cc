#include "connections.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "clock.h"

namespace loadgen {
namespace {

/// Connections that once had much to send do not keep the memory of it.
constexpr std::size_t kOutputKept = 65536;
constexpr std::uint32_t kFirstSource = 0x7f000002;  // 127.0.0.2: 127.0.0.1 is everybody's

bool is_established(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_ESTABLISHED;
}

}  // namespace

Connections::Connections(RunState& run, Statistics& statistics, std::uint32_t first_id, std::size_t count, bool has_publisher)
    : run_(run),
      statistics_(statistics),
      is_churn_(run.options.mode == Mode::churn),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      all_(count) {
  std::uint32_t next_id = first_id;
  for (Connection& connection : all_) {
    connection.url = &run.options.url;
    connection.id = next_id++;
    if (!run.options.is_fan_out()) connection.sent_at_ns = std::make_unique<std::uint64_t[]>(run.options.depth);
  }
  if (has_publisher) {
    publisher_ = &all_.back();
    publisher_->is_publisher = true;
    if (run.options.publisher_url) publisher_->url = &*run.options.publisher_url;
  }
}

Connections::~Connections() { ::close(epoll_fd_); }

bool Connections::connect(Connection& connection) {
  connection.started_ns = now_ns();
  lower_to(run_.first_connect_ns, connection.started_ns);
  attempts_++;
  if (!is_churn_) being_set_up_++;
  connection.state = State::connecting;
  connection.sent = connection.received = connection.next_sequence = 0;
  if (!open_socket(connection)) return false;
  const auto* address = reinterpret_cast<const sockaddr*>(&connection.url->address);
  const int result = ::connect(connection.fd, address, sizeof connection.url->address);
  if (result < 0 && errno != EINPROGRESS) {
    fail(connection, Count::connect_failed, "connect", errno);
    return false;
  }
  // On loopback the three-way handshake is usually over by now: look, and save a round of EPOLLOUT.
  const bool is_there = result == 0 || is_established(connection.fd);
  connection.is_connecting = connection.wants_output = !is_there;
  epoll_event event{};
  event.events = EPOLLIN;
  if (!is_there) event.events |= EPOLLOUT;
  event.data.ptr = &connection;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, connection.fd, &event) < 0) {
    fail(connection, Count::connect_failed, "epoll_ctl", errno);
    return false;
  }
  return is_there;
}

bool Connections::open_socket(Connection& connection) {
  connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connection.fd < 0) {
    fail(connection, Count::connect_failed, "socket", errno);
    return false;
  }
  const int on = 1;
  setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return run_.options.sources == 0 || bind_source(connection);
}

bool Connections::bind_source(Connection& connection) {
  // In churn a connection takes another source each time, as it is the ports of the past connections that run out.
  const std::uint64_t number = (is_churn_ ? attempts_ : connection.id) % run_.options.sources;
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(kFirstSource + static_cast<std::uint32_t>(number));
  const int on = 1;
  setsockopt(connection.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);  // a port may serve several targets then
  if (bind(connection.fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) == 0) return true;
  fail(connection, Count::connect_failed, "bind", errno);
  return false;
}

bool Connections::finish_connect(Connection& connection, bool is_writable) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    fail(connection, Count::connect_failed, "connect", error);
    return false;
  }
  if (!is_writable) return false;
  connection.is_connecting = false;
  watch_output(connection, false);
  return true;
}

void Connections::send(Connection& connection, std::string_view bytes) {
  if (!connection.is_open()) return;
  if (connection.output_sent < connection.output.size()) {
    connection.output.append(bytes);
    return;
  }
  while (!bytes.empty()) {
    const ssize_t sent = ::send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      connection.output.assign(bytes);
      connection.output_sent = 0;
      return watch_output(connection, true);
    } else if (errno != EINTR) {
      return fail(connection, Count::reset, "send", errno);
    }
  }
}

void Connections::send_rest(Connection& connection) {
  while (connection.output_sent < connection.output.size()) {
    const ssize_t sent = ::send(connection.fd, connection.output.data() + connection.output_sent,
                                connection.output.size() - connection.output_sent, MSG_NOSIGNAL);
    if (sent >= 0)
      connection.output_sent += static_cast<std::size_t>(sent);
    else if (errno == EAGAIN)
      return;
    else if (errno != EINTR)
      return fail(connection, Count::reset, "send", errno);
  }
  connection.output.clear();
  connection.output_sent = 0;
  if (connection.output.capacity() > kOutputKept) connection.output.shrink_to_fit();
  watch_output(connection, false);
}

void Connections::watch_output(Connection& connection, bool on) {
  if (connection.wants_output == on) return;
  connection.wants_output = on;
  epoll_event event{};
  event.events = EPOLLIN;
  if (on) event.events |= EPOLLOUT;
  event.data.ptr = &connection;
  epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, connection.fd, &event);
}

void Connections::mark_up(Connection& connection) {
  settle(connection);
  connection.state = State::up;
  run_.connections_up++;
  const std::uint64_t time_ns = now_ns();
  raise_to(run_.last_up_ns, time_ns);
  statistics_.connecting.add(time_ns - connection.started_ns);
}

void Connections::settle(Connection& connection) {
  if (is_churn_ || !connection.is_setting_up()) return;
  being_set_up_--;
  settled_++;
}

void Connections::close(Connection& connection) {
  if (connection.is_open()) ::close(connection.fd);
  connection.fd = -1;
  connection.input.clear();
  connection.output.clear();
  connection.output_sent = 0;
  connection.fragments.reset();
  connection.wants_output = connection.is_connecting = false;
  if (connection.state == State::up && !connection.is_publisher) run_.subscribers_gone++;
  settle(connection);
  connection.state = State::dead;
}

void Connections::fail(Connection& connection, Count count, const char* problem, int error) {
  statistics_[count]++;
  char text[160];
  std::snprintf(text, sizeof text, "conn %u (state %d): %s%s%s", connection.id, static_cast<int>(connection.state), problem,
                error != 0 ? ": " : "", error != 0 ? std::strerror(error) : "");
  run_.first_error.note(text);
  close(connection);
}

}  // namespace loadgen
