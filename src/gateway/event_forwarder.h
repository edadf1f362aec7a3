#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/client_table.h"
#include "gateway/event_router.h"
#include "gateway/worker_table.h"
#include "net/loop.h"
#include "wire/gateway_protocol.h"

namespace gatehouse::gateway {

/// Passes the events of clients on to workers.
///
/// Back-pressure instead of loss: a client whose worker's queue is above the mark is not read from until it drains; without any
/// worker at all, events wait here, their clients are not read from, and after a while, or above a size, those clients are given
/// up.
class EventForwarder {
 public:
  struct Settings {
    std::uint32_t local_ip = 0;  // announced to workers, part of every client id
    std::uint16_t local_port = 0;
    std::uint16_t gateway_port = 0;
    std::size_t high_water_bytes = 10 * 1024 * 1024;  // of a worker's queue
    std::size_t held_bytes = 16 * 1024 * 1024;        // of events without a worker
    std::uint64_t held_ms = 30'000;
  };
  /// What PHP workers accept as one frame (Workerman's defaultMaxPackageSize); a larger one would cost the whole link.
  static constexpr std::size_t kMaxFrameForPhp = 10'485'760;
  /// What native workers accept, at the least (link::GatewayLink), with the address of the extension beside it.
  static constexpr std::size_t kMaxFrameForNative = 16 * 1024 * 1024;

  EventForwarder(net::Loop& loop, ClientTable& clients, WorkerTable& workers, EventRouter& router, Settings settings);

  struct Event {
    wire::Command command{};
    std::string_view body;
    std::uint8_t flags = wire::flag::kScalar;  // kBinary and kCloseReason are taken back for workers that do not know them
  };
  enum class Outcome {
    passed,
    held,     // waits for a worker
    too_big,  // over what the worker accepts as one frame: nothing was sent
    gave_up,  // no worker, and no more room to wait in: nothing was kept
  };
  Outcome forward(std::uint32_t client, const Event& event);

  /// Workers have come or gone: what was held goes to those that are there.
  void deliver_held();
  /// The queue of a worker has drained, or the worker has gone: its clients are read from again.
  void resume_clients_of(const std::vector<std::uint32_t>& waiting);
  /// Clients whose oldest held event has waited too long; they are to be disconnected, and their events are dropped. But whoever
  /// has heard that a client came will hear that it went, and nobody hears that one went of whom nobody heard.
  std::vector<std::uint32_t> take_expired();

  [[nodiscard]] std::size_t held() const { return held_.size(); }
  [[nodiscard]] std::uint64_t forwarded() const { return forwarded_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }

 private:
  /// An event without a worker. Owns everything, since its client may be gone when a worker comes.
  struct HeldEvent {
    std::uint64_t since_ms;
    std::uint32_t connection_id;
    wire::Command command;
    std::uint8_t flags;
    net::Address peer;
    std::string session;
    std::string body;
  };

  static bool fits(const WorkerLink& worker, std::size_t session_size, std::size_t body_size);
  static std::size_t size_of(const HeldEvent& event) { return sizeof event + event.session.size() + event.body.size(); }
  bool write(WorkerLink& worker, std::uint32_t connection_id, const net::Address& peer, std::string_view session,
             const Event& event);
  Outcome hold(ClientRecord& record, const net::Address& peer, const Event& event);
  void wait_for(WorkerLink& worker, net::Connection& inner, ClientRecord& record);

  net::Loop& loop_;
  ClientTable& clients_;
  WorkerTable& workers_;
  EventRouter& router_;
  Settings settings_;
  std::deque<HeldEvent> held_;
  std::size_t held_size_ = 0;
  std::vector<std::uint32_t> given_up_;  // connection ids whose held event no worker accepts
  std::uint64_t forwarded_ = 0;
};

}  // namespace gatehouse::gateway
