#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "master/supervised_process.h"
#include "net/loop.h"

namespace gatehouse::master {

/// Stops and starts single processes at an operator's word. One that was stopped is "held": nothing but start() brings it back,
/// no reload and no restart policy. While nobody has a listening socket any more, connections to it are refused; without that
/// they would wait in the master's own copy of it for somebody to accept them.
///
/// Answers are {"process":"gateway web:1"} with what belongs to it, or {"error":"..."}.
///
/// Thread rule: the loop's thread.
class ProcessControl {
 public:
  struct Settings {
    std::chrono::milliseconds stop_timeout{5'000};    // from SIGTERM to SIGKILL
    std::chrono::milliseconds start_timeout{10'000};  // to be ready
  };
  struct Actions {
    std::function<void(std::size_t place)> launch;
    std::function<void(SupervisedProcess& process, int signal)> send_signal;
  };
  using Done = std::function<void(const nlohmann::ordered_json& answer)>;

  ProcessControl(net::Loop& loop, std::vector<SupervisedProcess>& processes, Settings settings, Actions actions);
  ~ProcessControl();
  ProcessControl(const ProcessControl&) = delete;
  ProcessControl& operator=(const ProcessControl&) = delete;

  /// Stops it; `done` is called when it has ended, with "how", and "in_time". `gracefully`: it takes nothing new, and has
  /// `timeout` for what it has. A second call for the same process may be less patient than the first.
  void stop(std::size_t place, bool gracefully, std::chrono::milliseconds timeout, Done done);
  /// Starts one that was stopped; `done` is called when it is ready, with "pid", or when it has not become so.
  void start(std::size_t place, Done done);

  void on_ready(std::size_t place);
  /// To be called when the process at `place` has ended and its state is what it is from now on.
  void on_exit(std::size_t place, const std::string& how);

 private:
  struct Waiting {
    std::vector<Done> done;
    net::TimerId timer;
    bool in_time = true;
  };
  enum class Others { that_serve, that_live };
  /// Whether another process than the one at `place` has the listening socket and takes clients, now or when it has been started
  /// again; or whether one lives that may.
  [[nodiscard]] bool is_shared(std::size_t place, int listener, Others others) const;
  [[nodiscard]] bool has_siblings(std::size_t place) const;
  void hurry(std::size_t place, int signal);
  void release_listeners(std::size_t place);
  static void finish(std::map<std::size_t, Waiting>& waiting, net::Loop& loop, std::size_t place,
                     const std::function<nlohmann::ordered_json(const Waiting& waiting)>& answer);

  net::Loop& loop_;
  std::vector<SupervisedProcess>& processes_;
  const Settings settings_;
  Actions actions_;
  std::map<std::size_t, Waiting> stops_;   // by place
  std::map<std::size_t, Waiting> starts_;  // by place
};

}  // namespace gatehouse::master
