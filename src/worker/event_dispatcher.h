#pragma once

#include <gatehouse/events.h>
#include <tsl/robin_map.h>

#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <vector>

#include "base/black_box.h"
#include "base/log_limit.h"
#include "link/cluster_calls.h"
#include "worker/client_context.h"
#include "worker/session_record.h"

namespace gatehouse {

/// Gives events to the user's handlers: those of one client strictly one after the other, in order; those of others meanwhile.
///
/// A client is in the table only while a handler of its is suspended, or while this worker knows more of its session than the
/// next event may carry. The usual event finds nothing there, and its handler finishes at once.
class EventDispatcher final : public ClusterCalls::EventHandler {
 public:
  struct Limits {
    /// Bytes of events whose handlers are suspended, and of those that wait behind them. Above it, no more is read from the
    /// gateways until half of it is left.
    std::size_t max_held_bytes = 64 * 1024 * 1024;
  };
  EventDispatcher(net::Loop& loop, ClusterCalls& calls, Cluster& cluster, Scheduler& scheduler, Events& events, Limits limits);
  EventDispatcher(net::Loop& loop, ClusterCalls& calls, Cluster& cluster, Scheduler& scheduler, Events& events)
      : EventDispatcher(loop, calls, cluster, scheduler, events, Limits{}) {}
  ~EventDispatcher() override { clear(); }

  /// From now on `box` shows which handler runs, and for whom. It must outlive this.
  void record_in(BlackBox& box) { box_ = &box; }

  void on_event(const wire::GatewayFrame& frame, bool native, const link::EventTicket& ticket) override;
  void on_events_lost(link::GatewayKey gateway) override;

  /// Destroys every suspended handler and every event that waits. Takes no more events.
  void clear();

  /// Clients with a suspended handler.
  [[nodiscard]] std::size_t busy() const { return busy_; }
  [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }
  /// Clients in the table.
  [[nodiscard]] std::size_t remembered() const { return clients_.size(); }
  [[nodiscard]] std::uint64_t events() const { return event_count_; }
  [[nodiscard]] std::uint64_t errors() const { return error_count_; }

 private:
  using Event = std::unique_ptr<ClientContext>;
  struct ClientState {
    SessionRecord session;
    Event running;                               // its handler is suspended, or its session is being fetched
    std::unique_ptr<std::deque<Event>> waiting;  // in the order of their coming; an empty deque would take 576 bytes
    bool busy = false;                           // has a running event, or is just between two
  };
  struct ClientHash {
    std::size_t operator()(const wire::ClientId& id) const noexcept {
      return ((std::uint64_t{id.local_ip} << 32 | id.connection_id) + id.local_port) * 0x9e3779b97f4a7c15ULL;
    }
  };
  using Clients = tsl::robin_map<wire::ClientId, ClientState, ClientHash>;

  Event take();
  void give_back(Event event);
  bool begin(Event event, SessionRecord* session);
  bool run(Event event);
  Task<> call_handler(ClientContext& event);
  void suspend(Event event);
  void fetch_session(Event event);
  void on_session(ClientContext* event, link::Answers answers);
  void on_handler_done(ClientContext* event);
  Event resume(ClientContext& event);
  void finish(ClientContext& event);
  void save_session(ClientContext& event);
  void acknowledge(const ClientContext& event);
  void forget(const wire::ClientId& client);
  void run_waiting(const wire::ClientId& client);
  void hold(const ClientContext& event);
  void release(const ClientContext& event);
  void report(ClientContext& event, const std::exception_ptr& error);

  net::Loop& loop_;
  ClusterCalls& calls_;
  Cluster& cluster_;
  Scheduler& scheduler_;
  Events& events_;
  BlackBox* box_ = nullptr;
  const Limits limits_;
  Clients clients_;
  std::vector<Event> spare_;
  LogLimit bad_events_{1};
  LogLimit bad_handlers_{100};
  std::size_t held_bytes_ = 0;
  std::size_t busy_ = 0;
  std::uint64_t event_count_ = 0;
  std::uint64_t error_count_ = 0;
  bool paused_ = false;
  bool ended_ = false;
};

}  // namespace gatehouse
