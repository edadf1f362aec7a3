#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "master/block_watch.h"
#include "master/child_questions.h"
#include "master/describer.h"
#include "master/graceful_stop.h"
#include "master/identity.h"
#include "master/json_lines.h"
#include "master/process_control.h"
#include "master/program_image.h"
#include "master/reload.h"
#include "master/settings_takeover.h"
#include "master/status_report.h"
#include "master/stop_sequence.h"
#include "master/supervised_process.h"
#include "master/symbolizer.h"
#include "net/loop.h"

namespace gatehouse::master {

/// How the start went, told once: when every process has been ready, when one keeps ending before it is, or after
/// Master::kStartTimeout.
struct StartOutcome {
  std::vector<std::string> not_ready;  // "worker Chat:0"; empty when everything is up
  std::string failure;                 // why one of them cannot come up, as one sentence; empty when none ended
};

/// Keeps the processes of a program running: one `fork` and `exec` of the program file per process, a control channel to each, a
/// new one for each that ends, and at the end all of them stopped in order.
///
/// Stopping goes by stages (ProcessSpec::stop_stage): a stage gets SIGTERM when the one before it has ended, or has used up its
/// share of the time; whatever is left when all of the time is over gets SIGKILL.
///
/// Thread rule: the loop's thread. The loop is to run nothing else that waits for children.
class Master {
 public:
  struct Options {
    std::string name;                    // of the program, for status
    std::vector<ProcessSpec> processes;  // their listeners stay the caller's, and open
    std::string program;                 // the program file, which `reload` opens again
    std::vector<std::string> arguments;  // with argv[0], the same for all children
    std::chrono::milliseconds stop_timeout{5000};
    std::chrono::milliseconds reload_timeout{30'000};  // for those that a reload replaces, to finish what they have
    std::optional<Identity> identity = {};             // that children become
    /// What processes are started from until a reload; null: `program` as it is now.
    std::shared_ptr<const ProgramImage> image = {};
    /// What every process is told first thing, by messages without an answer (ChildControl).
    std::function<std::vector<nlohmann::ordered_json>()> greeting = {};
  };
  struct Callbacks {
    std::function<void(const StartOutcome& outcome)> on_started;
    std::function<void()> on_stopped;  // every process has ended
  };

  Master(net::Loop& loop, Options options, Callbacks callbacks);
  ~Master();
  Master(const Master&) = delete;
  Master& operator=(const Master&) = delete;

  /// Starts all processes. REQUIRES: called once.
  void start();
  /// Stops all processes; on_stopped follows, unless it has been called before. Harmless when they are being stopped already.
  void stop();
  /// Tells those processes that can to finish what they have and take nothing new; stops all when they have ended, or after
  /// `timeout`.
  void stop_gracefully(std::chrono::milliseconds timeout);
  /// Why there can be no reload at the moment; empty when there can.
  [[nodiscard]] std::string cannot_reload() const;
  /// Asks the program file, as it is now, what it consists of with this configuration; see Describer. REQUIRES: cannot_reload()
  /// is empty.
  void describe(std::vector<ConfigurationText> configuration, Describer::Done done);
  struct ReloadRequest {
    bool gracefully = false;
    std::shared_ptr<const ProgramImage> image;  // of all processes that are new
    /// What is to run: those that run and are not named here go on as they are, unless they are reloadable.
    std::vector<ProcessSpec> specs;
    std::chrono::milliseconds stop_timeout{5000};
    /// Called when nothing can fail any more: all of it is in force, though old processes may still be leaving.
    std::function<void()> on_decided = [] {};
  };
  /// Gives the processes that stay their new settings (ProcessSpec::settings), then replaces the reloadable ones (Reload), then
  /// starts what is new. When one of the first two fails everything is as it was. `done` is called in any case.
  void reload(ReloadRequest request, std::function<void(const ReloadOutcome& outcome)> done);
  /// Stops the process called `name` (find_process) alone, and starts it again; see ProcessControl for the answers.
  void stop_process(const std::string& name, bool gracefully, std::chrono::milliseconds timeout, ProcessControl::Done done);
  void start_process(const std::string& name, ProcessControl::Done done);
  /// Asks all processes that run, or of those of `role` alone; `done` gets the answers by place, and the labels of those who have
  /// not answered within kAnswerTimeout. What is asked reaches them all the same when they come to it.
  void ask_all(const std::string& question, const nlohmann::ordered_json& details, const std::string& role,
               std::function<void(const ChildQuestions::Answers& answers, const std::vector<std::string>& silent)> done);
  /// Looks for children that ended: to be called at SIGCHLD.
  void reap();
  /// Sends a signal to every process that runs.
  void signal_all(int signal);
  /// Gives the status, with what each child says of itself within a second.
  void status(std::function<void(const nlohmann::ordered_json& status)> done);

