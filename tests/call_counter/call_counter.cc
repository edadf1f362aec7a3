// To be preloaded (LD_PRELOAD): counts what a process asks of the allocator and of the kernel, in a file that others can read
// while it runs, $GATEHOUSE_CALL_COUNTS/PID. That is 64 counters of 8 bytes, and from byte 1024 on their names, one on a line.
// Calls for a socket that was accepted after somebody had written 1 to byte 512 of the file are counted a second time, under
// names that begin with "new.": what is done for those who come, without what is done for those who were there.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>

namespace {

constexpr std::size_t kMostCounters = 64;
constexpr std::size_t kMarkOffset = 512;
constexpr std::size_t kNamesOffset = 1024;
constexpr std::size_t kMostDescriptors = 65'536;  // above, none counts as new
constexpr std::size_t kFileSize = 4096;

enum Call : std::size_t {
  allocate,
  release,
  wait_for_events,
  change_events,
  receive,
  read_some,
  send_some,
  write_some,
  accept_one,
  close_one,
  set_option,
  get_option,
  shut_down,
  any_other,
  number_of_calls,
};
constexpr const char* kNames[] = {"allocate", "free",   "epoll_wait", "epoll_ctl",  "recv",       "read",     "send",
                                  "write",    "accept", "close",      "setsockopt", "getsockopt", "shutdown", "syscall"};
static_assert(std::size(kNames) == number_of_calls && 2 * number_of_calls <= kMostCounters);

using Counters = std::atomic<std::uint64_t>[kMostCounters];
Counters own_counters;  // until there is a file
std::atomic<std::uint64_t>* counters = own_counters;

std::atomic<std::uint64_t> no_mark;
std::atomic<std::uint64_t>* mark = &no_mark;
std::atomic<bool> is_new[kMostDescriptors];

void count(Call call) { counters[call].fetch_add(1, std::memory_order_relaxed); }

std::atomic<bool>* newness(int fd) { return fd >= 0 && static_cast<std::size_t>(fd) < kMostDescriptors ? &is_new[fd] : nullptr; }

/// A call for a descriptor.
void count(Call call, int fd) {
  count(call);
  const std::atomic<bool>* newcomer = newness(fd);
  if (newcomer != nullptr && newcomer->load(std::memory_order_relaxed))
    counters[number_of_calls + call].fetch_add(1, std::memory_order_relaxed);
}

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));  // NOLINT: how the next one of that name is found
}

__attribute__((constructor)) void open_file() {
  const char* folder = std::getenv("GATEHOUSE_CALL_COUNTS");
  if (folder == nullptr) return;
  char path[512];
  std::snprintf(path, sizeof path, "%s/%d", folder, static_cast<int>(getpid()));
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, kFileSize) != 0) return;
  void* page = mmap(nullptr, kFileSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (page == MAP_FAILED) return;
  char* names = static_cast<char*>(page) + kNamesOffset;
  for (const char* prefix : {"", "new."}) {
    for (const char* name : kNames) names += std::sprintf(names, "%s%s\n", prefix, name);
  }
  mark = reinterpret_cast<std::atomic<std::uint64_t>*>(static_cast<char*>(page) + kMarkOffset);  // NOLINT: the file's format
  counters = static_cast<std::atomic<std::uint64_t>*>(page);
}

}  // namespace

extern "C" {

// glibc's own, under the names that are free of any replacement; dlsym() itself may allocate.
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* old);

