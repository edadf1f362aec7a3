#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "master/supervised_process.h"
#include "master/symbolizer.h"
#include "net/loop.h"

namespace gatehouse::master {

/// Watches for processes whose thread is held: one iteration of the loop, and in it one call of user code, that lasts longer than
/// ProcessSpec::blocked_after. It is counted and logged with what runs, for which client, and a backtrace of where it is; after
/// ProcessSpec::kill_blocked_after the process is killed, and the master starts another.
///
/// It looks at the black boxes from outside, a few times within that duration, so that being watched costs a process nothing.
/// What runs, and for whom, is read before the process is asked where it is, for the question interrupts a call that waits, and
/// with it the handler may end. Time in which it could not look itself does not count: everything was stopped and continued, or
/// the machine it runs on.
///
/// Thread rule: the loop's thread.
class BlockWatch {
 public:
  /// `processes` lives longer than this; each place stays that of the same process and of those that follow it.
  BlockWatch(net::Loop& loop, std::vector<SupervisedProcess>& processes, Symbolizer& symbolizer);
  BlockWatch(const BlockWatch&) = delete;
  BlockWatch& operator=(const BlockWatch&) = delete;
  ~BlockWatch();

  static constexpr std::chrono::milliseconds kLongestPeriod{1000};
  static constexpr std::chrono::milliseconds kShortestPeriod{20};
  /// Between two looks: longer than a busy machine makes it.
  static constexpr std::chrono::milliseconds kSurelyStopped{2 * kLongestPeriod};
  /// That a process has to answer the signal which asks where it is. It is looked for every kReportPeriod.
  static constexpr std::chrono::milliseconds kDumpTime{5000};
  static constexpr std::chrono::milliseconds kReportPeriod{10};

 private:
  using Clock = SupervisedProcess::Clock;
  /// What was seen of the process at one place of the table.
  struct Seen {
    pid_t pid = 0;
    std::uint64_t iteration = 0;
    std::uint64_t handler = 0;
    Clock::time_point since = {};
    bool counted = false;
    bool killed = false;
  };
  /// A process that was asked where it is.
  struct Asked {
    std::string who;            // the beginning of the line
    std::uint64_t handler = 0;  // that was found holding it
    std::uint64_t reports = 0;  // in its black box before
    std::shared_ptr<BlackBoxReader> box = {};
    Clock::time_point when = {};
  };

  void look();
  void look_at(SupervisedProcess& process, Seen& seen);
  void ask(const SupervisedProcess& process, std::uint64_t handler, const std::string& who);
  void look_for_reports();
  /// True when there is nothing more to wait for.
  bool look_for_report(const Asked& asked);

  net::Loop& loop_;
  std::vector<SupervisedProcess>& processes_;
  Symbolizer& symbolizer_;
  std::vector<Seen> seen_;  // by place
  std::vector<Asked> asked_;
  Clock::time_point looked_;  // last
  net::TimerId timer_;
  net::TimerId report_timer_;  // while somebody is asked
};

}  // namespace gatehouse::master
