#pragma once

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "base/connection_row.h"
#include "base/log.h"
#include "base/result.h"

namespace gatehouse {

/// What the commands are told that change something while an instance runs; as it was written.
struct OperatorRequest {
  std::string process = {};    // of `stop` and `start`: "web:1"; empty for all
  std::string log_level = {};  // of `log-level`
  std::string range = {};      // of `deny` and `allow`
  std::string time = {};       // of `deny`, and of `log-level --for`
  bool list = false;           // of `deny`
};

/// What the command line says about running a program, whichever program it is.
struct Settings {
  std::string instance;  // names the files in the run directory
  std::string run_dir;
  std::string pid_file = {};        // empty: INSTANCE.pid in the run directory
  std::string control_socket = {};  // empty: INSTANCE.sock in the run directory
  std::string log_file = {};        // empty: standard error, or in a daemon log_path()
  std::string log_level = "info";
  std::string log_format = "text";
  std::string user = {};   // that the children become; empty: as they are
  std::string group = {};  // empty: the user's own
  double stop_timeout_seconds = 5;
  double graceful_timeout_seconds = 60;  // of `stop -g`, for clients to go
  double reload_timeout_seconds = 30;    // of `reload`, for the old workers to finish
  bool graceful_timeout_given = false;   // on this command line
  std::vector<std::string> given = {};   // of InstanceOptions, those that the command line has
  bool graceful = false;                 // -g
  bool daemon = false;
  bool quiet = false;  // nothing on standard output
  bool json = false;
  bool against_running = false;  // of `check`
  double live_seconds = 0;       // of `status`: between one and the next; 0 for one only
  ConnectionFilter filter = {};
  OperatorRequest request = {};

  [[nodiscard]] std::string pid_path() const { return pid_file.empty() ? run_dir + "/" + instance + ".pid" : pid_file; }
  [[nodiscard]] std::string socket_path() const {
    return control_socket.empty() ? run_dir + "/" + instance + ".sock" : control_socket;
  }
  [[nodiscard]] std::string log_path() const { return log_file.empty() ? run_dir + "/" + instance + ".log" : log_file; }
  [[nodiscard]] std::chrono::milliseconds stop_timeout() const { return milliseconds(stop_timeout_seconds); }
  [[nodiscard]] std::chrono::milliseconds graceful_timeout() const { return milliseconds(graceful_timeout_seconds); }
  [[nodiscard]] std::chrono::milliseconds reload_timeout() const { return milliseconds(reload_timeout_seconds); }

 private:
  static std::chrono::milliseconds milliseconds(double seconds) {
    return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(seconds * 1000));
  }
};

/// The log of one process, as these settings want it. A daemon's is its standard error, which daemonize() has made the log file.
/// Throws std::runtime_error when the log file cannot be opened.
Log make_log(const Settings& settings, const std::string& process);

/// Gives the log the level and format of these settings, also all copies of it.
void set_log(const Settings& settings, Log log);

/// Goes on in the file that now has the log's name: for whoever has moved the old one away. In a daemon standard output and error
/// follow. A file that cannot be opened is logged, into the old one.
void reopen_log(const Settings& settings, const Log& log);

/// The signal at which every process does that. Upstream's scripts use USR1 and USR2 for reloading and HUP for stopping; URG is
/// ignored by whoever does not know it, so that it cannot hurt when it is sent to a wrong process.
inline constexpr int kReopenLogSignal = SIGURG;

}  // namespace gatehouse
