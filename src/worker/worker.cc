#include <gatehouse/worker.h>

#include <stdexcept>
#include <utility>

#include "worker/worker_context.h"

namespace gatehouse {

int Worker::index() const { return context_.index(); }

const std::string& Worker::name() const { return context_.name(); }

Cluster& Worker::cluster() { return context_.cluster(); }

Worker::TimerId Worker::every(std::chrono::milliseconds period, Callback<> work) {
  if (period.count() < 1) throw std::invalid_argument("period: 1 ms or more is wanted");
  if (!work) throw std::invalid_argument("work: a function is wanted");
  const net::TimerId id = context_.loop().every(period, context_.guarded(std::move(work).take()));
  return {id.slot, id.generation};
}

Worker::TimerId Worker::after(std::chrono::milliseconds delay, Callback<> work) {
  if (delay.count() < 0) throw std::invalid_argument("delay: must not be negative");
  if (!work) throw std::invalid_argument("work: a function is wanted");
  const net::TimerId id = context_.loop().after(delay, context_.guarded(std::move(work).take()));
  return {id.slot, id.generation};
}

void Worker::cancel(TimerId id) { context_.loop().cancel({id.slot, id.generation}); }

void Worker::spawn(Task<> task) { context_.spawn(std::move(task)); }

Worker::WatchId Worker::watch(int fd, Ready interest, Callback<Ready> callback) {
  if (!callback) throw std::invalid_argument("callback: a function is wanted");
  const net::WatchId id = context_.loop().watch(
      fd, {.readable = interest.readable, .writable = interest.writable},
      [&context = context_, alive = context_.alive(), callback = std::move(callback).take()](net::Readiness ready) {
        if (alive.expired()) return;
        context.guard("the callback of a watched descriptor",
                      [&] { callback({.readable = ready.readable, .writable = ready.writable}); });
      });
  return {id.index, id.generation};
}

void Worker::unwatch(WatchId id) { context_.loop().unwatch({id.index, id.generation}); }

}  // namespace gatehouse
