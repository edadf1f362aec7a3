#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "application/option_problem.h"
#include "application/program.h"
#include "application/settings.h"

namespace gatehouse {

/// What a running process of a role takes over, and what one that is started in its place is given beside the configuration of
/// the start. As JSON: {"log_level":"info","log_format":"text","stop_timeout":5000,"options":{"max_connections":100,...},
/// "old_secret":"...","old_until":1764547200000}.
struct LiveSettings {
  nlohmann::ordered_json instance = nlohmann::ordered_json::object();  // log level and format, stop timeout
  nlohmann::ordered_json options = nlohmann::ordered_json::object();   // of the role
  /// The secret of before, accepted beside the new one until this time; in milliseconds since 1970, for it outlives processes.
  std::string old_secret = {};
  std::int64_t old_until_unix_ms = 0;

  [[nodiscard]] std::string to_text() const;
  /// Throws nlohmann::json::exception.
  static LiveSettings from_json(const nlohmann::ordered_json& json);

  /// Puts them in force in what a process is going to be made of.
  void apply_to(Settings& settings) const;
  void apply_to(Program& program, RoleKind kind, std::size_t number) const;
  /// How much longer the old secret is accepted; 0 when it is not.
  [[nodiscard]] std::uint64_t old_secret_ms() const;
};

/// The options of `role` (of a Description) that are live, and of `instance`.
nlohmann::ordered_json live_options(RoleKind kind, const nlohmann::ordered_json& role);
nlohmann::ordered_json live_instance(const nlohmann::ordered_json& instance);

/// Answers the master's question "configure": puts what `message` brings in force in this process, the role's part by
/// `configure`, which says what is wrong with it. Gives {"ok":true} or {"error":"..."}, and then all is as it was.
nlohmann::ordered_json take_over(const nlohmann::json& message, Settings& settings, const Log& log,
                                 const std::function<std::string(const LiveSettings& live)>& configure);

}  // namespace gatehouse
