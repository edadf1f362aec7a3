// The part of FakeKernel that says what is ready, and what has no peer: epoll, event counters, options, the clock.
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "fake_kernel/fake_kernel.h"

namespace gatehouse::testing {
namespace {

int fail(int error) {
  errno = error;
  return -1;
}

}  // namespace

int FakeKernel::epoll_create() { return add(Kind::epoll); }

int FakeKernel::event() { return add(Kind::event); }

int FakeKernel::open_null() {
  if (const int error = failing(Call::open, -1)) return fail(error);
  if (descriptors() >= descriptor_limit) return fail(EMFILE);
  return add(Kind::null);
}

void FakeKernel::happens(int fd) {
  const auto found = files_.find(fd);
  if (found != files_.end()) found->second->news = true;
}

/// As poll(2) would say it now.
std::uint32_t FakeKernel::state_of(const File& file) const {
  switch (file.kind) {
    case Kind::event: return file.count > 0 ? std::uint32_t{EPOLLIN} : 0U;
    case Kind::listener: return file.backlog.empty() ? 0U : std::uint32_t{EPOLLIN};
    case Kind::epoll:
    case Kind::null: return 0;
    case Kind::stream: break;
  }
  if (file.broken) return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP;
  if (!file.connected) return EPOLLOUT | EPOLLHUP;  // a socket that was not connected
  std::uint32_t state = 0;
  if (!file.in.empty() || file.ended) state |= EPOLLIN;
  if (file.ended) state |= EPOLLRDHUP;
  if (file.ended && file.shut) state |= EPOLLHUP;
  const auto peer = files_.find(file.peer);
  const bool has_room = peer == files_.end() || peer->second->in.size() < peer->second->room;
  if (has_room) state |= EPOLLOUT;
  return state;
}

int FakeKernel::epoll_ctl(int epoll, int operation, int fd, const epoll_event* event) {
  if (const int error = failing(Call::epoll_ctl, fd)) return fail(error);
  const auto found = files_.find(fd);
  if (found == files_.end() || find(epoll, Kind::epoll) == nullptr) return fail(EBADF);
  File& file = *found->second;
  if (operation == EPOLL_CTL_DEL) {
    if (file.epoll < 0) return fail(ENOENT);
    file.epoll = -1;
    return 0;
  }
  if ((operation == EPOLL_CTL_ADD) != (file.epoll < 0)) return fail(operation == EPOLL_CTL_ADD ? EEXIST : ENOENT);
  file.epoll = epoll;
  file.interest = event->events;
  file.data = event->data.u64;
  file.news = true;
  return 0;
}

int FakeKernel::epoll_wait(int epoll, epoll_event* events, int most_events, int timeout_ms) {
  ++waits_;
  if (on_wait) on_wait(timeout_ms);
  if (const int error = failing(Call::epoll_wait, epoll)) return fail(error);
  int count = 0;
  for (const auto& [fd, file] : files_) {
    if (file->epoll != epoll || count == most_events) continue;
    const bool edge = (file->interest & EPOLLET) != 0;
    if (edge && !file->news) continue;
    file->news = false;
    const std::uint32_t ready = state_of(*file) & (file->interest | EPOLLERR | EPOLLHUP);
    if (ready == 0) continue;
    events[count].events = ready;
    events[count].data.u64 = file->data;
    ++count;
  }
  constexpr int kForeverMs = 1000;  // nobody else will ever do something, so this is woken for nothing
  if (count == 0) pass(static_cast<std::uint64_t>(timeout_ms < 0 ? kForeverMs : timeout_ms));
  return count;
}

ssize_t FakeKernel::read(int fd, void* buffer, std::size_t size) {
  if (const int error = failing(Call::read, fd)) return fail(error);
  File* file = find(fd, Kind::event);
  if (file == nullptr || size < sizeof file->count) return fail(EINVAL);
  if (file->count == 0) return fail(EAGAIN);
  std::memcpy(buffer, &file->count, sizeof file->count);
  file->count = 0;
  return sizeof file->count;
}

ssize_t FakeKernel::write(int fd, const void* buffer, std::size_t size) {
  if (const int error = failing(Call::write, fd)) return fail(error);
  File* file = find(fd, Kind::event);
  std::uint64_t more = 0;
  if (file == nullptr || size < sizeof more) return fail(EINVAL);
  std::memcpy(&more, buffer, sizeof more);
  file->count += more;
  file->news = true;
  return sizeof more;
}

int FakeKernel::getsockopt(int fd, int option, void* value, socklen_t* length) {
  if (const int error = failing(Call::getsockopt, fd)) return fail(error);
  File* file = find(fd, Kind::stream);
  if (file == nullptr) return fail(EBADF);
  const int result = option == SO_ERROR ? std::exchange(file->error, 0) : 0;
  if (*length < sizeof result) return fail(EINVAL);
  std::memcpy(value, &result, sizeof result);
  *length = sizeof result;
  return 0;
}

int FakeKernel::setsockopt(int fd) {
  const int error = failing(Call::setsockopt, fd);
  return error == 0 ? 0 : fail(error);
}

int FakeKernel::getsockname(int fd, sockaddr* address, socklen_t* length) {
  if (const int error = failing(Call::getsockname, fd)) return fail(error);
  const auto found = files_.find(fd);
  if (found == files_.end()) return fail(EBADF);
  std::memcpy(address, &found->second->address, std::min<std::size_t>(*length, sizeof found->second->address));
  *length = sizeof(sockaddr_in);
  return 0;
}

int FakeKernel::clock(timespec* time) {
  now_ns_ += 1000;  // it never stands still
  time->tv_sec = static_cast<time_t>(now_ns_ / 1'000'000'000);
  time->tv_nsec = static_cast<long>(now_ns_ % 1'000'000'000);
  return 0;
}

}  // namespace gatehouse::testing
