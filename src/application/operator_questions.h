#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "application/log_level_control.h"
#include "application/settings.h"
#include "master/control_socket.h"
#include "master/deny_table.h"
#include "master/master.h"
#include "net/loop.h"

namespace gatehouse {

/// The master's end of the commands that change something while an instance runs: log-level, deny, allow, and stop and start of
/// one process.
///
///   {"ask":"log level"}  {"ask":"log level","level":"debug","milliseconds":600000}
///   {"ask":"deny","range":"1.2.3.0/24","milliseconds":3600000}  {"ask":"allow","range":"1.2.3.0/24"}  {"ask":"denied"}
///   {"ask":"stop process","process":"web:1","gracefully":true,"milliseconds":10000}  {"ask":"start process","process":"web:1"}
///
/// Thread rule: the loop's thread.
class OperatorQuestions {
 public:
  OperatorQuestions(net::Loop& loop, master::Master& master, const Settings& settings);
  OperatorQuestions(const OperatorQuestions&) = delete;
  OperatorQuestions& operator=(const OperatorQuestions&) = delete;

  /// False when the question is none of these, and `answer` is left alone.
  bool answer(const std::string& question, const nlohmann::json& message, const master::ControlSocket::Answer& answer);
  /// What a process has to know that is started now (Master::Options::greeting).
  [[nodiscard]] std::vector<nlohmann::ordered_json> greeting() const;
  /// Adds what is set to the answer to `status`.
  void describe(nlohmann::ordered_json& status) const;

  /// The configuration has been read anew, and all processes have its log level: a new one counts, the same one gives way to what
  /// an operator has set.
  void reconfigure(const Settings& settings);

 private:
  void answer_log_level(const nlohmann::json& message, const master::ControlSocket::Answer& answer);
  void deny(const nlohmann::json& message, const master::ControlSocket::Answer& answer);
  void allow(const nlohmann::json& message, const master::ControlSocket::Answer& answer);
  void stop_process(const nlohmann::json& message, const master::ControlSocket::Answer& answer);
  void tell_level(LogLevel level);

  net::Loop& loop_;
  master::Master& master_;
  const Settings& settings_;
  LogLevelControl log_level_;
  master::DenyTable denied_;
};

}  // namespace gatehouse
