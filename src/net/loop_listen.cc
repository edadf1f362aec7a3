// The part of Loop that brings connections into being: listeners, accepting, dialling.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "net/loop.h"

namespace gatehouse::net {
namespace {

// One registration for a connection's life. Edge-triggered: an event is told once, and read() and flush() go on until the
// kernel has no more or takes no more.
constexpr std::uint32_t kConnectionEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

bool is_shortage(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

bool somebody_waits(int listener) {
  pollfd poll{.fd = listener, .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, 0) > 0;
}

[[noreturn]] void throw_no_listener() { throw std::system_error(errno, std::generic_category(), "epoll_ctl on a listener"); }

}  // namespace

ListenerId Loop::listen(Socket listener, ConnectionHandler& handler, std::uint32_t tag, AcceptShare* share) {
  // Accepted sockets inherit these (tcp(7), Linux), which saves five system calls for each.
  set_stream_options(listener.fd());
  listeners_.push_back(Listener{.socket = std::move(listener), .handler = &handler, .tag = tag, .wanted = true, .share = share});
  const auto index = static_cast<std::uint32_t>(listeners_.size() - 1);
  if (!set_accepting(listeners_[index], index, true)) throw_no_listener();
  if (share != nullptr) {
    share->set_open(true);
    share->when_room_changes([this, index] { on_room(index); });
  }
  return {index};
}

void Loop::close_listener(ListenerId id) {
  Listener& listener = listeners_[id.index];
  (void)set_accepting(listener, id.index, false);  // what goes out of the set was in it
  listener.wanted = false;
  listener.socket = Socket();
  if (listener.share != nullptr) listener.share->set_open(false);
}

void Loop::shut_listener(ListenerId id) {
  if (listeners_[id.index].socket.valid()) stop_listening(listeners_[id.index].socket.fd());
  close_listener(id);
}

void Loop::pause_listener(ListenerId id) {
  Listener& listener = listeners_[id.index];
  listener.wanted = false;
  (void)set_accepting(listener, id.index, false);
  if (listener.share != nullptr) listener.share->set_open(false);
}

void Loop::resume_listener(ListenerId id) {
  if (!listeners_[id.index].socket.valid()) return;
  Listener& listener = listeners_[id.index];
  listener.wanted = true;
  if (!set_accepting(listener, id.index, true)) throw_no_listener();
  if (listener.share != nullptr) listener.share->set_open(true);
}

void Loop::take_those_that_wait(ListenerId id) {
  const Listener& listener = listeners_[id.index];
  if (listener.share == nullptr || !listener.registered) return;
  if (!listener.share->has_room() && listener.share->has_takers()) return step_aside(id.index, kFullPauseMs);
  if (somebody_waits(listener.socket.fd())) accept_from(id.index);
}

/// False, with errno, when the kernel has no room for it.
bool Loop::set_accepting(Listener& listener, std::uint32_t index, bool accepting) {
  if (listener.registered == accepting || !listener.socket.valid()) return true;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLEXCLUSIVE;
  event.data.u64 = pack(Kind::listener, index, 0);
  if (epoll_ctl(epoll_.fd(), accepting ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener.socket.fd(), &event) != 0) return false;
  listener.registered = accepting;
  return true;
}

void Loop::accept_from(std::uint32_t index) {
  const bool is_pressed = std::exchange(listeners_[index].is_pressed, false);
  for (int accepted = 0; accepted < kAcceptBatch; ++accepted) {
    Listener& listener = listeners_[index];
    if (!listener.registered) return;  // closed or paused, maybe by the handler of the last one
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    const int fd = accept4(listener.socket.fd(), reinterpret_cast<sockaddr*>(&storage), &length,  // NOLINT: the C API
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      if (is_shortage(errno)) return out_of_descriptors(listener, index);
      // ECONNABORTED, EINTR, EPROTO and network errors belong to that one connection (accept(2), "Error handling").
      continue;
    }
    Socket socket(fd);
    const Address peer = Address::from_sockaddr(storage);
    if (!listener.handler->lets_in(peer)) continue;
    Connection* connection = add_connection(std::move(socket), *listener.handler, listener.tag, Connection::State::open);
    if (connection == nullptr) return out_of_descriptors(listener, index);
    connection->peer_ = peer;
    AcceptShare* const share = listener.share;
    if (share != nullptr) share->took();
    listener.handler->on_open(*connection);
    // Not before: each process that the kernel has woken takes at least one, so that nobody waits whose call woke one that left.
    if (share != nullptr && !is_pressed && share->is_ahead()) return step_aside(index, listeners_[index].aside_ms);
  }
}

/// Leaves what comes to other processes, and looks again after `look_ms`.
void Loop::step_aside(std::uint32_t index, int look_ms) {
  Listener& listener = listeners_[index];
  if (!listener.registered) return;
  (void)set_accepting(listener, index, false);
  listener.share->begin_watching();
  listener.waiting_since_ms = 0;
  listener.stuck_since_ms = 0;
  look_later(index, look_ms);
}

void Loop::look_later(std::uint32_t index, int look_ms) {
  cancel(listeners_[index].look);
  listeners_[index].look = after(std::chrono::milliseconds(look_ms), [this, index] { look_again(index); });
}

/// Whether to take clients again, as the process that comes last in the line.
void Loop::look_again(std::uint32_t index) {
  Listener& listener = listeners_[index];
  if (!listener.wanted || listener.registered) return;
  AcceptShare& share = *listener.share;
  if (listener.is_short) {
    listener.is_short = !Socket(::open("/dev/null", O_RDONLY | O_CLOEXEC)).valid();
    if (!listener.is_short) share.set_open(true);
  }
  const auto passed = [this](std::uint64_t since, int most) {
    return since != 0 && now_ms_ - since >= static_cast<std::uint64_t>(most);
  };
  const bool waits = somebody_waits(listener.socket.fd());
  const bool is_stuck = waits && !share.others_move();
  if (!waits) listener.waiting_since_ms = 0;
  if (!is_stuck) listener.stuck_since_ms = 0;
  if (waits && listener.waiting_since_ms == 0) listener.waiting_since_ms = now_ms_;
  if (is_stuck && listener.stuck_since_ms == 0) listener.stuck_since_ms = now_ms_;

  int next_ms = 1;
  if (listener.is_short) {
    if (passed(listener.stuck_since_ms, kPatienceMs) || (waits && !share.has_takers())) refuse_those_that_wait(listener);
    next_ms = kListenerPauseMs;
  } else if (!waits && !share.has_room()) {
    next_ms = kFullPauseMs;  // to refuse somebody is early enough when somebody is there
  } else if (!waits || !share.is_ahead()) {
    return come_back(index);
  } else if (passed(listener.stuck_since_ms, kPatienceMs)) {
    share.leave_out_others();
    listener.is_pressed = true;
    return come_back(index);
  } else if (passed(listener.waiting_since_ms, kMostWaitingMs)) {
    listener.is_pressed = true;
    return come_back(index);
  }
  look_later(index, next_ms);
}

void Loop::come_back(std::uint32_t index) {
  Listener& listener = listeners_[index];
  listener.aside_ms = listener.share->is_ahead() ? std::min(2 * listener.aside_ms, kMostAsideMs) : 1;
  if (!set_accepting(listener, index, true)) look_later(index, kListenerPauseMs);
}

/// The process has become full, or is full no longer.
void Loop::on_room(std::uint32_t index) {
  Listener& listener = listeners_[index];
  if (!listener.wanted || listener.is_short) return;
  if (listener.share->has_room()) return come_back(index);
  if (listener.share->has_takers()) step_aside(index, kFullPauseMs);
}

void Loop::out_of_descriptors(Listener& listener, std::uint32_t index) {
  if (listener.share != nullptr && listener.share->has_takers()) {
    listener.is_short = true;
    listener.share->set_open(false);
    if (refusal_log_.take_helpless(now_ms_)) {
      log_.warning("out of file descriptors or memory with {} connections: new ones are left to the other processes of the port",
                   connections_.size());
    }
    return step_aside(index, kListenerPauseMs);
  }
  // A connection that waits in the backlog would keep a level-triggered listener ready for ever. The spare descriptor lets it be
  // accepted and closed at once, so its client hears a refusal; then accepting rests, so that the CPU stays calm.
  refuse_those_that_wait(listener);
  (void)set_accepting(listener, index, false);
  after(std::chrono::milliseconds(kListenerPauseMs), [this, index] {
    if (listeners_[index].wanted && !set_accepting(listeners_[index], index, true)) out_of_descriptors(listeners_[index], index);
  });
}

void Loop::refuse_those_that_wait(Listener& listener) {
  spare_ = Socket();
  int refused = 0;
  while (refused < kAcceptBatch && refuse_one(listener)) ++refused;
  const bool is_helpless = refused == 0 && is_shortage(errno);
  spare_ = Socket(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  log_refusals();
  if (is_helpless && refusal_log_.take_helpless(now_ms_)) {
    log_.warning("out of file descriptors or memory with {} connections: new ones wait, as there is not even room to refuse them",
                 connections_.size());
  }
}

void Loop::log_refusals() {
  const std::uint64_t refused = refusal_log_.take(now_ms_, refused_);
  if (refused == 0) return;
  log_.warning("out of file descriptors or memory with {} connections: {} new ones refused; raise the limit (ulimit -n)",
               connections_.size(), refused);
  after(std::chrono::milliseconds(RefusalLog::kPeriodMs), [this] { log_refusals(); });
}

/// False when nobody waits, or there is not even room for that.
bool Loop::refuse_one(Listener& listener) {
  const int fd = ::accept(listener.socket.fd(), nullptr, nullptr);
  if (fd < 0) return false;
  if (const std::string_view words = listener.handler->refusal(); !words.empty()) {
    // What it has said already is taken away: unread, it would make a reset of the close, which may overtake the words.
    (void)::recv(fd, receive_buffer_->bytes, kReadSize, MSG_DONTWAIT);
    iovec piece{const_cast<char*>(words.data()), words.size()};  // NOLINT: sendmsg only reads
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    (void)::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  ::close(fd);
  ++refused_;
  return true;
}

ConnectionId Loop::dial(const Endpoint& endpoint, ConnectionHandler& handler, std::uint32_t tag, TlsContext* tls) {
  auto socket = start_connect(endpoint);
  const int error = socket ? 0 : socket.error().os_error;
  if (socket) set_stream_options(socket->fd());
  Connection* connection = add_connection(socket ? std::move(*socket) : Socket(), handler, tag, Connection::State::connecting);
  connection->peer_ = endpoint.to_address();
  if (tls != nullptr) begin_tls(*connection, *tls, true);
  if (!socket) end(*connection, CloseCause::connect_failed, error);
  return connection->id();
}

ConnectionId Loop::adopt(Socket socket, ConnectionHandler& handler, std::uint32_t tag) {
  const int flags = fcntl(socket.fd(), F_GETFL);
  (void)fcntl(socket.fd(), F_SETFL, flags | O_NONBLOCK);
  Connection* connection = add_connection(std::move(socket), handler, tag, Connection::State::open);
  if (connection == nullptr) throw std::system_error(errno, std::generic_category(), "epoll_ctl on an adopted socket");
  return connection->id();
}

Connection* Loop::add_connection(Socket socket, ConnectionHandler& handler, std::uint32_t tag, Connection::State state) {
  Connection& connection = connections_.add();
  connection.loop_ = this;
  connection.handler_ = &handler;
  connection.tag = tag;
  connection.state_ = state;
  if (socket.valid()) {
    epoll_event event{};
    event.events = kConnectionEvents;
    event.data.u64 = pack(Kind::connection, connection.slot_, connection.generation_);
    if (epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, socket.fd(), &event) != 0) {
      const int error = errno;
      if (state == Connection::State::connecting) {
        end(connection, CloseCause::connect_failed, error);
        return &connection;
      }
      connections_.remove(connection);
      return nullptr;
    }
    connection.fd_ = socket.release();
  }
  return &connection;
}

}  // namespace gatehouse::net
