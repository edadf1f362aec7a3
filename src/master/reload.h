#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "master/supervised_process.h"
#include "net/loop.h"

namespace gatehouse::master {

/// How a reload went.
struct ReloadOutcome {
  std::string failure;                   // why everything is as it was before; empty when it went well
  std::size_t replaced = 0;              // processes
  std::size_t leaving = 0;               // of the old ones, those that have not ended yet
  std::size_t cut_short = 0;             // of the old ones, those that were not done in time
  std::size_t added = 0;                 // processes that there were not before, of those that no reload replaces
  std::vector<std::string> silent = {};  // who has been given the new settings and has not said yet that it has them
};

/// One reload of a master's reloadable processes: starts the new ones, beside the old ones of the same name and index if there
/// are such, and waits until all of them are ready; lets them serve, and waits until they do; then gives them the places of the
/// old ones, which are told to leave. When one of the new ones cannot do its part, they all end, and the old ones have noticed
/// nothing.
///
/// Thread rule: the loop's thread.
class Reload {
 public:
  struct Settings {
    std::shared_ptr<const ProgramImage> image = {};  // of the new ones
    std::vector<const ProcessSpec*> specs = {};      // and what they are; whoever is reloadable and of no other leaves
    /// The old ones are waited for without limit; otherwise for `leave_timeout`, after which they are stopped, and `stop_timeout`
    /// later killed.
    bool gracefully = false;
    std::chrono::milliseconds ready_timeout{60'000};
    std::chrono::milliseconds leave_timeout{30'000};
    std::chrono::milliseconds stop_timeout{5'000};
  };
  struct Actions {
    std::function<void(std::size_t place)> launch;
    std::function<void(std::size_t place)> let_serve;
    std::function<void(SupervisedProcess& process, int signal)> send_signal;
    /// Nothing can fail any more.
    std::function<void()> decided;
    /// The process at `place` is not started again.
    std::function<void(std::size_t place)> forget;
    /// Exchanges the processes of two places.
    std::function<void(std::size_t a, std::size_t b)> exchange;
  };

  /// `done` is called once: when the new ones serve and the old ones have ended (`gracefully`: have been told to), or when it
  /// failed. It may not destroy this object.
  Reload(net::Loop& loop, std::vector<SupervisedProcess>& processes, Settings settings, Actions actions,
         std::function<void(const ReloadOutcome& outcome)> done);
  ~Reload();
  Reload(const Reload&) = delete;
  Reload& operator=(const Reload&) = delete;

  /// REQUIRES: called once, and there is something to be started.
  void start();
  void on_ready(std::size_t place);
  void on_serving(std::size_t place);
  /// True when the process at `place` is one of this reload's, and not to be started again. `how` as in "ended: SIGKILL".
  bool on_exit(std::size_t place, const std::string& how);
  /// The new ones end, and the old ones stay.
  void fail(const std::string& why);

  /// The new ones are not in their places yet.
  [[nodiscard]] bool is_undecided() const { return phase_ != Phase::leaving; }
  /// Nothing is left to be done.
  [[nodiscard]] bool is_over() const { return phase_ == Phase::leaving && leaving_.empty(); }

 private:
  enum class Phase { preparing, serving, leaving };
  struct Newcomer {
    std::optional<std::size_t> old_place;  // none: there are more than before
    std::size_t place = 0;
    bool done = false;  // with the phase
  };
  Newcomer* find(std::size_t place);
  std::size_t make_place(const ProcessSpec& spec, int index, int generation);
  /// The newcomer at `place` has done its part of `phase`.
  void advance(std::size_t place, Phase phase);
  void take_over();
  void let_leave(std::size_t place);
  void hurry(int signal, std::chrono::milliseconds later);
  void report();

  net::Loop& loop_;
  std::vector<SupervisedProcess>& processes_;
  const Settings settings_;
  Actions actions_;
  std::function<void(const ReloadOutcome& outcome)> done_;
  Phase phase_ = Phase::preparing;
  std::vector<Newcomer> newcomers_;
  std::vector<std::size_t> superfluous_;  // places of processes that nobody follows
  std::vector<std::size_t> leaving_;      // places
  ReloadOutcome outcome_;
  net::TimerId timer_;
};

}  // namespace gatehouse::master
