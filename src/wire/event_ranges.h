#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gatehouse::wire {

/// Events of one link by their numbers, which count from 0 in the order in which the gateway sent them.
struct EventRange {
  std::uint64_t first = 0;
  std::uint32_t count = 0;
};

/// The body of `finished` and `begun`: ranges of 12 bytes, big-endian.
///
///    0       1       2       3       4       5       6       7       8       9       10      11
///   +-------+-------+-------+-------+-------+-------+-------+-------+-------+-------+-------+-------+
///   |                             first                             |             count             |
///   +-------+-------+-------+-------+-------+-------+-------+-------+-------+-------+-------+-------+
inline constexpr std::size_t kEventRangeSize = 12;

void append_event_range(std::string& out, const EventRange& range);

/// Takes the first range off `bytes`. False when there is none, or not a whole one.
bool take_event_range(std::string_view& bytes, EventRange& out);

}  // namespace gatehouse::wire
