#include "master/stop_sequence.h"

#include <algorithm>
#include <csignal>
#include <set>

namespace gatehouse::master {

StopSequence::StopSequence(net::Loop& loop, std::vector<SupervisedProcess>& processes, std::chrono::milliseconds timeout,
                           SendSignal send_signal, std::function<void()> on_stopped)
    : loop_(loop), processes_(processes), send_signal_(std::move(send_signal)), on_stopped_(std::move(on_stopped)) {
  std::set<int> stages;
  for (const SupervisedProcess& process : processes_) stages.insert(process.spec->stop_stage);
  stages_.assign(stages.begin(), stages.end());
  // A stage that hangs must leave time for the others: each has an equal share.
  for (std::size_t stage = 1; stage < stages_.size(); ++stage) {
    const auto latest = timeout * static_cast<int>(stage) / static_cast<int>(stages_.size());
    timers_.push_back(loop_.after(latest, [this, stage] { begin_stage(stage); }));
  }
  timers_.push_back(loop_.after(timeout, [this] { kill_rest(); }));
}

StopSequence::~StopSequence() {
  for (const net::TimerId timer : timers_) loop_.cancel(timer);
}

void StopSequence::advance() {
  while (next_stage_ < stages_.size() && (next_stage_ == 0 || is_over(stages_[next_stage_ - 1]))) begin_stage(next_stage_);
  if (next_stage_ == stages_.size() && is_all_over() && !done_) {
    done_ = true;
    on_stopped_();
  }
}

void StopSequence::begin_stage(std::size_t stage) {
  if (stage < next_stage_) return;
  next_stage_ = stage + 1;
  for (SupervisedProcess& process : processes_) {
    if (process.spec->stop_stage == stages_[stage] && process.is_alive()) send_signal_(process, SIGTERM);
  }
}

bool StopSequence::is_over(int stop_stage) const {
  return std::none_of(processes_.begin(), processes_.end(), [&](const SupervisedProcess& process) {
    return process.spec->stop_stage == stop_stage && process.is_alive();
  });
}

bool StopSequence::is_all_over() const {
  return std::none_of(processes_.begin(), processes_.end(), [](const SupervisedProcess& process) { return process.is_alive(); });
}

void StopSequence::kill_rest() {
  for (SupervisedProcess& process : processes_) {
    if (process.is_alive()) send_signal_(process, SIGKILL);
  }
}

}  // namespace gatehouse::master
