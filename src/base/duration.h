#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace gatehouse {

/// "50s", "500ms", "2m", "1.5h", "7d": a number and its unit. Nothing when `text` is anything else.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// A number of seconds, rounded to whole milliseconds. Nothing when it is not a time at all (over a thousand years, not a
/// number), or so short that nothing would be left of it.
std::optional<std::chrono::milliseconds> duration_from_seconds(double seconds);

}  // namespace gatehouse
