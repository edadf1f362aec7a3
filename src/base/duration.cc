#include "base/duration.h"

#include <charconv>
#include <cmath>

namespace gatehouse {
namespace {

struct Unit {
  std::string_view name;
  double seconds;
};
constexpr Unit kUnits[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}};

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
  while (name.starts_with(' ')) name.remove_prefix(1);
  for (const Unit& unit : kUnits) {
    if (name == unit.name) return duration_from_seconds(number * unit.seconds);
  }
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> duration_from_seconds(double seconds) {
  constexpr double kThousandYears = 1000.0 * 365 * 24 * 3600;
  if (!(std::abs(seconds) <= kThousandYears)) return std::nullopt;  // not a number compares false
  const std::chrono::milliseconds rounded(std::llround(seconds * 1000));
  if (rounded.count() == 0 && seconds != 0) return std::nullopt;  // 0 often means never
  return rounded;
}

}  // namespace gatehouse
