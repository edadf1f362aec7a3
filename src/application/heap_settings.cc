#include "application/heap_settings.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace gatehouse {

void keep_freed_memory() {
#ifdef __GLIBC__
  // The buffers of a message of a megabyte, and then some. What is asked for in larger pieces is mapped and unmapped by itself.
  constexpr int kKeptBytes = 8 * 1024 * 1024;
  mallopt(M_MMAP_THRESHOLD, kKeptBytes);
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
#endif
}

}  // namespace gatehouse
