#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "application/settings.h"
#include "base/result.h"

namespace gatehouse {

/// `stop`, `stop -g`: ends the running instance and waits until it is gone. Returns the exit status.
int stop_instance(const Settings& settings);

/// `reload`, `reload -g`: has the running instance replace its workers, and says how it went. Returns the exit status: 1 when the
/// old ones are still there.
int reload_instance(const Settings& settings);

/// What clients have to go at `stop -g`, as the running instance has it; the command line's when it cannot be asked.
std::chrono::milliseconds graceful_timeout_of(const Settings& settings);

/// Whether the instance runs: it holds the lock of its pid file, or, when something has removed that, listens at its control
/// socket.
bool is_running(const Settings& settings);

/// Asks the running instance, within `timeout`; the failure is a whole sentence that names the instance, the limit and, when its
/// master is suspended, what helps. A question that was given up is not carried out later.
Result<nlohmann::ordered_json> ask_instance(const Settings& settings, const std::string& question,
                                            std::chrono::milliseconds timeout,
                                            const nlohmann::ordered_json& details = nlohmann::ordered_json::object());

/// For questions that are answered at once.
inline constexpr std::chrono::milliseconds kAnswerTimeout{5'000};

/// What a command has printed is written: its exit status is `status` then, else 1 with the reason on standard error.
int finish_output(int status);

}  // namespace gatehouse
