#include "application/freed_memory.h"

#include <algorithm>
#include <utility>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace gatehouse {

FreedMemory::Heap FreedMemory::heap_of_process() {
#ifdef __GLIBC__
  constexpr std::size_t kKeptAtTheEnd = 8 * 1024 * 1024;  // as keep_freed_memory()
  return {[] { return mallinfo2().fordblks; }, [] { (void)malloc_trim(kKeptAtTheEnd); }};
#else
  return {[] { return std::size_t{0}; }, [] {}};
#endif
}

void FreedMemory::look() {
  const std::size_t free = heap_.free_bytes();
  // The allocator does not tell which of its free pieces have pages; those that were used again since have.
  given_back_ = std::min(given_back_, free);
  const bool grows = free > std::exchange(last_, free);
  if (free - given_back_ <= kMost) {
    has_waited_ = false;
    return;
  }
  if (grows && !std::exchange(has_waited_, true)) return;
  has_waited_ = false;
  heap_.give_back();
  given_back_ = last_ = heap_.free_bytes();
}

}  // namespace gatehouse
