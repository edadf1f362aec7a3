#include "wire/event_ranges.h"

#include <cstddef>

#include "base/bytes.h"

namespace gatehouse::wire {

void append_event_range(std::string& out, const EventRange& range) {
  char bytes[kEventRangeSize];
  store_be64(bytes, range.first);
  store_be32(bytes + 8, range.count);
  out.append(bytes, sizeof bytes);
}

bool take_event_range(std::string_view& bytes, EventRange& out) {
  if (bytes.size() < kEventRangeSize) return false;
  out = {load_be64(bytes.data()), load_be32(bytes.data() + 8)};
  bytes.remove_prefix(kEventRangeSize);
  return true;
}

}  // namespace gatehouse::wire
