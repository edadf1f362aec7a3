// The part of Loop that encrypts: handshakes a few at a time, records on their way in and out.
#include "net/loop_tls.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>

namespace gatehouse::net {
namespace {

// The fatal alert protocol_version, in a plain record (RFC 8446, 6.2).
constexpr std::string_view kNoTls{"\x15\x03\x03\x00\x02\x02\x46", 7};
// Of a ClientHello as it stands in the kernel, cut into as many records as a peer likes.
constexpr std::size_t kMostPeeked = 64 * 1024;
constexpr int kMostReads = 2;  // of a buffer, in one step of a handshake: no honest peer says more

}  // namespace

Loop::TlsTools& Loop::tls_tools() {
  if (tls_tools_ == nullptr) tls_tools_ = std::make_unique<TlsTools>();
  return *tls_tools_;
}

void Loop::begin_tls(Connection& connection, TlsContext& context, bool dialled) {
  (void)tls_tools();
  connection.tls_ =
      new TlsSession(context, dialled ? TlsHandshake::Role::client : TlsHandshake::Role::server);  // NOLINT: free_tls()
  if (!dialled) ++tls_handshakes_;
  connection.tls_->deadline = after(context.settings().handshake_timeout, [this, id = connection.id()] {
    Connection* late = find(id);
    if (late == nullptr || late->state_ == Connection::State::dead || late->tls_->is_established()) return;
    late->tls_->fail("no handshake in time");
    fail_tls(*late, TlsEvent::late);
  });
}

void Loop::free_tls(Connection& connection) {
  TlsSession* tls = std::exchange(connection.tls_, nullptr);
  if (tls == nullptr) return;
  cancel(tls->deadline);
  if (tls->is_server() && !tls->is_established()) --tls_handshakes_;
  if (tls->sealed != nullptr) out_pool_.give_back(tls->sealed);
  delete tls;  // NOLINT(cppcoreguidelines-owning-memory): begin_tls()
}

void Loop::want_handshake(Connection& connection) {
  TlsSession& tls = *connection.tls_;
  if (tls.is_waiting) return;
  if (!tls.has_begun() && !has_heard_hello(connection)) return;
  tls.is_waiting = true;
  if (!tls.is_server() || std::exchange(tls.was_counted, true)) return handshakes_.add(connection.id());
  const bool delayed = handshakes_.add_new(connection.id(), tls.handshakes_per_s, now_ms_);
  if (delayed) connection.handler_->on_tls(connection, TlsEvent::delayed);
}

/// Whether the whole ClientHello is there. It is only looked at, and stays with the kernel: who has not said it yet costs nothing
/// here. False, too, when the connection has ended for what it said instead.
bool Loop::has_heard_hello(Connection& connection) {
  TlsSession& tls = *connection.tls_;
  if (tls.is_in_line) {
    if (connection.want_until_end_) end(connection, CloseCause::peer_closed, 0);
    return false;
  }
  static_assert(kMostPeeked <= TlsTools::kBufferSize);
  char* const buffer = tls_tools().buffer.get();
  ssize_t got = 0;
  do {
    got = ::recv(connection.fd_, buffer, kMostPeeked, MSG_PEEK);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
    end(connection, CloseCause::connection_lost, errno);
    return false;
  }
  const auto size = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  TlsHello hello;
  hello.take(tls.kept());
  hello.take({buffer, size});
  using State = TlsHello::State;
  const bool is_too_big = hello.is_too_big() || (hello.state() == State::need_more && size == kMostPeeked);
  if (is_too_big || hello.state() == State::unexpected) {
    // What is left unread would make a reset of the close, which may overtake the alert.
    (void)::recv(connection.fd_, buffer, TlsTools::kBufferSize, 0);
    tls.fail(is_too_big ? TlsHandshake::kHelloTooBigProblem : "it does not begin with a ClientHello of TLS");
    sealed_queue_of(connection).append(is_too_big ? TlsHandshake::kHelloTooBig : TlsHandshake::kUnexpected);
    fail_tls(connection, TlsEvent::failed);
    return false;
  }
  if (hello.is_whole() || (hello.state() == State::noise && tls.kept().size() + size >= TlsHello::kNamed)) return true;
  // Behind a part of it nothing comes any more.
  if (got == 0 || connection.want_until_end_) end(connection, CloseCause::peer_closed, 0);
  return false;
}

/// False when it has to wait for a slot.
bool Loop::begin_handshake(Connection& connection) {
  TlsSession& tls = *connection.tls_;
  const std::shared_ptr<TlsSlots> slots = tls.slots();
  if (const auto oldest = slots->in_the_way(now_ms_)) {
    Connection* ousted = find(*oldest);
    if (ousted != nullptr && ousted->state_ == Connection::State::dead) {
      ousted->tls_->give_up();
    } else if (ousted != nullptr) {
      ousted->tls_->fail("too many handshakes at a time, of which this one was the oldest");
      fail_tls(*ousted, TlsEvent::ousted);
    }
  }
  const std::uint64_t slot = slots->take(connection.id(), tls.has_waited, now_ms_);
  if (slot != 0) {
    tls.begin(slot);
    return true;
  }
  tls.is_in_line = true;
  if (std::find(crowded_.begin(), crowded_.end(), slots) == crowded_.end()) crowded_.push_back(slots);
  if (!std::exchange(tls.has_waited, true)) connection.handler_->on_tls(connection, TlsEvent::crowded);
  return false;
}

void Loop::admit_waiting() {
  for (const auto& slots : crowded_) {
    // One for one that makes way, when there is no room.
    std::size_t room = slots->room();
    if (room == 0 && slots->in_the_way(now_ms_)) room = 1;
    while (room > 0) {
      const auto id = slots->next();
      if (!id) break;
      Connection* connection = find(*id);
      if (connection == nullptr || connection->state_ == Connection::State::dead) continue;
      connection->tls_->is_in_line = false;
      connection->tls_->is_waiting = true;
      handshakes_.add(*id);
      --room;
    }
  }
  std::erase_if(crowded_, [](const auto& slots) { return slots->waiting() == 0; });
}

int Loop::wait_for_slots_ms() const {
  std::uint64_t wait_ms = TlsSlots::kPatienceMs;
  for (const auto& slots : crowded_) wait_ms = std::min(wait_ms, slots->wait_ms(ended_ms_));
  return static_cast<int>(wait_ms);
}

void Loop::run_handshakes() {
  // Those that ask for another step meanwhile wait for the next iteration.
  auto left = static_cast<int>(std::min<std::size_t>(handshakes_.size(), kMostHandshakeSteps));
  if (left == 0) return;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kHandshakeBudgetMs);
  while (left > 0) {
    const auto id = handshakes_.take(now_ms_);
    if (!id) return;
    Connection* connection = find(*id);
    if (connection == nullptr || connection->state_ == Connection::State::dead) {
      handshakes_.give_back();
      continue;
    }
    shake_hands(*connection);
    if (--left == 0 || std::chrono::steady_clock::now() >= end) return;
  }
}

