#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/log.h"
#include "net/loop.h"

namespace gatehouse {

/// What is logged by all processes of an instance: the level that is configured, or one that an operator has set at run time, for
/// a while or until he sets another.
///
/// Thread rule: the loop's thread.
class LogLevelControl {
 public:
  /// `tell` is called with each new level: all processes are to have it.
  LogLevelControl(net::Loop& loop, LogLevel configured, std::function<void(LogLevel level)> tell);
  ~LogLevelControl();
  LogLevelControl(const LogLevelControl&) = delete;
  LogLevelControl& operator=(const LogLevelControl&) = delete;

  /// With `time` the configured level comes back by itself after that.
  void set(LogLevel level, std::optional<std::chrono::milliseconds> time);
  /// The configuration has changed: this is the level now, whatever an operator has set.
  void configure(LogLevel level);

  [[nodiscard]] LogLevel level() const { return level_; }
  [[nodiscard]] LogLevel configured() const { return configured_; }
  /// Adds "log_level", "log_level_configured" and "log_level_seconds_left" (null when it does not change by itself).
  void describe(nlohmann::ordered_json& out) const;

 private:
  void change(LogLevel level);

  net::Loop& loop_;
  LogLevel configured_;
  LogLevel level_;
  std::function<void(LogLevel)> tell_;
  std::optional<std::uint64_t> until_ms_;
  net::TimerId timer_;
};

}  // namespace gatehouse
