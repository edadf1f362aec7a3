#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "net/accept_share.h"
#include "net/connection.h"
#include "net/connection_table.h"
#include "net/endpoint.h"
#include "net/handshake_queue.h"
#include "net/out_queue.h"
#include "net/refusal_log.h"
#include "net/socket.h"
#include "net/timer_wheel.h"
#include "net/tls_slots.h"

namespace gatehouse::net {

/// Names a listener of a loop.
struct ListenerId {
  std::uint32_t index = 0;
};

/// Names a watched foreign descriptor.
struct WatchId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const WatchId&, const WatchId&) = default;
};

struct Readiness {
  bool readable = false;
  bool writable = false;
};

/// The event loop: one epoll instance, one thread. Owns its connections, listeners, timers and watched descriptors.
///
/// An iteration: wait, deliver what is ready (each connection within a read budget), run timers and posted functions,
/// write every connection that has something queued, close what is to be closed, free it.
///
/// Thread rule: everything from the thread that calls run(), except post() and stop_from_any_thread().
class Loop {
 public:
  explicit Loop(Log log);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  /// Runs until stop().
  void run();
  void stop() { stopping_ = true; }
  void stop_from_any_thread();

  /// The time of this iteration, monotonic, in milliseconds.
  [[nodiscard]] std::uint64_t now_ms() const { return now_ms_; }

  TimerId after(std::chrono::milliseconds delay, TimerWheel::Callback callback);
  TimerId every(std::chrono::milliseconds period, TimerWheel::Callback callback);
  bool cancel(TimerId id) { return timers_.cancel(id); }
  /// Runs `work` in the loop's thread, in the next iteration. From any thread.
  void post(std::function<void()> work);

  /// Accepts from a listening socket; each new connection belongs to `handler`, which must outlive it, and starts with tag `tag`.
  /// With `share`, which must outlive the listening, clients are left to those of its processes that have fewer or have room, for
  /// a few milliseconds at a time, and never longer than those take some.
  ListenerId listen(Socket listener, ConnectionHandler& handler, std::uint32_t tag = 0, AcceptShare* share = nullptr);
  /// Takes those that wait at a shared listener without anybody having been told: a process that was stopped may have been woken
  /// for them. And leaves the listener to others when this process is full and they have room now. Called about once a second.
  void take_those_that_wait(ListenerId id);
  /// Stops accepting for good and closes the socket.
  void close_listener(ListenerId id);
  /// The same, and has connections refused in all processes that have the socket.
  void shut_listener(ListenerId id);
  void pause_listener(ListenerId id);
  void resume_listener(ListenerId id);

  /// Starts to connect. The handler hears on_open, or on_close with connect_failed; never before this call has returned. With
  /// `tls` the connection is encrypted, and on_open comes when that is done.
  ConnectionId dial(const Endpoint& endpoint, ConnectionHandler& handler, std::uint32_t tag = 0, TlsContext* tls = nullptr);
  /// Takes over a connected stream socket (one end of a socketpair, say). on_open is not called.
  ConnectionId adopt(Socket socket, ConnectionHandler& handler, std::uint32_t tag = 0);

  [[nodiscard]] Connection* find(ConnectionId id) { return connections_.find(id); }
  [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }
  /// Calls `visit(Connection&)` for every connection that is open.
  template <class Visit>
  void for_each_connection(Visit visit) {
    connections_.for_each([&](Connection& connection) {
      if (connection.is_open()) visit(connection);
    });
  }

  /// A part of all connections, open or not, for those who look through very many in pieces: see ConnectionTable::visit_from().
  template <class Visit>
  std::uint32_t visit_connections(std::uint32_t first, std::uint32_t most, Visit visit) {
    return connections_.visit_from(first, most, visit);
  }
  /// Slots run below this.
  [[nodiscard]] std::uint32_t connection_slots() const { return connections_.capacity(); }

  /// Watches a descriptor that somebody else owns (level-triggered), until unwatch(), which must come before it is closed.
  WatchId watch(int fd, Readiness interest, std::function<void(Readiness)> callback);
  void unwatch(WatchId id);

  /// Calls `callback` in the loop when `signal` arrives, which is blocked from its usual action from now on.
  void on_signal(int signal, std::function<void()> callback);

