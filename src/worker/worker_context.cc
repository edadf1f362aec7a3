#include "worker/worker_context.h"

#include <utility>

namespace gatehouse {

WorkerContext::WorkerContext(net::Loop& loop, Cluster& cluster, Scheduler& scheduler, std::string name, int index)
    : loop_(loop), cluster_(cluster), scheduler_(scheduler), name_(std::move(name)), index_(index) {}

Activity WorkerContext::activity_of(std::string_view what) {
  if (what == "a timer") return Activity::timer;
  if (what == "on_worker_start" || what == "making the Events") return Activity::on_worker_start;
  return what == "on_worker_stop" ? Activity::on_worker_stop : Activity::task;
}

std::function<void()> WorkerContext::guarded(std::function<void()> work) {
  return [this, alive = alive(), work = std::move(work)] {
    if (!alive.expired()) guard("a timer", work);
  };
}

void WorkerContext::spawn(Task<> task) {
  tasks_.emplace_back();
  const auto place = std::prev(tasks_.end());
  bool finished = false;
  {
    const ActivityMark mark(box_, Activity::task);
    finished = place->start(std::move(task), scheduler_);
  }
  if (!finished) {
    place->when_done([this, place] {
      guard("a spawned task", [place] { place->result(); });
      tasks_.erase(place);
    });
    return;
  }
  guard("a spawned task", [place] { place->result(); });
  tasks_.erase(place);
}

void WorkerContext::clear_tasks() {
  // Out of the list first: a destructor in one of them may spawn another.
  while (!tasks_.empty()) {
    std::list<RootTask> ending;
    ending.swap(tasks_);
  }
}

}  // namespace gatehouse
