#include "fake_kernel/fake_kernel.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

namespace gatehouse::testing {
namespace {

FakeKernel* the_kernel = nullptr;  // NOLINT: a replaced system call has no other way to find it

int fail(int error) {
  errno = error;
  return -1;
}

}  // namespace

const char* name_of(Call call) {
  static constexpr std::array<const char*, kCalls> kNames = {"accept4", "accept",   "recv",       "sendmsg",    "socket",
                                                             "connect", "shutdown", "epoll_ctl",  "epoll_wait", "read",
                                                             "write",   "open",     "getsockopt", "setsockopt", "getsockname"};
  return kNames.at(static_cast<std::size_t>(call));
}

FakeKernel::FakeKernel() {
  assert(the_kernel == nullptr);
  the_kernel = this;
}

FakeKernel::~FakeKernel() { the_kernel = nullptr; }

FakeKernel* FakeKernel::current() { return the_kernel; }

int FakeKernel::add(Kind kind, bool outside) {
  int fd = kFirst;  // the lowest that is free, as the system does: old numbers come again soon
  for (const auto& [used, file] : files_) {
    if (used != fd) break;
    ++fd;
  }
  // A test may keep the number of an end that is gone.
  if (outside) fd = next_outside_++;
  auto file = std::make_unique<File>();
  file->kind = kind;
  file->outside = outside;
  files_.emplace(fd, std::move(file));
  return fd;
}

FakeKernel::File* FakeKernel::find(int fd, Kind kind) {
  const auto found = files_.find(fd);
  return found == files_.end() || found->second->kind != kind ? nullptr : found->second.get();
}

std::size_t FakeKernel::descriptors() const {
  return static_cast<std::size_t>(
      std::count_if(files_.begin(), files_.end(), [](const auto& each) { return !each.second->outside; }));
}

/// The errno that a call is to fail with, or 0.
int FakeKernel::failing(Call call, int fd) {
  ++calls_;
  return fault ? fault(call, fd) : 0;
}

sockaddr_storage FakeKernel::address_of(std::uint32_t ip, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(ip);
  address.sin_port = htons(port);
  sockaddr_storage storage{};
  std::memcpy(&storage, &address, sizeof address);
  return storage;
}

int FakeKernel::listen_here(std::uint16_t port) {
  const int fd = listen(port);
  files_.at(fd)->outside = false;
  return fd;
}

int FakeKernel::listen(std::uint16_t port) {
  const int fd = add(Kind::listener, true);
  File& file = *files_.at(fd);
  file.port = port;
  file.address = address_of(INADDR_LOOPBACK, port);
  return fd;
}

/// Puts an accepted end into the listener's backlog. Gives it with its peer, which is `dialler`.
std::pair<int, int> FakeKernel::connect_ends(int listener, int dialler) {
  File& asking = *files_.at(dialler);
  const int accepted = add(Kind::stream, files_.at(listener)->outside);
  File& end = *files_.at(accepted);
  end.peer = dialler;
  end.connected = true;
  end.outside = true;  // until it is accepted
  end.address = asking.address;
  asking.peer = accepted;
  asking.connected = true;
  files_.at(listener)->backlog.push_back(accepted);
  happens(listener);
  return {dialler, accepted};
}

int FakeKernel::dial(std::uint16_t port, std::uint32_t ip) {
  for (const auto& [fd, file] : files_) {
    if (file->kind != Kind::listener || file->port != port) continue;
    const int end = add(Kind::stream, true);
    files_.at(end)->address = address_of(ip, next_port_++);
    return connect_ends(fd, end).first;
  }
  return -1;
}

int FakeKernel::take_connection(int listener) {
  File* file = find(listener, Kind::listener);
  if (file == nullptr || file->backlog.empty()) return -1;
  const int end = file->backlog.front();
  file->backlog.pop_front();
  return end;
}

std::size_t FakeKernel::move(File& from, File& to, std::string_view bytes) {
  const std::size_t room = to.room - std::min(to.room, to.in.size());
  const std::size_t moved = std::min(room, bytes.size());
  from.blocked = moved < bytes.size();
  to.in.append(bytes.substr(0, moved));
  if (moved > 0) happens(from.peer);
  return moved;
}

std::size_t FakeKernel::put(int end, std::string_view bytes) {
  File* file = find(end, Kind::stream);
  File* peer = file == nullptr ? nullptr : find(file->peer, Kind::stream);
  if (peer == nullptr || file->shut) return 0;
  return move(*file, *peer, bytes);
}

std::string FakeKernel::take(int end, std::size_t most_bytes) {
  File* file = find(end, Kind::stream);
  if (file == nullptr) return {};
  const std::string taken = file->in.substr(0, most_bytes);
  file->in.erase(0, taken.size());
  File* peer = find(file->peer, Kind::stream);
  if (!taken.empty() && peer != nullptr && std::exchange(peer->blocked, false)) happens(file->peer);
  return taken;
}

void FakeKernel::set_room(int end, std::size_t bytes) {
  File* file = find(end, Kind::stream);
  if (file == nullptr) return;
  file->room = bytes;
  File* peer = find(file->peer, Kind::stream);
  if (peer != nullptr && file->in.size() < bytes && std::exchange(peer->blocked, false)) happens(file->peer);
}

bool FakeKernel::is_anyone_waiting() const {
  return std::any_of(files_.begin(), files_.end(),
                     [](const auto& entry) { return !entry.second->outside && !entry.second->backlog.empty(); });
}

int FakeKernel::peer_of(int end) const {
  const auto found = files_.find(end);
  return found == files_.end() ? -1 : found->second->peer;
}

void FakeKernel::finish(int end) {
  File* file = find(end, Kind::stream);
  if (file == nullptr || std::exchange(file->shut, true)) return;
  if (File* peer = find(file->peer, Kind::stream)) {
    peer->ended = true;
    happens(file->peer);
  }
}

/// The peer's next call hears ECONNRESET, the ones behind it 0 and EPIPE.
void FakeKernel::break_off(int fd) {
  File* file = find(fd, Kind::stream);
  if (file == nullptr) return;
  file->in.clear();
  file->error = ECONNRESET;
  file->broken = true;
  file->ended = true;
  file->peer = -1;
  happens(fd);
}

void FakeKernel::reset(int end) {
  File* file = find(end, Kind::stream);
  if (file == nullptr) return;
  break_off(file->peer);
  files_.erase(end);
}

void FakeKernel::hang_up(int end) {
  if (is_open(end)) close(end);
}

bool FakeKernel::has_ended(int end) const {
  const auto found = files_.find(end);
  return found == files_.end() || (found->second->ended && found->second->in.empty());
}

int FakeKernel::close(int fd) {
  const auto found = files_.find(fd);
  if (found == files_.end()) return fail(EBADF);
  File& file = *found->second;
  if (file.kind == Kind::stream) {
    File* peer = find(file.peer, Kind::stream);
    // What was not read is lost, and its writer is told so (RFC 1122, 4.2.2.13).
    if (peer != nullptr && !file.in.empty()) {
      break_off(file.peer);
    } else if (peer != nullptr) {
      peer->ended = true;
      peer->peer = -1;
      happens(file.peer);
    }
  }
  const std::deque<int> waiting = file.backlog;
  files_.erase(found);
  for (const int each : waiting) {
    if (File* stream = find(each, Kind::stream)) break_off(stream->peer);
    files_.erase(each);
  }
  return 0;
}

int FakeKernel::accept(int listener, sockaddr* address, socklen_t* length, Call call) {
  if (const int error = failing(call, listener)) return fail(error);
  File* file = find(listener, Kind::listener);
  if (file == nullptr) return fail(EBADF);
  if (file->backlog.empty()) return fail(EAGAIN);
  if (descriptors() >= descriptor_limit) return fail(EMFILE);
  const int fd = take_connection(listener);
  File& end = *files_.at(fd);
  end.outside = false;
  if (address != nullptr) {
    std::memcpy(address, &end.address, std::min<std::size_t>(*length, sizeof end.address));
    *length = sizeof(sockaddr_in);
  }
  return fd;
}

int FakeKernel::socket() {
  if (const int error = failing(Call::socket, -1)) return fail(error);
  if (descriptors() >= descriptor_limit) return fail(EMFILE);
  return add(Kind::stream);
}

int FakeKernel::connect(int fd, const sockaddr* address) {
  if (const int error = failing(Call::connect, fd)) return fail(error);
  File* file = find(fd, Kind::stream);
  if (file == nullptr) return fail(EBADF);
  sockaddr_in wanted{};
  std::memcpy(&wanted, address, sizeof wanted);
  file->address = address_of(INADDR_LOOPBACK, next_port_++);
  for (const auto& [listener, each] : files_) {
    if (each->kind != Kind::listener || each->port != ntohs(wanted.sin_port)) continue;
    connect_ends(listener, fd);
    return fail(EINPROGRESS);
  }
  file->error = ECONNREFUSED;
  file->broken = true;
  return fail(EINPROGRESS);
}

int FakeKernel::shutdown(int fd) {
  if (const int error = failing(Call::shutdown, fd)) return fail(error);
  const File* file = find(fd, Kind::stream);
  if (file == nullptr) return fail(EBADF);
  if (!file->connected || file->broken) return fail(ENOTCONN);
  finish(fd);
  return 0;
}

ssize_t FakeKernel::recv(int fd, void* buffer, std::size_t size) {
  if (const int error = failing(Call::recv, fd)) {
    happens(fd);  // after an EAGAIN that was not true it is told of what there is
    return fail(error);
  }
  File* file = find(fd, Kind::stream);
  if (file == nullptr) return fail(EBADF);
  if (file->error != 0) return fail(std::exchange(file->error, 0));
  if (file->in.empty()) return file->ended ? 0 : fail(EAGAIN);
  const std::size_t asked = size;
  if (most) size = std::max<std::size_t>(std::min(size, most(Call::recv, size)), 1);
  const std::string bytes = take(fd, size);
  std::memcpy(buffer, bytes.data(), bytes.size());
  // As if the rest came only now: the system gives out less than was asked for when there is no more.
  if (size < asked && !file->in.empty()) happens(fd);
  return static_cast<ssize_t>(bytes.size());
}

ssize_t FakeKernel::sendmsg(int fd, const msghdr* message) {
  if (const int error = failing(Call::sendmsg, fd)) {
    happens(fd);
    return fail(error);
  }
  File* file = find(fd, Kind::stream);
  if (file == nullptr) return fail(EBADF);
  if (file->error != 0) return fail(std::exchange(file->error, 0));
  File* peer = find(file->peer, Kind::stream);
  if (peer == nullptr || file->shut) return fail(EPIPE);
  std::string bytes;
  for (std::size_t i = 0; i < message->msg_iovlen; ++i) {
    const iovec& piece = message->msg_iov[i];
    bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  }
  if (bytes.empty()) return 0;
  const std::size_t wanted = bytes.size();
  if (most) bytes.resize(std::max<std::size_t>(std::min(wanted, most(Call::sendmsg, wanted)), 1));
  const std::size_t moved = move(*file, *peer, bytes);
  if (moved == 0) {
    file->blocked = true;
    return fail(EAGAIN);
  }
  return static_cast<ssize_t>(moved);
}

}  // namespace gatehouse::testing
