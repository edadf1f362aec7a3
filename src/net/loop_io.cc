// The part of Loop that moves bytes: reading within a budget, keeping what is incomplete, writing what is queued, ending.
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <utility>

#include "net/descriptors_lost.h"
#include "net/loop.h"
#include "net/tls_session.h"

namespace gatehouse::net {
namespace {

constexpr int kMostPieces = 256;  // of one sendmsg; more go into the next one
// A handler that lets this many bytes lie has no limit of its own; sizes are kept in 32 bits.
constexpr std::uint32_t kMostUnread = 1U << 30;

// Connections that are written without a look at the clock.
constexpr std::size_t kFlushedUntimed = 32;

// Nobody who waits for the answer to a first message of TLS has said so much.
constexpr std::size_t kMostBeforeHandshake = 64 * 1024;

ssize_t send_pieces(int fd, const OutQueue& queue) {
  std::array<iovec, kMostPieces> pieces;  // NOLINT(cppcoreguidelines-pro-type-member-init): gather fills it
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = static_cast<std::size_t>(queue.gather(pieces.data(), kMostPieces));
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

bool is_transient(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

/// What the kernel has taken from us and the peer has not acknowledged yet.
std::uint64_t unacknowledged_bytes(int fd) {
  int bytes = 0;
  return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;  // NOLINT: ioctl is variadic
}

}  // namespace

void Loop::on_connection_event(Connection& connection, std::uint32_t events) {
  const bool is_dialling =
      connection.state_ == Connection::State::connecting && (connection.tls_ == nullptr || !connection.tls_->is_reached());
  if (is_dialling) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(connection.fd_, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return end(connection, CloseCause::connect_failed, error);
    if (connection.tls_ != nullptr) {
      connection.want_until_end_ = (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
      return want_handshake(connection);
    }
    connection.state_ = Connection::State::open;
    connection.handler_->on_open(connection);
    if (connection.out_ != nullptr) mark_dirty(connection);
  } else if ((events & EPOLLOUT) != 0 && connection.write_blocked_) {
    connection.write_blocked_ = false;
    mark_dirty(connection);
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    connection.want_until_end_ = true;
    // One that has said its last, and is kept for what is still to be said to it: it does not take that.
    const bool is_kept = connection.peer_ended_ && connection.state_ == Connection::State::open;
    if (is_kept && (events & (EPOLLHUP | EPOLLERR)) != 0) return end(connection, CloseCause::connection_lost, ECONNRESET);
  }
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    // Its handshake goes on while it is paused: nothing of that is the handler's.
    if (connection.tls_ != nullptr && !connection.tls_->is_established()) return want_handshake(connection);
    // One that stands in the still-ready list is read from there, so that no iteration gives it two budgets.
    if (connection.paused_ || connection.ready_) {
      connection.missed_ = true;
    } else {
      read(connection);
    }
  }
}

void Loop::read(Connection& connection) {
  if (connection.tls_ != nullptr && !connection.tls_->is_established()) return want_handshake(connection);
  std::size_t budget = kReadBudget;
  while (!connection.paused_ &&
         (connection.state_ == Connection::State::open || connection.state_ == Connection::State::flushing ||
          connection.state_ == Connection::State::lingering)) {
    if (budget == 0) {
      connection.missed_ = true;  // whatever a pause() or resume() in between says: nothing else will announce what is left
      return read_on_later(connection);
    }
    if (connection.in_size_ > kMostUnread) return end(connection, CloseCause::connection_lost, EMSGSIZE);

    // What is left of the last read goes in front of what comes now, in one piece: a little is copied into the padding of the
    // loop's buffer, much stays in the connection's own buffer and the kernel writes behind it.
    const bool in_own_buffer = connection.in_size_ > kReadPadding;
    char* start = receive_buffer_->bytes + kReadPadding - (in_own_buffer ? 0 : connection.in_size_);
    // A record of TLS is opened as a whole.
    const std::size_t least = connection.tls_ == nullptr ? 0 : TlsSession::kLeastRoom;
    const std::size_t most = connection.reads_little_ ? kLittleRead + 2 * least : kReadSize;
    std::size_t room = most;
    if (in_own_buffer) {
      if (connection.in_capacity_ - connection.in_size_ < std::max<std::size_t>(connection.in_size_ / 2, least)) {
        reserve_input(connection, std::size_t{connection.in_size_} * 2 + least);
      }
      start = connection.in_;
      room = std::min<std::size_t>(connection.in_capacity_ - connection.in_size_, most);
    }
    char* const target = in_own_buffer ? connection.in_ + connection.in_size_ : receive_buffer_->bytes + kReadPadding;
    const Received received = receive(connection, target, room);
    if (received.error != 0) {
      if (received.error == EINTR) continue;
      if (is_transient(received.error)) return;
      if (!connection.tls_problem().empty()) return fail_tls(connection, TlsEvent::failed);
      return end(connection, CloseCause::connection_lost, received.error);
    }
    if (received.ended) {
      // It may have closed only its own direction: what close() promised to write is still written, and its handler may have
      // more to say.
      const bool is_kept = connection.state_ == Connection::State::flushing || has_more_to_say(connection);
      if (!is_kept) return end_after_last_words(connection);
      connection.peer_ended_ = true;
      connection.paused_ = true;
      return;
    }

    connection.bytes_received_ += received.taken;
    budget -= std::min(budget, received.taken);
    if (connection.state_ != Connection::State::open) continue;  // on its way out: what the peer still says is thrown away
    if (received.size > 0) {
      const std::size_t kept = connection.in_size_;
      // After a pause nothing counts as seen: the handler may have stopped in front of whole messages.
      const std::size_t seen = std::exchange(connection.resumed_, false) ? 0 : kept;
      if (!in_own_buffer && kept > 0) std::memcpy(start, connection.in_, kept);
      if (in_own_buffer) connection.in_size_ += static_cast<std::uint32_t>(received.size);
      if (!deliver(connection, {start, kept + received.size}, seen, in_own_buffer)) return;
    } else {
      connection.handler_->on_nothing_shown(connection);
    }
    // Less than was asked for: the kernel has no more, and will tell when it has (epoll(7), "edge-triggered", stream sockets).
    if (!received.more && !connection.want_until_end_) return;
  }
}

Loop::Received Loop::receive(Connection& connection, char* target, std::size_t room) {
  // Of one on its way out nothing is looked at.
  if (connection.tls_ != nullptr && connection.state_ == Connection::State::open) return receive_sealed(connection, target, room);
  const ssize_t got = ::recv(connection.fd_, target, room, 0);
  if (got < 0) return {.error = errno};
  const auto size = static_cast<std::size_t>(got);
  return {.size = size, .taken = size, .ended = size == 0, .more = size == room};
}

bool Loop::has_more_to_say(Connection& connection) {
  if (connection.state_ != Connection::State::open || !connection.handler_->on_peer_finished(connection)) return false;
  free_input(connection);  // nothing can complete it any more
  return true;
}

/// The peer's FIN may stand right behind a question whose answer is queued and not yet written: it gets what the kernel takes
/// now.
void Loop::end_after_last_words(Connection& connection) {
  if (connection.state_ == Connection::State::open && !connection.write_blocked_) {
    if (connection.tls_ != nullptr) connection.tls_->say_end();
    write_some(connection);
  }
  end(connection, CloseCause::peer_closed, 0);
}

/// Shows the bytes to the handler and keeps what it leaves. False when the connection is not to be read on.
bool Loop::deliver(Connection& connection, std::span<char> bytes, std::size_t seen, bool in_own_buffer) {
  const std::size_t consumed = connection.handler_->on_data(connection, bytes, seen);
  if (connection.state_ == Connection::State::dead) return false;
  assert(consumed <= bytes.size());
  std::span<char> rest = connection.state_ == Connection::State::open ? bytes.subspan(consumed) : std::span<char>();
  // The handler has just begun to encrypt: the rest belongs to the handshake.
  const bool was_begun = connection.tls_ != nullptr && !connection.tls_->is_established();
  if (was_begun && rest.size() > kMostBeforeHandshake) {
    end(connection, CloseCause::connection_lost, EMSGSIZE);
    return false;
  }
  if (was_begun) {
    connection.tls_->feed({rest.data(), rest.size()});
    want_handshake(connection);
    rest = {};
  }
  if (rest.empty()) {
    free_input(connection);
  } else if (in_own_buffer) {
    if (consumed > 0) {
      std::memmove(connection.in_, rest.data(), rest.size());
      connection.in_size_ = static_cast<std::uint32_t>(rest.size());
      // A burst's big buffer is not kept for a small remainder.
      if (rest.size() <= kReadPadding) reserve_input(connection, rest.size());
    }
  } else {
    keep_input(connection, rest);
  }
  if (was_begun) return false;
  // The kernel may have more and will not say so again; resume(), or the next iteration, reads on.
  if (connection.paused_ || connection.ready_) {
    connection.missed_ = true;
    return false;
  }
  connection.reads_little_ = false;
  return true;
}

void Loop::keep_input(Connection& connection, std::span<const char> rest) {
  if (connection.in_capacity_ < rest.size()) {
    connection.in_size_ = 0;  // its old contents are part of `rest`
    reserve_input(connection, rest.size());
  }
  std::memcpy(connection.in_, rest.data(), rest.size());
  connection.in_size_ = static_cast<std::uint32_t>(rest.size());
}

void Loop::reserve_input(Connection& connection, std::size_t capacity) {
  char* grown = static_cast<char*>(::operator new(capacity));
  if (connection.in_size_ > 0) std::memcpy(grown, connection.in_, connection.in_size_);
  ::operator delete(connection.in_);
  connection.in_ = grown;
  connection.in_capacity_ = static_cast<std::uint32_t>(capacity);
}

void Loop::free_input(Connection& connection) {
  ::operator delete(std::exchange(connection.in_, nullptr));
  connection.in_size_ = 0;
  connection.in_capacity_ = 0;
}

void Loop::read_on_later(Connection& connection) {
  if (connection.ready_) return;
  connection.ready_ = true;
  ready_.push_back(connection.id());
}

void Loop::run_ready(std::size_t count) {
  if (count == 0) return;
  const std::uint64_t end_us = clock_us() + kReadySliceUs;
  // By index: handlers and budgets append to the list.
  for (std::size_t i = 0; i < count; ++i) {
    // The rest comes first in the next iteration.
    if (i > 0 && clock_us() >= end_us) count = i;
    if (i == count) break;
    Connection* connection = find(ready_[i]);
    if (connection == nullptr || connection->state_ == Connection::State::dead) continue;
    connection->ready_ = false;
    if (connection->paused_) {
      connection->missed_ = true;
      continue;
    }
    // After a pause the handler first gets what it had left: nothing else may come that would show it again.
    if (std::exchange(connection->resumed_, false) && connection->in_size_ > 0 && connection->state_ == Connection::State::open) {
      if (!deliver(*connection, {connection->in_, connection->in_size_}, 0, true)) continue;
    }
    if (std::exchange(connection->missed_, false)) read(*connection);
  }
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(count));
}

OutQueue& Loop::queue_of(Connection& connection, bool is_bulk) {
  if (connection.out_ == nullptr) connection.out_ = out_pool_.take_queue();
  is_bulk ? mark_bulk(connection) : mark_dirty(connection);
  return *connection.out_;
}

void Loop::mark_dirty(Connection& connection) {
  // One that waits for the kernel, or for its connect, is flushed when that has come.
  const bool is_dialling = connection.state_ == Connection::State::connecting && connection.tls_ == nullptr;
  if (connection.dirty_ || connection.write_blocked_ || is_dialling) return;
  connection.dirty_ = true;
  dirty_.push_back(connection.id());
}

void Loop::mark_bulk(Connection& connection) {
  const bool is_dialling = connection.state_ == Connection::State::connecting && connection.tls_ == nullptr;
  if (connection.dirty_ || connection.bulk_ || connection.write_blocked_ || is_dialling) return;
  connection.bulk_ = true;
  bulk_.push_back(connection.id());
}

void Loop::flush_all() {
  // on_drain may queue more; a second round writes it now rather than an iteration later.
  for (int round = 0; round < 2 && !dirty_.empty(); ++round) {
    if (!flush_dirty()) break;
  }
  if (!bulk_.empty()) flush_bulk();
}

/// Up to a time: what is left stays in the list, in front, and the answer is false.
bool Loop::flush_dirty() {
  flushing_.swap(dirty_);
  const std::uint64_t end_us = flushing_.size() <= kFlushedUntimed ? 0 : clock_us() + kFlushSliceUs;
  std::size_t done = 0;
  while (done < flushing_.size()) {
    if (done % kFlushedUntimed == 0 && done > 0 && !stopping_ && clock_us() >= end_us) break;
    Connection* connection = find(flushing_[done++]);
    if (connection == nullptr || connection->state_ == Connection::State::dead || !connection->dirty_) continue;
    connection->dirty_ = false;
    connection->bulk_ = false;
    flush(*connection);
  }
  const bool all = done == flushing_.size();
  if (!all) {
    dirty_.insert(dirty_.begin(), flushing_.begin() + static_cast<std::ptrdiff_t>(done), flushing_.end());
  }
  flushing_.clear();
  return all;
}

/// Between two slices the loop looks who has something to say, and writes what is for them alone.
void Loop::flush_bulk() {
  const std::uint64_t end_us = clock_us() + kBulkSliceUs;
  for (std::size_t count = 1; bulk_next_ < bulk_.size(); ++count) {
    Connection* connection = find(bulk_[bulk_next_++]);
    // Maybe it has been written meanwhile with something that was for it alone.
    if (connection == nullptr || connection->state_ == Connection::State::dead || !connection->bulk_) continue;
    connection->bulk_ = false;
    flush(*connection);
    if (count % kFlushedUntimed == 0 && !stopping_ && clock_us() >= end_us) break;
  }
  if (bulk_next_ == bulk_.size()) {
    bulk_.clear();
    bulk_next_ = 0;
  } else if (bulk_next_ > bulk_.size() / 2) {
    bulk_.erase(bulk_.begin(), bulk_.begin() + static_cast<std::ptrdiff_t>(std::exchange(bulk_next_, 0)));
  }
}

void Loop::flush(Connection& connection) {
  const int error = write_some(connection);
  if (error != 0) {
    const bool was_up = connection.state_ != Connection::State::connecting;
    return end(connection, was_up ? CloseCause::connection_lost : CloseCause::connect_failed, error);
  }
  after_flush(connection);
}

/// Writes until the queue is empty or the kernel takes no more. Returns the errno of a connection that is lost, else 0.
int Loop::write_some(Connection& connection) {
  if (connection.tls_ != nullptr) return write_sealed(connection);
  return connection.out_ == nullptr ? 0 : write_queue(connection, *connection.out_);
}

int Loop::write_queue(Connection& connection, OutQueue& queue) {
  while (!queue.empty()) {
    const std::string_view piece = queue.only_piece();
    // For one piece there is a call that costs the kernel less: it has no description to copy and check.
    const ssize_t sent =
        !piece.empty() ? ::send(connection.fd_, piece.data(), piece.size(), MSG_NOSIGNAL) : send_pieces(connection.fd_, queue);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (is_transient(errno) || errno == ENOBUFS || errno == ENOMEM) {
        connection.write_blocked_ = is_transient(errno);
        // The kernel is short of memory and will not tell when it is not: try again with the next iteration's timers.
        if (!connection.write_blocked_) retry_flush(connection);
        break;
      }
      return errno;
    }
    connection.bytes_sent_ += static_cast<std::uint64_t>(sent);
    queue.consume(static_cast<std::size_t>(sent));
  }
  return 0;
}

void Loop::retry_flush(Connection& connection) {
  after(std::chrono::milliseconds(10), [this, id = connection.id()] {
    Connection* again = find(id);
    if (again != nullptr && again->queued_bytes() > 0) mark_dirty(*again);
  });
}

void Loop::trim_later() {
  trimming_ = true;
  after(std::chrono::milliseconds(kTrimMs), [this] {
    trimming_ = false;
    out_pool_.trim();
    if (out_pool_.is_swollen()) trim_later();
  });
}

void Loop::after_flush(Connection& connection) {
  const std::size_t left = connection.queued_bytes();
  if (left == 0 && connection.out_ != nullptr) {
    out_pool_.give_back(std::exchange(connection.out_, nullptr));
  }
  if (connection.drain_mark_ > left && connection.state_ == Connection::State::open) {
    connection.drain_mark_ = 0;
    connection.handler_->on_drain(connection);
  }
  // Asked anew: on_drain may have queued its last words and called close().
  if (connection.queued_bytes() == 0 && connection.state_ == Connection::State::flushing) {
    // close() at once would send a reset if unread bytes are there, and the peer could lose the last words (RFC 1122, 4.2.2.13).
    if (connection.peer_ended_) return end(connection, CloseCause::closed_here, 0);
    connection.state_ = Connection::State::lingering;
    if (::shutdown(connection.fd_, SHUT_WR) != 0) return end(connection, CloseCause::closed_here, 0);
    connection.paused_ = false;
    connection.want_until_end_ = true;
    connection.missed_ = true;
    read_on_later(connection);
  }
}

/// A peer that neither reads nor closes must not hold the connection for ever. One that reads slowly gets its last words: what it
/// has taken counts, not what the kernel has, which asks for more only when a third of some megabytes is gone.
void Loop::limit_closing(Connection& connection, std::uint64_t last_ms) {
  const std::uint64_t taken = connection.bytes_sent_ - unacknowledged_bytes(connection.fd_);
  after(std::chrono::milliseconds(Connection::kLingerMs), [this, id = connection.id(), taken, last_ms] {
    Connection* closing = find(id);
    if (closing == nullptr) return;
    const bool reads_on = closing->bytes_sent_ - unacknowledged_bytes(closing->fd_) != taken;
    const bool goes_on = closing->state_ == Connection::State::flushing && reads_on && now_ms_ < last_ms;
    if (goes_on) return limit_closing(*closing, last_ms);
    end(*closing, CloseCause::closed_here, 0);
  });
}

void Loop::end(Connection& connection, CloseCause cause, int error) {
  if (connection.state_ == Connection::State::dead || connection.state_ == Connection::State::free) return;
  const bool leaving = connection.state_ == Connection::State::flushing || connection.state_ == Connection::State::lingering;
  connection.cause_ = leaving ? CloseCause::closed_here : cause;
  connection.error_ = leaving ? 0 : error;
  connection.state_ = Connection::State::dead;
  dead_.push_back(connection.id());
}

void Loop::reap() {
  // on_close may end others, and a dial that fails at once ends in here: those come with the next iteration, which does not wait.
  // Else a handler that dials again and again would never give the loop back.
  const std::size_t count = dead_.size();
  for (std::size_t i = 0; i < count; ++i) {
    Connection* connection = find(dead_[i]);
    if (connection == nullptr) continue;
    // In a socket that is ours this is no error of the network.
    if (connection->error_ == EBADF || connection->error_ == ENOTSOCK) throw DescriptorsLost("a connection", connection->error_);
    if (connection->out_ != nullptr) out_pool_.give_back(std::exchange(connection->out_, nullptr));
    free_input(*connection);
    if (connection->fd_ >= 0) ::close(std::exchange(connection->fd_, -1));
    connection->handler_->on_close(*connection, connection->cause_, connection->error_);
    free_tls(*connection);
    connections_.remove(*connection);
  }
  dead_.erase(dead_.begin(), dead_.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace gatehouse::net
