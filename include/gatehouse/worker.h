#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <gatehouse/callback.h>
#include <gatehouse/task.h>

namespace gatehouse {

class Cluster;
class WorkerContext;

/// The worker process that an Events object lives in: its place among its siblings, its timers, and its loop for other
/// libraries' descriptors.
///
/// Thread rule: only on the worker's loop.
class Worker {
 public:
  explicit Worker(WorkerContext& context) : context_(context) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// 0 … count-1; the process that replaces a dead one has its index.
  [[nodiscard]] int index() const;
  /// WorkerOptions::name
  [[nodiscard]] const std::string& name() const;
  /// Everybody who is connected.
  [[nodiscard]] Cluster& cluster();

  /// Names a timer of this worker. Harmless to cancel when it has fired.
  struct TimerId {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
  };
  /// Calls `work` every `period` (1 ms or more; otherwise std::invalid_argument), or once after `delay`. An exception that leaves
  /// it is logged. `work` is no coroutine: see Callback.
  TimerId every(std::chrono::milliseconds period, Callback<> work);
  TimerId after(std::chrono::milliseconds delay, Callback<> work);
  void cancel(TimerId id);

  /// Runs a task beside the events. An exception that leaves it is logged.
  void spawn(Task<> task);

  struct Ready {
    bool readable = false;
    bool writable = false;
  };
  struct WatchId {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;
  };
  /// Calls `callback` whenever `fd` is ready for what is asked (level-triggered), so that libpq, hiredis or libcurl can live in a
  /// worker. The descriptor stays its owner's; unwatch() it before it is closed.
  WatchId watch(int fd, Ready interest, Callback<Ready> callback);
  void unwatch(WatchId id);

 private:
  WorkerContext& context_;
};

}  // namespace gatehouse
