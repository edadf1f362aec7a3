#include "application/nearest_name.h"

#include <algorithm>
#include <numeric>

namespace gatehouse {
namespace {

/// How many letters must be put in, taken out or replaced (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

bool is_beginning(std::string_view a, std::string_view b) {
  constexpr std::size_t kLongEnough = 3;
  return a.size() >= kLongEnough && b.size() >= kLongEnough && (a.starts_with(b) || b.starts_with(a));
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view given, const std::vector<std::string>& known) {
  // No name is looked for behind something much longer than any name.
  constexpr std::size_t kLongest = 64;
  if (given.size() > kLongest) return std::nullopt;
  std::optional<std::string> best;
  std::size_t best_distance = 0;
  for (const std::string& name : known) {
    const std::size_t away = distance(given, name);
    const std::size_t allowed = std::max<std::size_t>(1, std::max(given.size(), name.size()) / 3);
    if (away > allowed && !is_beginning(given, name)) continue;
    if (!best || away < best_distance) {
      best = name;
      best_distance = away;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view given, const std::vector<std::string>& known) {
  const std::optional<std::string> name = nearest_name(given, known);
  return name ? "; did you mean \"" + *name + "\"?" : "";
}

}  // namespace gatehouse
