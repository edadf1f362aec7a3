#pragma once

#include <gatehouse/task.h>

#include <utility>

#include "net/loop.h"

namespace gatehouse {

/// Lets tasks sleep on the worker's loop.
class LoopScheduler final : public Scheduler {
 public:
  explicit LoopScheduler(net::Loop& loop) : loop_(loop) {}

  Timer after(std::chrono::milliseconds delay, std::function<void()> callback) override {
    const net::TimerId id = loop_.after(delay, std::move(callback));
    return {id.slot, id.generation};
  }
  void cancel(Timer timer) override { loop_.cancel({timer.slot, timer.generation}); }

 private:
  net::Loop& loop_;
};

}  // namespace gatehouse
