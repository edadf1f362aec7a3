#pragma once

#include <optional>
#include <string_view>

#include "base/log.h"

namespace gatehouse {

/// "debug", "info", "warning" or "error"; nothing for another word.
std::optional<LogLevel> parse_log_level(std::string_view word);
const char* to_string(LogLevel level);

}  // namespace gatehouse
