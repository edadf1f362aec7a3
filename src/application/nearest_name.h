#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse {

/// The one of `known` that somebody who wrote `given` may have meant: a few letters apart, or one the beginning of the other.
/// Nothing when none is near.
std::optional<std::string> nearest_name(std::string_view given, const std::vector<std::string>& known);

/// `; did you mean "gateway"?`, or nothing.
std::string did_you_mean(std::string_view given, const std::vector<std::string>& known);

}  // namespace gatehouse
