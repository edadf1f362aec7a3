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
  bool daemon = false;
  bool json = false;

  [[nodiscard]] std::string pid_path() const { return run_dir + "/" + instance + ".pid"; }
  [[nodiscard]] std::string socket_path() const { return run_dir + "/" + instance + ".sock"; }
  [[nodiscard]] std::string log_path() const { return log_file.empty() ? run_dir + "/" + instance + ".log" : log_file; }
  [[nodiscard]] std::chrono::milliseconds stop_timeout() const {
    return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(stop_timeout_seconds * 1000));
  }
};

/// The log of one process, as these settings want it. Throws std::runtime_error when the log file cannot be opened.
Log make_log(const Settings& settings, const std::string& process);

}  // namespace gatehouse
