#include "application/instance_settings.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace gatehouse {
namespace {

constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> kFormats = {"text", "json"};

template <class Words>
std::optional<InstanceProblem> check_word(const std::string& option, const std::string& value, const Words& words) {
  std::string all;
  for (const std::string_view word : words) {
    if (value.empty() || value == word) return std::nullopt;
    all += (all.empty() ? "" : ", ") + std::string(word);
  }
  return InstanceProblem{option, fmt::format("\"{}\" is none of {}", value, all)};
}

std::optional<InstanceProblem> check_stop_timeout(std::chrono::milliseconds timeout) {
  const bool right = timeout.count() == 0 || (timeout >= std::chrono::milliseconds(100) && timeout <= std::chrono::hours(24));
  if (right) return std::nullopt;
  return InstanceProblem{"stop_timeout", fmt::format("{} ms cannot be; from 100 ms to a day", timeout.count())};
}

}  // namespace

void apply_instance_options(const InstanceOptions& options, Settings& settings,
                            const std::function<bool(const std::string& name)>& was_given) {
  const auto take = [&was_given](const std::string& name, const std::string& value, std::string& target) {
    if (!value.empty() && !was_given(name)) target = value;
  };
  take("--run-dir", options.run_dir, settings.run_dir);
  take("--pid-file", options.pid_file, settings.pid_file);
  take("--control-socket", options.control_socket, settings.control_socket);
  take("--log-file", options.log_file, settings.log_file);
  take("--log-level", options.log_level, settings.log_level);
  take("--log-format", options.log_format, settings.log_format);
  take("--user", options.user, settings.user);
  take("--group", options.group, settings.group);
  if (options.stop_timeout.count() != 0 && !was_given("--stop-timeout")) {
    settings.stop_timeout_seconds = std::chrono::duration<double>(options.stop_timeout).count();
  }
}

std::optional<InstanceProblem> check_instance_options(const InstanceOptions& options) {
  if (auto problem = check_word("log_level", options.log_level, kLevels)) return problem;
  if (auto problem = check_word("log_format", options.log_format, kFormats)) return problem;
  return check_stop_timeout(options.stop_timeout);
}

std::optional<std::string> describe_problem(const Settings& settings) {
  InstanceOptions options;
  options.log_level = settings.log_level;
  options.log_format = settings.log_format;
  options.stop_timeout = settings.stop_timeout();
  const auto problem = check_instance_options(options);
  return problem ? std::optional(problem->option + ": " + problem->message) : std::nullopt;
}

}  // namespace gatehouse
