#include "master/graceful_stop.h"

#include <algorithm>
#include <csignal>
#include <set>
#include <utility>

namespace gatehouse::master {

GracefulStop::GracefulStop(net::Loop& loop, std::vector<SupervisedProcess>& processes, std::chrono::milliseconds timeout,
                           SendSignal send_signal, std::function<void(bool in_time)> on_done)
    : loop_(loop), processes_(processes), send_signal_(std::move(send_signal)), on_done_(std::move(on_done)) {
  std::set<int> stages;
  for (const SupervisedProcess& process : processes_) {
    if (process.spec->graceful) stages.insert(process.spec->stop_stage);
  }
  stages_.assign(stages.begin(), stages.end());
  timer_ = loop_.after(timeout, [this] { on_done_(false); });
}

GracefulStop::~GracefulStop() { loop_.cancel(timer_); }

bool GracefulStop::is_leaving(const SupervisedProcess& process) const {
  if (!process.spec->graceful) return false;
  const auto stage = std::find(stages_.begin(), stages_.end(), process.spec->stop_stage);
  return static_cast<std::size_t>(stage - stages_.begin()) < begun_;
}

void GracefulStop::advance() {
  const auto is_there = [this](const SupervisedProcess& process) { return process.is_alive() && is_leaving(process); };
  while (std::none_of(processes_.begin(), processes_.end(), is_there)) {
    if (begun_ == stages_.size()) {
      loop_.cancel(timer_);
      return on_done_(true);
    }
    const int stage = stages_[begun_++];
    for (SupervisedProcess& process : processes_) {
      if (process.spec->stop_stage == stage && process.spec->graceful && process.is_alive()) send_signal_(process, SIGQUIT);
    }
  }
}

}  // namespace gatehouse::master