  /// Sends to connections that were gone or going: a no-op that is counted.
  [[nodiscard]] std::uint64_t dropped_sends() const { return dropped_sends_; }
  /// Connections that were accepted only to be refused, for want of descriptors or memory.
  [[nodiscard]] std::uint64_t refused_connections() const { return refused_; }
  /// Blocks of memory for those who hold bytes for a moment; what is too many of them goes back to the heap little by little.
  [[nodiscard]] OutPool& out_pool() { return out_pool_; }
  /// Accepted connections whose TLS handshake is not done.
  [[nodiscard]] std::size_t tls_handshakes() const { return tls_handshakes_; }
  /// Iterations so far, and time spent outside epoll_wait in nanoseconds: for status and for tests of idleness.
  [[nodiscard]] std::uint64_t iterations() const { return iterations_; }
  [[nodiscard]] std::uint64_t busy_ns() const { return busy_ns_; }

  /// From now on `place` holds the number of the iteration that runs, and 0 while the loop waits: somebody outside may see by it
  /// that an iteration does not end. `place` must outlive the loop.
  void show_progress(std::atomic<std::uint64_t>& place) { progress_ = &place; }

  [[nodiscard]] const Log& log() const { return log_; }

  static constexpr std::size_t kReadSize = 256 * 1024;    // one recv asks for this much
  static constexpr std::size_t kReadPadding = 4 * 1024;   // room in front for what was left over by the last read
  static constexpr std::size_t kReadBudget = 512 * 1024;  // bytes of one connection in one iteration
  static constexpr std::size_t kLittleRead = 8 * 1024;    // asked for by one recv of a connection that reads little
  static constexpr int kFlushSliceUs = 4'000;             // for writing, in one iteration,
  static constexpr int kBulkSliceUs = 2'000;              // for writing what goes to very many,
  static constexpr int kReadySliceUs = 2'000;             // and for those that had more to say than one iteration allows
  static constexpr int kAcceptBatch = 64;                 // connections accepted in one go
  static constexpr int kTrimMs = 500;                     // between steps of giving memory back after a burst
  static constexpr int kListenerPauseMs = 200;            // after running out of descriptors
  static constexpr int kMostAsideMs = 4;                  // left to processes with fewer clients before it is looked again
  static constexpr int kFullPauseMs = 250;                // the same of a process that has no room
  static constexpr int kPatienceMs = 50;                  // with others that take none of the clients that wait,
  static constexpr int kMostWaitingMs = 200;              // and with those that take them too slowly
  static constexpr int kMostHandshakeSteps = 16;          // of TLS, in one iteration,
  static constexpr int kHandshakeBudgetMs = 4;            // and fewer when they take longer than this together

 private:
  friend class Connection;
  enum class Kind : std::uint32_t { connection, listener, watch };

  struct Listener {
    Socket socket;
    ConnectionHandler* handler = nullptr;
    std::uint32_t tag = 0;
    bool registered = false;  // in the epoll set
    bool wanted = false;      // not paused by its owner
    // The rest only where it is shared.
    AcceptShare* share = nullptr;
    bool is_short = false;               // of descriptors
    bool is_pressed = false;             // somebody waits, and others do not take them: takes what comes
    int aside_ms = 1;                    // the next time that it stands aside
    TimerId look = {};                   // while it does
    std::uint64_t waiting_since_ms = 0;  // somebody was seen waiting at every look since; 0: nobody is
    std::uint64_t stuck_since_ms = 0;    // and no other process took anybody meanwhile
  };
  struct Watch {
    int fd = -1;
    std::uint32_t generation = 1;
    std::shared_ptr<std::function<void(Readiness)>> callback;
  };

  /// What a connection has brought.
  struct Received {
    std::size_t size = 0;   // bytes for the handler
    std::size_t taken = 0;  // bytes from the kernel
    int error = 0;          // an errno
    bool ended = false;     // the peer says no more
    bool more = false;      // the kernel may have more, or an end is still to be told
  };
  struct TlsTools;

  static std::uint64_t pack(Kind kind, std::uint32_t index, std::uint32_t generation);
  void iterate(int timeout_ms);
  int wait_time_ms() const;
  void update_clock();
  static std::uint64_t clock_us();  // monotonic, of this moment

