#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "master/supervised_process.h"
#include "net/loop.h"

namespace gatehouse::master {

/// The orderly end of all processes of a master, stage by stage; see Master.
///
/// Thread rule: the loop's thread.
class StopSequence {
 public:
  using SendSignal = std::function<void(SupervisedProcess& process, int signal)>;

  StopSequence(net::Loop& loop, std::vector<SupervisedProcess>& processes, std::chrono::milliseconds timeout,
               SendSignal send_signal, std::function<void()> on_stopped);
  ~StopSequence();
  StopSequence(const StopSequence&) = delete;
  StopSequence& operator=(const StopSequence&) = delete;

  /// A process may have ended: goes on as far as is possible. To be called after the construction, and after each end.
  void advance();

 private:
  void begin_stage(std::size_t stage);
  [[nodiscard]] bool is_over(int stop_stage) const;
  [[nodiscard]] bool is_all_over() const;
  void kill_rest();

  net::Loop& loop_;
  std::vector<SupervisedProcess>& processes_;
  SendSignal send_signal_;
  std::function<void()> on_stopped_;
  std::vector<int> stages_;     // the stop_stage values that there are, in order
  std::size_t next_stage_ = 0;  // index into stages_
  std::vector<net::TimerId> timers_;
  bool done_ = false;
};

}  // namespace gatehouse::master
