#include "net/shared_bytes.h"

#include <cstring>
#include <new>

namespace gatehouse::net {

SharedBytes SharedBytes::uninitialized(std::size_t size) {
  return SharedBytes(new (::operator new(sizeof(Block) + size)) Block{1, size});
}

SharedBytes SharedBytes::copy_of(std::string_view bytes) {
  SharedBytes copy = uninitialized(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
  return copy;
}

void SharedBytes::release() {
  if (block_ != nullptr && --block_->references == 0) ::operator delete(block_);
}

}  // namespace gatehouse::net
