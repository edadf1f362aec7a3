#include "waker.h"

#include <sys/eventfd.h>
#include <unistd.h>

namespace loadgen {

Waker::Waker() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

Waker::~Waker() { close(fd_); }

// Both only fail with EAGAIN: the counter is full, so it wakes anyway, or empty, so somebody was faster.
void Waker::wake() const { [[maybe_unused]] const int result = eventfd_write(fd_, 1); }

void Waker::clear() const {
  eventfd_t times = 0;
  [[maybe_unused]] const int result = eventfd_read(fd_, &times);
}

}  // namespace loadgen