void Loop::shake_hands(Connection& connection) {
  TlsSession& tls = *connection.tls_;
  tls.is_waiting = false;
  if (tls.is_established()) return;  // it had been put back for what it had not read, and was done all the same
  if (!tls.has_begun() && !begin_handshake(connection)) return;
  const bool goes_on = receive_for_handshake(connection);
  if (connection.state_ == Connection::State::dead) return;
  const TlsHandshake::Status status = tls.step(tls_tools().ciphers, sealed_queue_of(connection));
  if (status == TlsHandshake::Status::failed) return fail_tls(connection, TlsEvent::failed);
  mark_dirty(connection);
  if (status == TlsHandshake::Status::done) return finish_handshake(connection);
  if (!goes_on) {
    const bool dialled = connection.state_ == Connection::State::connecting;
    if (dialled) tls.fail("it was closed during the handshake");
    end(connection, dialled ? CloseCause::connect_failed : CloseCause::peer_closed, 0);
  }
}

/// Feeds the handshake with what is there. False when the peer will say no more.
bool Loop::receive_for_handshake(Connection& connection) {
  char* const buffer = tls_tools().buffer.get();
  for (int i = 0; i < kMostReads;) {
    const ssize_t got = ::recv(connection.fd_, buffer, TlsTools::kBufferSize, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
      const bool dialled = connection.state_ == Connection::State::connecting;
      end(connection, dialled ? CloseCause::connect_failed : CloseCause::connection_lost, errno);
      return false;
    }
    if (got == 0) return false;
    connection.bytes_received_ += static_cast<std::uint64_t>(got);
    connection.tls_->feed({buffer, static_cast<std::size_t>(got)});
    if (static_cast<std::size_t>(got) < TlsTools::kBufferSize && !connection.want_until_end_) return true;
    ++i;
  }
  want_handshake(connection);  // nothing else would announce what is left
  return true;
}

