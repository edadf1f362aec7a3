#pragma once

#include <cstdint>

namespace gatehouse::link {

/// A connection between roles that lived this long was a good one: when it ends, that is said in the log again.
inline constexpr std::uint64_t kSettledMs = 10'000;

}  // namespace gatehouse::link
