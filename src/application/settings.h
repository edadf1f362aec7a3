#pragma once

#include <chrono>
#include <string>

#include "base/log.h"
#include "base/result.h"

namespace gatehouse {

/// What the command line says about running a program, whichever program it is.
struct Settings {
  std::string instance;  // names the files in the run directory
  std::string run_dir;
  std::string log_file = {};  // empty: standard error, or in a daemon log_path()
  std::string log_level = "info";
  double stop_timeout_seconds = 5;
  double graceful_timeout_seconds = 60;  // of `stop -g`, for clients to go
  double reload_timeout_seconds = 30;    // of `reload`, for the old workers to finish
  bool graceful = false;                 // -g
  bool daemon = false;
  bool json = false;

  [[nodiscard]] std::string pid_path() const { return run_dir + "/" + instance + ".pid"; }
  [[nodiscard]] std::string socket_path() const { return run_dir + "/" + instance + ".sock"; }
  [[nodiscard]] std::string log_path() const { return log_file.empty() ? run_dir + "/" + instance + ".log" : log_file; }
  [[nodiscard]] std::chrono::milliseconds stop_timeout() const { return milliseconds(stop_timeout_seconds); }
  [[nodiscard]] std::chrono::milliseconds graceful_timeout() const { return milliseconds(graceful_timeout_seconds); }
  [[nodiscard]] std::chrono::milliseconds reload_timeout() const { return milliseconds(reload_timeout_seconds); }

 private:
  static std::chrono::milliseconds milliseconds(double seconds) {
    return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(seconds * 1000));
  }
};

/// The log of one process, as these settings want it. Throws std::runtime_error when the log file cannot be opened.
Log make_log(const Settings& settings, const std::string& process);

}  // namespace gatehouse
