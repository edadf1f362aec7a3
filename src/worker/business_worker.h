#pragma once

#include <gatehouse/options.h>

#include <functional>
#include <memory>

#include "base/role_status.h"
#include "net/loop.h"

namespace gatehouse {

/// One business worker process: connected to every gateway of its cluster, running the user's Events.
class BusinessWorker {
 public:
  BusinessWorker(net::Loop& loop, WorkerOptions options, int index);
  BusinessWorker(const BusinessWorker&) = delete;
  BusinessWorker& operator=(const BusinessWorker&) = delete;
  ~BusinessWorker();

  /// Makes the Events, runs on_worker_start, and takes events from then on. `failed` is called instead when making the Events or
  /// on_worker_start throws (the reason has been logged): the process is to end with an error.
  void start(std::function<void()> failed);
  /// Takes no more events, lets handlers that are suspended finish, runs on_worker_stop, then calls `stopped`.
  void stop(std::function<void()> stopped);
  [[nodiscard]] RoleStatus status() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace gatehouse