void Loop::finish_handshake(Connection& connection) {
  cancel(connection.tls_->deadline);
  if (connection.tls_->is_server()) --tls_handshakes_;
  if (connection.state_ == Connection::State::connecting) {
    connection.state_ = Connection::State::open;
    connection.handler_->on_open(connection);
  }
  if (connection.state_ != Connection::State::open) return;
  // What came glued to the handshake is not announced again.
  if (connection.paused_) {
    connection.missed_ = true;
  } else {
    read(connection);
  }
}

/// The peer is told by an alert, as far as it takes one now.
void Loop::fail_tls(Connection& connection, TlsEvent event) {
  const bool dialled = connection.state_ == Connection::State::connecting;
  TlsSession& tls = *connection.tls_;
  tls.say_end();
  if (tls.is_established()) tls.seal(nullptr, sealed_queue_of(connection), 0);
  const bool has_alert = tls.sealed != nullptr && !tls.sealed->empty();
  if (!connection.write_blocked_ && tls.sealed != nullptr) write_queue(connection, *tls.sealed);
  // OpenSSL has none for one that speaks no TLS at all; a role without inner_tls knows by it what is here.
  if (event == TlsEvent::failed && !has_alert && !dialled && !tls.is_established()) {
    (void)::send(connection.fd_, kNoTls.data(), kNoTls.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  tls.give_up();
  connection.handler_->on_tls(connection, event);
  end(connection, dialled ? CloseCause::connect_failed : CloseCause::connection_lost, EPROTO);
}

Loop::Received Loop::receive_sealed(Connection& connection, char* target, std::size_t room) {
  TlsSession& tls = *connection.tls_;
  if (tls.is_failed()) return {.error = EPROTO};
  if (tls.is_ended()) return {.ended = true};
  if (const auto first = tls.take_first()) return {.size = tls.open(*first, target), .more = true};

  char* const buffer = tls_tools().buffer.get();
  const std::size_t kept = tls.unread().copy(buffer, TlsTools::kBufferSize);
  const std::size_t asked = std::min(room, TlsTools::kBufferSize) - kept;
  const ssize_t got = ::recv(connection.fd_, buffer + kept, asked, 0);
  if (got < 0) return {.error = errno};
  if (got == 0) return {.ended = true};  // without close_notify: messages have ends of their own
  const auto taken = static_cast<std::size_t>(got);
  const std::size_t size = tls.open({buffer, kept + taken}, target);
  return {.size = size, .taken = taken, .more = taken == asked || tls.is_ended() || tls.is_failed()};
}

OutQueue& Loop::sealed_queue_of(Connection& connection) {
  TlsSession& tls = *connection.tls_;
  if (tls.sealed == nullptr) tls.sealed = out_pool_.take_queue();
  return *tls.sealed;
}

int Loop::write_sealed(Connection& connection) {
  TlsSession& tls = *connection.tls_;
  for (;;) {
    if (connection.state_ == Connection::State::flushing) tls.say_end();
    const bool has_more = tls.has_to_say_end() || (connection.out_ != nullptr && !connection.out_->empty());
    if (tls.is_established() && has_more) tls.seal(connection.out_, sealed_queue_of(connection), TlsTools::kSealAhead);
    if (tls.sealed == nullptr || tls.sealed->empty()) break;
    const int error = write_queue(connection, *tls.sealed);
    if (error != 0) return error;
    if (!tls.sealed->empty()) return 0;  // the kernel takes no more
  }
  if (tls.sealed != nullptr) out_pool_.give_back(std::exchange(tls.sealed, nullptr));
  return 0;
}

}  // namespace gatehouse::net
