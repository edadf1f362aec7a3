// What the linker puts in the place of the system calls (--wrap): the fake kernel where there is one and the descriptor is its
// own, else the system.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstdarg>
#include <cstddef>
#include <cstring>
#include <ctime>

#include "fake_kernel/fake_kernel.h"

using gatehouse::testing::Call;
using gatehouse::testing::FakeKernel;

namespace {

FakeKernel* kernel() { return FakeKernel::current(); }

/// Null when the descriptor is the system's.
FakeKernel* kernel_of(int fd) { return FakeKernel::owns(fd) ? FakeKernel::current() : nullptr; }

}  // namespace

// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl50-cpp): the names are the linker's
extern "C" {

int __real_epoll_create1(int flags);
int __real_epoll_ctl(int epoll, int operation, int fd, epoll_event* event);
int __real_epoll_wait(int epoll, epoll_event* events, int most, int timeout);
int __real_eventfd(unsigned count, int flags);
ssize_t __real_read(int fd, void* buffer, size_t size);
ssize_t __real_write(int fd, const void* buffer, size_t size);
int __real_open(const char* path, int flags, ...);
int __real_close(int fd);
int __real_accept(int fd, sockaddr* address, socklen_t* length);
int __real_accept4(int fd, sockaddr* address, socklen_t* length, int flags);
int __real_socket(int domain, int type, int protocol);
int __real_connect(int fd, const sockaddr* address, socklen_t length);
int __real_shutdown(int fd, int how);
ssize_t __real_recv(int fd, void* buffer, size_t size, int flags);
ssize_t __real_send(int fd, const void* bytes, size_t size, int flags);
ssize_t __real_sendmsg(int fd, const msghdr* message, int flags);
int __real_getsockopt(int fd, int level, int option, void* value, socklen_t* length);
int __real_setsockopt(int fd, int level, int option, const void* value, socklen_t length);
int __real_getsockname(int fd, sockaddr* address, socklen_t* length);
int __real_fcntl(int fd, int command, ...);
int __real_clock_gettime(clockid_t clock, timespec* time);

int __wrap_epoll_create1(int flags) { return kernel() != nullptr ? kernel()->epoll_create() : __real_epoll_create1(flags); }

int __wrap_epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
  FakeKernel* fake = kernel_of(epoll);
  return fake != nullptr ? fake->epoll_ctl(epoll, operation, fd, event) : __real_epoll_ctl(epoll, operation, fd, event);
}

int __wrap_epoll_wait(int epoll, epoll_event* events, int most, int timeout) {
  FakeKernel* fake = kernel_of(epoll);
  return fake != nullptr ? fake->epoll_wait(epoll, events, most, timeout) : __real_epoll_wait(epoll, events, most, timeout);
}

int __wrap_eventfd(unsigned count, int flags) { return kernel() != nullptr ? kernel()->event() : __real_eventfd(count, flags); }

ssize_t __wrap_read(int fd, void* buffer, size_t size) {
  FakeKernel* fake = kernel_of(fd);
  return fake != nullptr ? fake->read(fd, buffer, size) : __real_read(fd, buffer, size);
}

ssize_t __wrap_write(int fd, const void* buffer, size_t size) {
  FakeKernel* fake = kernel_of(fd);
  return fake != nullptr ? fake->write(fd, buffer, size) : __real_write(fd, buffer, size);
}

int __wrap_open(const char* path, int flags, ...) {
  if (kernel() != nullptr && std::strcmp(path, "/dev/null") == 0) return kernel()->open_null();
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return __real_open(path, flags, mode);
}

int __wrap_close(int fd) {
  FakeKernel* fake = kernel_of(fd);
  return fake != nullptr ? fake->close(fd) : __real_close(fd);
}

int __wrap_accept(int fd, sockaddr* address, socklen_t* length) {
  FakeKernel* fake = kernel_of(fd);
  return fake != nullptr ? fake->accept(fd, address, length, Call::accept) : __real_accept(fd, address, length);
}

int __wrap_accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  FakeKernel* fake = kernel_of(fd);
  return fake != nullptr ? fake->accept(fd, address, length, Call::accept4) : __real_accept4(fd, address, length, flags);
}

int __wrap_socket(int domain, int type, int protocol) {
  return kernel() != nullptr ? kernel()->socket() : __real_socket(domain, type, protocol);
}

int __wrap_connect(int fd, const sockaddr* address, socklen_t length) {
  FakeKernel* fake = kernel_of(fd);
  return fake != nullptr ? fake->connect(fd, address) : __real_connect(fd, address, length);
}

int __wrap_shutdown(int fd, int how) {
  FakeKernel* fake = kernel_of(fd);
  return fake != nullptr ? fake->shutdown(fd) : __real_shutdown(fd, how);
}

ssize_t __wrap_recv(int fd, void* buffer, size_t size, int flags) {
  FakeKernel* fake = kernel_of(fd);
  return fake != nullptr ? fake->recv(fd, buffer, size) : __real_recv(fd, buffer, size, flags);
}

/// A sendmsg() of one piece, also for who counts or refuses them.
ssize_t __wrap_send(int fd, const void* bytes, size_t size, int flags) {
  FakeKernel* fake = kernel_of(fd);
  if (fake == nullptr) return __real_send(fd, bytes, size, flags);
  iovec piece{.iov_base = const_cast<void*>(bytes), .iov_len = size};  // NOLINT: only read
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  return fake->sendmsg(fd, &message);
}

ssize_t __wrap_sendmsg(int fd, const msghdr* message, int flags) {
  FakeKernel* fake = kernel_of(fd);
  return fake != nullptr ? fake->sendmsg(fd, message) : __real_sendmsg(fd, message, flags);
}

int __wrap_getsockopt(int fd, int level, int option, void* value, socklen_t* length) {
  FakeKernel* fake = kernel_of(fd);
  return fake != nullptr ? fake->getsockopt(fd, option, value, length) : __real_getsockopt(fd, level, option, value, length);
}

int __wrap_setsockopt(int fd, int level, int option, const void* value, socklen_t length) {
  FakeKernel* fake = kernel_of(fd);
  return fake != nullptr ? fake->setsockopt(fd) : __real_setsockopt(fd, level, option, value, length);
}

int __wrap_getsockname(int fd, sockaddr* address, socklen_t* length) {
  FakeKernel* fake = kernel_of(fd);
  return fake != nullptr ? fake->getsockname(fd, address, length) : __real_getsockname(fd, address, length);
}

// The loop gives an adopted socket O_NONBLOCK, which those of the fake kernel are born with.
int __wrap_fcntl(int fd, int command, ...) {
  if (kernel_of(fd) != nullptr) return 0;
  va_list rest;
  va_start(rest, command);
  void* const argument = va_arg(rest, void*);
  va_end(rest);
  return __real_fcntl(fd, command, argument);
}

int __wrap_clock_gettime(clockid_t clock, timespec* time) {
  return kernel() != nullptr && clock == CLOCK_MONOTONIC ? kernel()->clock(time) : __real_clock_gettime(clock, time);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl50-cpp)
