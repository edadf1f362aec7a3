#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "gateway/client_table.h"
#include "gateway/deliveries.h"
#include "gateway/event_router.h"
#include "gateway/turns.h"
#include "gateway/worker_table.h"
#include "net/loop.h"
#include "wire/gateway_protocol.h"

namespace gatehouse::gateway {

/// Passes the events of clients on to workers.
///
/// Back-pressure instead of loss: a client whose worker's queue is above the mark is not read from until it drains; without any
/// worker at all, events wait here, their clients are not read from, and after a while, or above a size, those clients are given
/// up.
///
/// Of a worker that acknowledges, the events that it has not finished are kept, up to a size, above which its clients are not
/// read from. When it is gone they are given to another one, in the order of each client. When it says that it is leaving, it
/// gets no more, and its clients are not read from until it has finished what it has of theirs.
class EventForwarder {
 public:
  struct Settings {
    std::uint32_t local_ip = 0;  // announced to workers, part of every client id
    std::uint16_t local_port = 0;
    std::uint16_t gateway_port = 0;
    std::size_t high_water_bytes = 10 * 1024 * 1024;  // of a worker's queue
    std::size_t held_bytes = 16 * 1024 * 1024;        // of events without a worker
    std::size_t unfinished_bytes = 16 * 1024 * 1024;  // of events that one worker has and has not finished
    std::uint64_t held_ms = 30'000;
  };
  /// What PHP workers accept as one frame (Workerman's defaultMaxPackageSize); a larger one would cost the whole link.
  static constexpr std::size_t kMaxFrameForPhp = 10'485'760;
  /// What native workers accept, at the least (link::GatewayLink), with the address of the extension beside it.
  static constexpr std::size_t kMaxFrameForNative = 32 * 1024 * 1024;
  /// Workers that may die while they handle one and the same event, before it is taken for what kills them.
  static constexpr std::uint8_t kMostDeaths = 3;

  EventForwarder(net::Loop& loop, ClientTable& clients, WorkerTable& workers, EventRouter& router, Settings settings);

  /// For events from now on. REQUIRES: addresses and ports are the same as before.
  void change(Settings settings) { settings_ = settings; }

  struct Event {
    wire::Command command{};
    std::string_view body;                     // of on_websocket_connect: the client's request
    std::uint8_t flags = wire::flag::kScalar;  // may be those of the extension
    std::uint8_t deaths = 0;                   // of workers that had begun it
  };
  enum class Outcome {
    passed,
    passed_and_waits,  // the worker has enough: the client is not read from until it has drained
    held,              // waits for a worker
    too_big,           // over what the worker accepts as one frame: nothing was sent
    gave_up,           // no worker, and no more room to wait in: nothing was kept
  };
  Outcome forward(std::uint32_t client, const Event& event);

  /// Workers have come or gone: what was held goes to those that are there.
  void deliver_held();
  /// The worker has gone: its clients are read from again.
  void resume_clients_of(const std::vector<std::uint32_t>& waiting);
  /// The queue of a worker has drained, or it has finished events: its clients are read from again unless too much is left.
  void relieve(WorkerLink& worker);

  /// A worker that acknowledges its events has connected. `again`: at least once.
  WorkerDelivery& open_delivery(net::ConnectionId connection, WorkerRef ref, bool again);
  [[nodiscard]] WorkerDelivery* find_delivery(std::uint32_t id) { return deliveries_.find(id); }
  /// The worker has finished the events of `ranges`, or is about to begin them. False when that cannot be read.
  bool finish(WorkerDelivery& link, std::string_view ranges);
  bool begin(WorkerDelivery& link, std::string_view ranges);
  /// The worker, which is out of the table already, gets nothing more; it may be let go when its events are finished.
  void let_leave(WorkerDelivery& link);
  /// The link is gone, and its worker out of the table: what it has not finished is given to others, with the next
  /// deliver_held().
  void close_delivery(WorkerDelivery& link);
  /// The links of which nothing was heard for `silence_ms`.
  std::vector<net::ConnectionId> silent_links(std::uint64_t silence_ms);
  /// For so long, until now, nothing could be heard.
  void excuse_silence(std::uint64_t time_ms);
  /// Clients whose oldest held event has waited too long; they are to be disconnected, and their events are dropped. But whoever
  /// has heard that a client came will hear that it went, and nobody hears that one went of whom nobody heard.
  std::vector<std::uint32_t> take_expired();
  /// Clients whose event has killed too many workers; they are to be disconnected.
  std::vector<std::uint32_t> take_deadly() { return std::exchange(deadly_, {}); }

