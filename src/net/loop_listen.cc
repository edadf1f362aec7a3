// The part of Loop that brings connections into being: listeners, accepting, dialling.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "net/loop.h"

namespace gatehouse::net {
namespace {

// One registration for a connection's life. Edge-triggered: an event is told once, and read() and flush() go on until the
// kernel has no more or takes no more.
constexpr std::uint32_t kConnectionEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

bool is_shortage(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

[[noreturn]] void throw_no_listener() { throw std::system_error(errno, std::generic_category(), "epoll_ctl on a listener"); }

}  // namespace

ListenerId Loop::listen(Socket listener, ConnectionHandler& handler, std::uint32_t tag) {
  // Accepted sockets inherit these (tcp(7), Linux), which saves five system calls for each.
  set_stream_options(listener.fd());
  listeners_.push_back(Listener{std::move(listener), &handler, tag, false, true});
  const auto index = static_cast<std::uint32_t>(listeners_.size() - 1);
  if (!set_accepting(listeners_[index], index, true)) throw_no_listener();
  return {index};
}

void Loop::close_listener(ListenerId id) {
  Listener& listener = listeners_[id.index];
  (void)set_accepting(listener, id.index, false);  // what goes out of the set was in it
  listener.wanted = false;
  listener.socket = Socket();
}

void Loop::shut_listener(ListenerId id) {
  if (listeners_[id.index].socket.valid()) stop_listening(listeners_[id.index].socket.fd());
  close_listener(id);
}

void Loop::pause_listener(ListenerId id) {
  listeners_[id.index].wanted = false;
  (void)set_accepting(listeners_[id.index], id.index, false);
}

void Loop::resume_listener(ListenerId id) {
  if (!listeners_[id.index].socket.valid()) return;
  listeners_[id.index].wanted = true;
  if (!set_accepting(listeners_[id.index], id.index, true)) throw_no_listener();
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
    listener.handler->on_open(*connection);
  }
}

void Loop::out_of_descriptors(Listener& listener, std::uint32_t index) {
  // A connection that waits in the backlog would keep a level-triggered listener ready for ever. The spare descriptor lets it be
  // accepted and closed at once, so its client hears a refusal; then accepting rests, so that the CPU stays calm.
  spare_ = Socket();
  int refused = 0;
  while (refused < kAcceptBatch && refuse_one(listener)) ++refused;
  const bool is_helpless = refused == 0 && is_shortage(errno);
  spare_ = Socket(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  (void)set_accepting(listener, index, false);
  after(std::chrono::milliseconds(kListenerPauseMs), [this, index] {
    if (listeners_[index].wanted && !set_accepting(listeners_[index], index, true)) out_of_descriptors(listeners_[index], index);
  });
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
