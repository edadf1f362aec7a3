#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/connection_row.h"
#include "net/endpoint.h"
#include "net/out_queue.h"
#include "net/shared_bytes.h"

namespace gatehouse::net {

class Loop;
class TlsContext;
class TlsSession;
class Connection;

/// Names a connection without owning it. Stays safe to use when the connection is gone: Loop::find() then gives null.
struct ConnectionId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0 names nothing
  friend bool operator==(const ConnectionId&, const ConnectionId&) = default;
};

/// Why a connection ended, as its handler is told.
enum class CloseCause : std::uint8_t {
  peer_closed,      // the peer closed its side
  connection_lost,  // reset, timed out, unreachable
  connect_failed,   // a dial that never came up
  closed_here,      // close() or destroy() by its handler
};

/// What a handler may want to know of a connection's encryption.
enum class TlsEvent : std::uint8_t {
  delayed,  // more new handshakes than may begin in a second: this one waits for its turn
  crowded,  // as many are going on as may (TlsSlots): this one waits for one to end
  ousted,   // it took long, and others wait
  late,     // the handshake took too long
  failed,   // no TLS, or not as it has to be: Connection::tls_problem() says why
};

/// What happens on the connections of one kind: all clients of a gateway, all inner connections, all lines to a register.
/// One object serves all connections of its kind; it tells them apart by Connection::tag or id.
///
/// Thread rule: called only from the loop's thread. Any Connection call is allowed inside any callback; a close takes
/// effect at once for the caller (nothing more is delivered) and is reported by on_close at the end of the iteration.
class ConnectionHandler {
 public:
  ConnectionHandler() = default;
  ConnectionHandler(const ConnectionHandler&) = delete;
  ConnectionHandler& operator=(const ConnectionHandler&) = delete;
  virtual ~ConnectionHandler() = default;

  /// Accepted, or dialled and up.
  virtual void on_open(Connection& connection) = 0;

  /// All bytes received and not yet consumed, in one piece; the first `seen` of them were shown before, or 0 after a resume(),
  /// since a handler that pauses may stop in front of whole messages. The bytes may be changed in place. Returns how many are
  /// done with; the rest is shown again, at the front, when more has come.
  virtual std::size_t on_data(Connection& connection, std::span<char> bytes, std::size_t seen) = 0;

  /// Exactly once for every connection that was accepted or dialled, as the last call for it. `error` is the errno, or 0.
  virtual void on_close(Connection& connection, CloseCause cause, int error) = 0;

  /// The peer sends no more (FIN, or close_notify of TLS), and everything before that was shown. True: the connection is kept,
  /// paused, until the handler closes it, for something is still to be said to the peer. (It may have gone altogether: that shows
  /// when something is written, and ends the connection.) May come again after a resume(). False: the connection ends, once the
  /// kernel was given what is queued.
  virtual bool on_peer_finished(Connection& /*connection*/) { return false; }

  /// The queue fell below the mark set by Connection::notify_below().
  virtual void on_drain(Connection& /*connection*/) {}

  /// Whether anything is to be had with `peer`. If not, its connection is closed as soon as it is accepted, and nothing more is
  /// heard of it.
  [[nodiscard]] virtual bool lets_in(const Address& /*peer*/) { return true; }

  /// What a peer is told that is accepted only to be refused, for want of descriptors. Sent as far as the kernel takes it.
  [[nodiscard]] virtual std::string_view refusal() const { return {}; }

  /// Something came over TLS of which there is nothing to show: a part of a record, which is kept
  /// (Connection::partial_record_bytes()), or records of the protocol's own.
  virtual void on_nothing_shown(Connection& /*connection*/) {}

  /// After `ousted`, `late` and `failed` the connection ends.
  virtual void on_tls(Connection& /*connection*/, TlsEvent /*event*/) {}

  /// Adds what it knows of the connection, for `connections`: who is at the other end, what is spoken.
  virtual void describe(const Connection& /*connection*/, ConnectionRow& /*row*/) const {}
};

/// One socket of a loop, its unread input and its unwritten output. Lives in the loop's slot table, which owns it; never moves
/// while it is open. An idle connection holds no heap memory besides its slot.
class Connection {
 public:
  [[nodiscard]] ConnectionId id() const { return {slot_, generation_}; }
  [[nodiscard]] Loop& loop() const { return *loop_; }
  [[nodiscard]] const Address& peer() const { return peer_; }
  /// The peer speaks for somebody else, who is shown in its place from now on.
  void set_peer(const Address& address) { peer_ = address; }
  [[nodiscard]] int fd() const { return fd_; }
  /// False once closing has begun: what is sent then is dropped and counted.
  [[nodiscard]] bool is_open() const { return state_ == State::open; }

  [[nodiscard]] bool belongs_to(const ConnectionHandler& handler) const { return handler_ == &handler; }

  /// The handler's own number for this connection, such as an index into its table.
  std::uint32_t tag = 0;

  /// Appends to the output queue; written at the end of the loop's iteration, with everything else queued by then.
  void send(std::string_view bytes);
  /// `is_bulk`: it is one of very many that get these bytes. Those are written a few milliseconds at a time, behind what else
  /// there is to write; what is sent to this connection later still comes behind it.
  void send(const SharedBytes& bytes, bool is_bulk = false);
  /// Room for `size` bytes at the end of the queue, to be filled at once. Null when the connection is not open.
  [[nodiscard]] char* grow(std::size_t size) {
    // One that is in the flush list already, as nearly always: its queue's block has room.
    char* room = dirty_ && out_ != nullptr && state_ == State::open ? out_->grow_in_place(size) : nullptr;
    return room != nullptr ? room : grow_by_block(size);
  }
  [[nodiscard]] std::size_t queued_bytes() const {
    if (tls_ != nullptr) return queued_bytes_of_tls();
    return out_ == nullptr ? 0 : out_->bytes();
  }