  /// Whether a worker has events of the client that it has not finished.
  enum class Unfinished : std::uint8_t {
    none,
    some,
    unknown,  // its worker does not acknowledge them
  };
  /// Looks through the last kMostLookedAt events of its worker; of what lies further back nothing is known, and that is `none`.
  [[nodiscard]] Unfinished unfinished_events_of(const ClientRecord& record) const;
  static constexpr std::size_t kMostLookedAt = 4096;
  /// From now on `watcher` is called with the connection id of each watched client of which a worker has finished events, or has
  /// gone with them. It may close clients.
  void set_watcher(std::function<void(std::uint32_t)> watcher) { watcher_ = std::move(watcher); }
  void watch(std::uint32_t connection_id) { watched_.insert(connection_id); }
  void unwatch(std::uint32_t connection_id) { watched_.erase(connection_id); }

  [[nodiscard]] Turns& turns() { return turns_; }
  [[nodiscard]] std::size_t held() const { return held_.size(); }
  /// Whose they are. Takes time in proportion to their number.
  [[nodiscard]] std::unordered_set<std::uint32_t> held_clients() const;
  [[nodiscard]] std::uint64_t forwarded() const { return forwarded_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }

 private:
  /// An event without a worker. Owns everything, since its client may be gone when a worker comes.
  struct HeldEvent {
    std::uint64_t since_ms;
    std::uint32_t connection_id;
    wire::Command command;
    std::uint8_t flags;
    std::uint8_t deaths;
    net::Address peer;
    std::string session;
    std::string body;
  };

  static bool fits(const WorkerLink& worker, std::size_t session_size, std::size_t body_size);
  /// As it counts against held_bytes. One that was taken back is within the bound of the worker that had it.
  static std::size_t size_of(const HeldEvent& event) {
    const bool taken_back = (event.flags & wire::flag::kRedelivered) != 0;
    // What a request may become when a worker of PHP is told it; 7 times at most was seen.
    const std::size_t growth = event.command == wire::Command::on_websocket_connect ? 8 : 1;
    return taken_back ? 0 : sizeof event + event.session.size() + growth * event.body.size();
  }
  /// The event as this worker is told it: flags of the extension are taken back for one that does not know it, and it gets the
  /// bodies that upstream knows. The result refers to `made`, which may be empty.
  [[nodiscard]] Event in_its_words(const WorkerLink& worker, const Event& event, const net::Address& peer,
                                   std::string& made) const;
  bool write(WorkerLink& worker, net::Connection& inner, std::uint32_t connection_id, const net::Address& peer,
             std::string_view session, const Event& event);
  Outcome hold(ClientRecord& record, const net::Address& peer, const Event& event);
  [[nodiscard]] bool is_full(const WorkerLink& worker, const net::Connection& inner, std::size_t part) const;
  /// False when the client is not read from anyway.
  bool wait_for(WorkerLink& worker, net::Connection& inner, ClientRecord& record);
  bool is_expired(const HeldEvent& event) const;
  /// Those of these clients begin to wait for a worker only now: so far they waited for one to finish.
  void renew_held(const std::vector<std::uint32_t>& released);
  void tell_watcher(const std::vector<std::uint32_t>& connection_ids);
  void take_back(const WorkerDelivery& link, const UnfinishedEvents::Event& event, std::deque<HeldEvent>& out);

  net::Loop& loop_;
  ClientTable& clients_;
  WorkerTable& workers_;
  EventRouter& router_;
  Settings settings_;
  Deliveries deliveries_;
  Turns turns_;
  std::deque<HeldEvent> held_;
  std::size_t held_size_ = 0;
  std::vector<std::uint32_t> given_up_;  // connection ids whose held event no worker accepts
  std::vector<std::uint32_t> deadly_;
  std::function<void(std::uint32_t)> watcher_;
  std::unordered_set<std::uint32_t> watched_;  // connection ids
  std::uint64_t forwarded_ = 0;
};

}  // namespace gatehouse::gateway
