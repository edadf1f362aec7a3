#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "master/supervised_process.h"
#include "net/loop.h"

namespace gatehouse::master {

/// The patient part of `stop -g`: tells those that know what it means (ProcessSpec::graceful) to end when what they have is done,
/// stage by stage, and calls `on_done` when they have all ended, or when the time is over. `on_done` may not destroy this object.
/// The rest is for StopSequence.
///
/// Thread rule: the loop's thread.
class GracefulStop {
 public:
  using SendSignal = std::function<void(SupervisedProcess& process, int signal)>;

  GracefulStop(net::Loop& loop, std::vector<SupervisedProcess>& processes, std::chrono::milliseconds timeout,
               SendSignal send_signal, std::function<void(bool in_time)> on_done);
  ~GracefulStop();
  GracefulStop(const GracefulStop&) = delete;
  GracefulStop& operator=(const GracefulStop&) = delete;

  /// To be called after the construction, and after each end.
  void advance();
  /// A process that ends is not to be started again.
  [[nodiscard]] bool is_leaving(const SupervisedProcess& process) const;

 private:
  net::Loop& loop_;
  std::vector<SupervisedProcess>& processes_;
  SendSignal send_signal_;
  std::function<void(bool in_time)> on_done_;
  std::vector<int> stages_;  // the stop_stage values of those that are graceful, in order
  std::size_t begun_ = 0;    // stages
  net::TimerId timer_;
};

}  // namespace gatehouse::master