  Connection* add_connection(Socket socket, ConnectionHandler& handler, std::uint32_t tag, Connection::State state);
  void on_connection_event(Connection& connection, std::uint32_t events);
  void read(Connection& connection);
  Received receive(Connection& connection, char* target, std::size_t room);
  bool has_more_to_say(Connection& connection);
  void end_after_last_words(Connection& connection);
  bool deliver(Connection& connection, std::span<char> bytes, std::size_t seen, bool in_own_buffer);
  void keep_input(Connection& connection, std::span<const char> rest);
  void reserve_input(Connection& connection, std::size_t capacity);
  void free_input(Connection& connection);
  void read_on_later(Connection& connection);
  void run_ready(std::size_t count);

  OutQueue& queue_of(Connection& connection, bool is_bulk = false);
  void mark_dirty(Connection& connection);
  void mark_bulk(Connection& connection);
  void flush_all();
  bool flush_dirty();
  void flush_bulk();
  void flush(Connection& connection);
  int write_some(Connection& connection);
  int write_queue(Connection& connection, OutQueue& queue);
  void retry_flush(Connection& connection);
  void trim_later();
  void after_flush(Connection& connection);
  void limit_closing(Connection& connection, std::uint64_t last_ms);
  void end(Connection& connection, CloseCause cause, int error);
  void reap();

  // Encrypted connections: loop_tls.cc.
  TlsTools& tls_tools();
  void begin_tls(Connection& connection, TlsContext& context, bool dialled);
  void want_handshake(Connection& connection);
  bool has_heard_hello(Connection& connection);
  bool begin_handshake(Connection& connection);
  void admit_waiting();
  [[nodiscard]] int wait_for_slots_ms() const;
  void run_handshakes();
  void shake_hands(Connection& connection);
  bool receive_for_handshake(Connection& connection);
  void finish_handshake(Connection& connection);
  void fail_tls(Connection& connection, TlsEvent event);
  Received receive_sealed(Connection& connection, char* target, std::size_t room);
  int write_sealed(Connection& connection);
  OutQueue& sealed_queue_of(Connection& connection);
  void free_tls(Connection& connection);

  void accept_from(std::uint32_t index);
  void out_of_descriptors(Listener& listener, std::uint32_t index);
  void refuse_those_that_wait(Listener& listener);
  bool refuse_one(Listener& listener);
  void log_refusals();
  void step_aside(std::uint32_t index, int look_ms);
  void look_later(std::uint32_t index, int look_ms);
  void look_again(std::uint32_t index);
  void come_back(std::uint32_t index);
  void on_room(std::uint32_t index);
  [[nodiscard]] bool set_accepting(Listener& listener, std::uint32_t index, bool accepting);

  void run_posted();
  void on_signal_ready();

  Log log_;
  Socket epoll_;
  Socket wake_;
  Socket signals_;
  Socket spare_;  // given up for a moment at EMFILE, so that a client can be told instead of left hanging
  std::uint64_t now_ms_;
  std::uint64_t ended_ms_ = 0;  // the last iteration, or the call of run() before the first
  TimerWheel timers_;
  ConnectionTable connections_;
  OutPool out_pool_;
  std::vector<Listener> listeners_;
  std::vector<Watch> watches_;
  std::vector<std::pair<int, std::function<void()>>> signal_callbacks_;
  std::vector<ConnectionId> dirty_;
  std::vector<ConnectionId> flushing_;  // the list being flushed; swapped with dirty_
  std::vector<ConnectionId> bulk_;      // written in slices of time, from bulk_next_ on
  std::size_t bulk_next_ = 0;
  std::vector<ConnectionId> ready_;
  std::vector<ConnectionId> dead_;
  /// On a cache line's border: the kernel copies short messages to there in noticeably less time.
  struct alignas(64) ReceiveBuffer {
    char bytes[kReadPadding + kReadSize];
  };
  std::unique_ptr<ReceiveBuffer> receive_buffer_;
  std::unique_ptr<TlsTools> tls_tools_;  // made when the first connection is encrypted
  HandshakeQueue handshakes_;
  std::vector<std::shared_ptr<TlsSlots>> crowded_;  // those for which somebody waits
  std::size_t tls_handshakes_ = 0;
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
  std::uint64_t dropped_sends_ = 0;
  std::uint64_t iterations_ = 0;
  std::uint64_t busy_ns_ = 0;
  std::atomic<std::uint64_t>* progress_ = nullptr;
  std::uint64_t refused_ = 0;  // connections, for want of descriptors
  RefusalLog refusal_log_;
  bool trimming_ = false;  // a timer for it runs
  bool stopping_ = false;
};

}  // namespace gatehouse::net