  /// Gives a piece of the connections of all processes, as connection_page() gives one of one process. `question` says where it
  /// begins, {"place":0,"from":0,"filter":{...}}; the answer is {"process":{...},"rows":[...],"next":{"place":1,"from":0}}, with
  /// rows null for a process that did not answer, and next null at the end.
  void connections(const nlohmann::json& question, std::function<void(const nlohmann::ordered_json& piece)> done);

  [[nodiscard]] const std::vector<SupervisedProcess>& processes() const { return processes_; }

  static constexpr std::chrono::milliseconds kStartTimeout{10'000};
  static constexpr std::chrono::milliseconds kAnswerTimeout{1'000};
  /// A process that ends this often without ever having been ready makes a start a failure at once.
  static constexpr std::uint64_t kStartAttempts = 3;

 private:
  void launch(std::size_t place);
  void renew_held(const std::vector<const ProcessSpec*>& specs, const std::shared_ptr<const ProgramImage>& image);
  Result<pid_t> spawn_child(SupervisedProcess& process, int control_fd);
  void exchange(std::size_t a, std::size_t b);
  using ReloadDone = std::function<void(const ReloadOutcome& outcome)>;
  using Settings = std::vector<std::pair<ProcessSpec*, std::string>>;
  [[nodiscard]] ProcessSpec* find_spec(const ProcessSpec& like);
  SupervisedProcess& add_process(const ProcessSpec& spec, int index, std::shared_ptr<const ProgramImage> image);
  /// Gives each its settings, and gives back those of before.
  Settings exchange_settings(const Settings& settings);
  void replace_workers(const ReloadRequest& request, const std::function<void()>& decided, const ReloadDone& done);
  /// Starts those that there were not; returns how many.
  std::size_t start_new(const ReloadRequest& request);
  void forget_specs();
  void send_signal(SupervisedProcess& process, int signal);
  void advance_leaving();
  void sweep_reloads();
  void on_exit(std::size_t place, const std::string& how);
  void on_child_message(net::Connection& connection, const nlohmann::json& message);
  /// As process 1 (of a container) it inherits what others leave behind, and nobody else waits for those.
  void reap_adopted();
  void log_backtrace(const SupervisedProcess& process, pid_t pid);
  void check_started();
  /// Why no single process may be stopped or started at the moment; empty when it may.
  [[nodiscard]] std::string why_no_change(const SupervisedProcess& process) const;
  void settle(StartOutcome outcome);

  net::Loop& loop_;
  Options options_;
  Callbacks callbacks_;
  const std::chrono::system_clock::time_point started_;
  std::list<ProcessSpec> specs_;                      // of all processes, also of those that are still leaving
  const SupervisedProcess::Clock::time_point began_;  // the same moment, on a clock that nobody sets
  std::vector<SupervisedProcess> processes_;
  Symbolizer symbolizer_;
  Describer describer_;
  std::optional<BlockWatch> block_watch_;  // while nothing is being stopped
  ChildQuestions questions_;
  SettingsTakeover takeover_{processes_, questions_};
  bool reloading_ = false;  // something is being decided
  ProcessControl process_control_;
  JsonLines control_lines_;
  net::TimerId start_timer_;
  bool settled_ = false;
  std::vector<std::unique_ptr<Reload>> reloads_;  // the last may be undecided; of the others old processes are still leaving
  std::unique_ptr<GracefulStop> leaving_;
  std::unique_ptr<StopSequence> stopping_;
};

}  // namespace gatehouse::master