void* malloc(std::size_t size) {
  count(allocate);
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count(allocate);
  return __libc_calloc(number, size);
}
void* realloc(void* old, std::size_t size) {
  count(allocate);
  return __libc_realloc(old, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count(allocate);
  return __libc_memalign(alignment, size);
}
void free(void* old) {
  if (old != nullptr) count(release);
  __libc_free(old);
}

int epoll_wait(int fd, epoll_event* events, int most, int timeout) {
  static const auto next = real<int (*)(int, epoll_event*, int, int)>("epoll_wait");
  count(wait_for_events);
  return next(fd, events, most, timeout);
}
int epoll_ctl(int fd, int what, int other, epoll_event* event) noexcept {
  static const auto next = real<int (*)(int, int, int, epoll_event*)>("epoll_ctl");
  count(change_events, other);
  return next(fd, what, other, event);
}
ssize_t recv(int fd, void* bytes, std::size_t size, int flags) {
  static const auto next = real<ssize_t (*)(int, void*, std::size_t, int)>("recv");
  count(receive, fd);
  return next(fd, bytes, size, flags);
}
ssize_t recvmsg(int fd, msghdr* message, int flags) {
  static const auto next = real<ssize_t (*)(int, msghdr*, int)>("recvmsg");
  count(receive, fd);
  return next(fd, message, flags);
}
ssize_t read(int fd, void* bytes, std::size_t size) {
  static const auto next = real<ssize_t (*)(int, void*, std::size_t)>("read");
  count(read_some, fd);
  return next(fd, bytes, size);
}
ssize_t readv(int fd, const iovec* pieces, int number) {
  static const auto next = real<ssize_t (*)(int, const iovec*, int)>("readv");
  count(read_some, fd);
  return next(fd, pieces, number);
}
ssize_t send(int fd, const void* bytes, std::size_t size, int flags) {
  static const auto next = real<ssize_t (*)(int, const void*, std::size_t, int)>("send");
  count(send_some, fd);
  return next(fd, bytes, size, flags);
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static const auto next = real<ssize_t (*)(int, const msghdr*, int)>("sendmsg");
  count(send_some, fd);
  return next(fd, message, flags);
}
ssize_t write(int fd, const void* bytes, std::size_t size) {
  static const auto next = real<ssize_t (*)(int, const void*, std::size_t)>("write");
  count(write_some, fd);
  return next(fd, bytes, size);
}
ssize_t writev(int fd, const iovec* pieces, int number) {
  static const auto next = real<ssize_t (*)(int, const iovec*, int)>("writev");
  count(write_some, fd);
  return next(fd, pieces, number);
}
int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  static const auto next = real<int (*)(int, sockaddr*, socklen_t*, int)>("accept4");
  count(accept_one);
  const int accepted = next(fd, address, size, flags);
  if (std::atomic<bool>* newcomer = newness(accepted); newcomer != nullptr && mark->load(std::memory_order_relaxed) != 0) {
    newcomer->store(true, std::memory_order_relaxed);
    counters[number_of_calls + accept_one].fetch_add(1, std::memory_order_relaxed);
  }
  return accepted;
}
int close(int fd) {
  static const auto next = real<int (*)(int)>("close");
  count(close_one, fd);
  if (std::atomic<bool>* newcomer = newness(fd)) newcomer->store(false, std::memory_order_relaxed);
  return next(fd);
}
int setsockopt(int fd, int level, int option, const void* value, socklen_t size) noexcept {
  static const auto next = real<int (*)(int, int, int, const void*, socklen_t)>("setsockopt");
  count(set_option, fd);
  return next(fd, level, option, value, size);
}
int getsockopt(int fd, int level, int option, void* value, socklen_t* size) noexcept {
  static const auto next = real<int (*)(int, int, int, void*, socklen_t*)>("getsockopt");
  count(get_option, fd);
  return next(fd, level, option, value, size);
}
int shutdown(int fd, int how) noexcept {
  static const auto next = real<int (*)(int, int)>("shutdown");
  count(shut_down, fd);
  return next(fd, how);
}
long syscall(long number, ...) noexcept {  // NOLINT: as glibc declares it
  static const auto next = real<long (*)(long, long, long, long, long, long, long)>("syscall");
  count(any_other);
  __builtin_va_list more;
  __builtin_va_start(more, number);
  long arguments[6];
  for (long& argument : arguments) argument = __builtin_va_arg(more, long);  // NOLINT: as glibc takes them
  __builtin_va_end(more);
  return next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

}  // extern "C"