  /// As send(), but one whole message that may be dropped again as long as nothing of it is written. The last `key_size` bytes
  /// are not sent: they name what the message tells. False when it has taken the place of an older one of that key.
  bool send_message(const SharedBytes& message, std::size_t key_size = 0, bool is_bulk = false);
  /// Bytes that it costs to keep such messages while they wait, beside their own.
  [[nodiscard]] std::size_t message_overhead() const;
  /// Drops the oldest of them of which nothing is written; false when there is none.
  bool drop_oldest_message();
  /// Of those with one key drops all but the last, and from then on lets a new one take the place of the one that waits, until
  /// all is written. Returns how many were dropped.
  std::size_t keep_latest();
  /// The size of the message whose place one with that key would take, 0 for none.
  [[nodiscard]] std::size_t latest_size(std::string_view key) const;

  /// Writes now instead of at the end of the iteration: for one that has much queued and must know what the kernel takes.
  void flush();

  /// Calls ConnectionHandler::on_drain once, when the queue has fallen below `bytes`.
  void notify_below(std::size_t bytes) { drain_mark_ = static_cast<std::uint32_t>(bytes > 0xffffffffU ? 0xffffffffU : bytes); }

  /// Speaks TLS from here on, as the server: what is sent from now on waits for the handshake, and only what was encrypted is
  /// delivered. Called in on_open, or in on_data once a preamble has been consumed, whose rest is the beginning of the handshake.
  /// What `context` is now counts; it may be gone later.
  void start_tls(TlsContext& context);
  [[nodiscard]] bool is_encrypted() const { return tls_ != nullptr; }
  /// Why its encryption failed; empty when it did not.
  [[nodiscard]] std::string_view tls_problem() const;

  /// Reads nothing more until resume(): the kernel's buffer fills and the peer is slowed down (back-pressure).
  void pause();
  void resume();
  [[nodiscard]] bool is_paused() const { return paused_; }
  /// Called in on_data by a handler that has done enough for this peer: what it leaves of the bytes is shown again in the next
  /// iteration of the loop, when others have had their turn. `reads_little`: until all that is there is consumed in one turn,
  /// little is read at a time, so that the rest waits in the kernel.
  void yield(bool reads_little = false);
  [[nodiscard]] bool has_yielded() const { return ready_; }

  /// Writes what is queued, then ends the connection in order (FIN, wait for the peer's). A peer that takes nothing for
  /// kLingerMs, or does not close in that time, is cut off; so is one that is not done after kMostFlushMs. What is queued
  /// before the handshake of TLS is done waits for that, within the same times.
  void close();
  /// As close(), for a peer that has said in its own protocol that nothing more comes from it: writes now and, when the kernel
  /// takes all, ends the connection without waiting for its FIN. What it sends all the same is answered with a reset.
  void finish();
  /// Ends it now; what is queued is dropped.
  void destroy();

  [[nodiscard]] std::uint64_t bytes_received() const { return bytes_received_; }
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }
  [[nodiscard]] std::size_t unread_bytes() const { return in_size_; }
  /// Of a record of TLS that has not come as a whole: kept besides unread_bytes(), 16.6 KB at most. During the handshake 0.
  [[nodiscard]] std::size_t partial_record_bytes() const;
  /// Everything there is to say of it, with what its handler knows. Reads the local address from the kernel.
  [[nodiscard]] ConnectionRow describe() const;

  static constexpr int kLingerMs = 2000;
  static constexpr int kMostFlushMs = 30'000;

 private:
  friend class Loop;
  friend class ConnectionTable;
  enum class State : std::uint8_t {
    free,
    connecting,
    open,
    flushing,   // close() was called: write what is queued
    lingering,  // all written and FIN sent: wait for the peer's
    dead,       // to be reported and freed at the end of the iteration
  };
  [[nodiscard]] bool takes_output() const { return state_ == State::open || state_ == State::connecting; }
  [[nodiscard]] char* grow_by_block(std::size_t size);
  [[nodiscard]] std::size_t queued_bytes_of_tls() const;
  [[nodiscard]] const char* state_name() const;

  Loop* loop_ = nullptr;
  ConnectionHandler* handler_ = nullptr;
  OutQueue* out_ = nullptr;
  TlsSession* tls_ = nullptr;  // owned by the connection
  char* in_ = nullptr;         // unconsumed input; allocated only while a message is incomplete
  std::uint32_t in_size_ = 0;
  std::uint32_t in_capacity_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint32_t slot_ = 0;
  std::uint32_t generation_ = 1;
  int fd_ = -1;
  int error_ = 0;
  std::uint32_t drain_mark_ = 0;
  Address peer_;
  State state_ = State::free;
  CloseCause cause_ = CloseCause::closed_here;
  bool paused_ = false;
  bool dirty_ = false;          // in the loop's flush list
  bool bulk_ = false;           // in the list of what is written in slices
  bool ready_ = false;          // in the loop's still-ready list
  bool write_blocked_ = false;  // the kernel takes no more; wait for its next EPOLLOUT
  bool missed_ = false;         // the kernel had something to read while paused
  bool resumed_ = false;        // show the handler first what it had left when it paused
  // In one byte: another one would make the slot of each connection 8 bytes larger.
  bool want_until_end_ : 1 = false;  // the kernel reported an end: read until it shows
  bool peer_ended_ : 1 = false;      // FIN came while flushing, or while there was something left to say
  bool reads_little_ : 1 = false;    // see yield()
};

}  // namespace gatehouse::net
