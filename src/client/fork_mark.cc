#include "client/fork_mark.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace gatehouse {
namespace {

std::size_t page_size() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

ForkMark::ForkMark() {
  void* const page = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  // Linux 4.14. An older kernel leaves the mark as it is, and a child is not told.
  (void)madvise(page, page_size(), MADV_WIPEONFORK);
  page_ = static_cast<unsigned char*>(page);
  *page_ = 1;
}

ForkMark::~ForkMark() { munmap(const_cast<unsigned char*>(page_), page_size()); }  // NOLINT: as it was mapped

}  // namespace gatehouse
