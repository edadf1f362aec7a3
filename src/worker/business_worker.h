#pragma once

#include <gatehouse/options.h>

#include <functional>
#include <memory>
#include <string>

#include "base/black_box.h"
#include "base/role_status.h"
#include "net/loop.h"
#include "net/tls_context.h"

namespace gatehouse {

/// One business worker process: connected to every gateway of its cluster, running the user's Events.
class BusinessWorker {
 public:
  /// `generation` is how many reloads there were before it: it is part of the name that gateways know it by, so that the one
  /// which it replaces may still be there. `tls`, which must outlive it, encrypts its connections; null: not. `instance` is the
  /// same for all workers of one master and for no others: it is part of that name, too, so that two programs with workers of one
  /// name, on one machine or behind one address, do not take each other's place. Empty: as GatewayWorker's, "name:index".
  BusinessWorker(net::Loop& loop, WorkerOptions options, int index, int generation = 0, net::TlsContext* tls = nullptr,
                 const std::string& instance = {});
  BusinessWorker(const BusinessWorker&) = delete;
  BusinessWorker& operator=(const BusinessWorker&) = delete;
  ~BusinessWorker();

  /// From now on `box` shows which handler runs, and for whom. It must outlive this. To be called before start().
  void record_in(BlackBox& box);
  /// Makes the Events, runs on_worker_start, then takes events and calls `ready`. `failed` is called instead when making the
  /// Events or on_worker_start throws (the reason has been logged): the process is to end with an error.
  void start(std::function<void()> failed, std::function<void()> ready = {});
  /// The same, but takes no events: `ready` is called when it could, that is when its commands reach every gateway. Gateways that
  /// cannot be reached are waited for for 5 s, unless there is no other.
  void prepare(std::function<void()> failed, std::function<void()> ready);
  /// Takes events from now on; `serving` is called when every gateway knows it, with the same exception. REQUIRES: prepare() is
  /// ready.
  void serve(std::function<void()> serving);
  /// Why it failed.
  [[nodiscard]] const std::string& failure() const;
  /// Takes no more events, lets handlers that are suspended finish, but not for longer than 2 s, runs on_worker_stop, then calls
  /// `stopped`. What is not finished by then is given to other workers by those gateways that know of it.
  void stop(std::function<void()> stopped);
  /// The same, and waits for the handlers for as long as they take. stop() afterwards loses that patience; whichever of the two
  /// was called first calls back.
  void stop_gracefully(std::function<void()> stopped);
  [[nodiscard]] RoleStatus status() const;
  [[nodiscard]] MessageCounts message_counts() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace gatehouse
