#include "application/log_level_control.h"

#include <utility>

#include "base/log_level.h"

namespace gatehouse {

LogLevelControl::LogLevelControl(net::Loop& loop, LogLevel configured, std::function<void(LogLevel level)> tell)
    : loop_(loop), configured_(configured), level_(configured), tell_(std::move(tell)) {}

LogLevelControl::~LogLevelControl() { loop_.cancel(timer_); }

void LogLevelControl::set(LogLevel level, std::optional<std::chrono::milliseconds> time) {
  loop_.cancel(timer_);
  until_ms_.reset();
  if (time) {
    until_ms_ = loop_.now_ms() + static_cast<std::uint64_t>(time->count());
    timer_ = loop_.after(*time, [this] { configure(configured_); });
  }
  change(level);
}

void LogLevelControl::configure(LogLevel level) {
  loop_.cancel(timer_);
  until_ms_.reset();
  configured_ = level;
  change(level);
}

void LogLevelControl::change(LogLevel level) {
  level_ = level;
  tell_(level);
}

void LogLevelControl::describe(nlohmann::ordered_json& out) const {
  out["log_level"] = to_string(level_);
  out["log_level_configured"] = to_string(configured_);
  out["log_level_seconds_left"] = nullptr;
  if (until_ms_) out["log_level_seconds_left"] = *until_ms_ > loop_.now_ms() ? (*until_ms_ - loop_.now_ms() + 999) / 1000 : 0;
}

}  // namespace gatehouse
