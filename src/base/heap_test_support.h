#pragma once

// For tests only: what is allocated at the moment.

#include <malloc.h>

#include <cstddef>

#ifdef __SANITIZE_ADDRESS__
// Of sanitizer/allocator_interface.h, which Debian's g++ comes without.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace gatehouse::testing {

/// Bytes of the heap that this process holds.
inline std::size_t heap_bytes() {
#ifdef __SANITIZE_ADDRESS__
  return __sanitizer_get_current_allocated_bytes();
#else
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

}  // namespace gatehouse::testing
