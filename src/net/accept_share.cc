#include "net/accept_share.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace gatehouse::net {
namespace {

// Of 100 clients, 3 more than another are not worth a step; among many thousands, 32 are not.
constexpr std::uint32_t kSlackPart = 32;
constexpr std::uint32_t kMostSlack = 32;

}  // namespace

Result<Socket> AcceptShare::make_memory() {
  Socket file(memfd_create("gatehouse-accept-share", MFD_CLOEXEC));
  if (!file.valid() || ftruncate(file.fd(), sizeof(Memory)) != 0) return os_failure("cannot make shared memory", errno);
  return file;
}

AcceptShare::AcceptShare(const Socket& memory, std::size_t index) : index_(index) {
  if (index >= kMostProcesses || !memory.valid()) return;
  void* mapped = mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd(), 0);
  if (mapped == MAP_FAILED) return;
  memory_ = static_cast<Memory*>(mapped);
  mine_ = &memory_->places[index];
  // What the process before it has left there.
  mine_->is_open.store(0, std::memory_order_relaxed);
  mine_->clients.store(0, std::memory_order_relaxed);
  std::uint32_t known = memory_->used.load();
  while (known <= index && !memory_->used.compare_exchange_weak(known, static_cast<std::uint32_t>(index) + 1)) continue;
}

AcceptShare::~AcceptShare() {
  if (memory_ == nullptr) return;
  mine_->is_open.store(0, std::memory_order_relaxed);
  munmap(memory_, sizeof(Memory));
}

std::uint32_t AcceptShare::slack(std::uint32_t clients) { return std::min(1 + clients / kSlackPart, kMostSlack); }

std::size_t AcceptShare::used() const {
  return memory_ == nullptr ? 0 : std::min<std::size_t>(memory_->used.load(std::memory_order_relaxed), kMostProcesses);
}

void AcceptShare::set_room(bool has_room) {
  has_room_ = has_room;
  publish();
  if (on_room_) on_room_();
}

void AcceptShare::set_open(bool is_open) {
  is_open_ = is_open;
  publish();
}

void AcceptShare::publish() {
  if (mine_ != nullptr) mine_->is_open.store(is_open_ && has_room_ ? 1 : 0, std::memory_order_relaxed);
}

bool AcceptShare::takes(std::size_t place) const {
  if (place == index_) return false;
  const Place& other = memory_->places[place];
  if (other.is_open.load(std::memory_order_relaxed) == 0) return false;
  if (place >= seen_.size() || !seen_[place].is_left_out) return true;
  return other.taken.load(std::memory_order_relaxed) != seen_[place].taken;
}

bool AcceptShare::has_takers() const {
  for (std::size_t place = 0; place < used(); ++place) {
    if (takes(place)) return true;
  }
  return false;
}

/// This process is to wait for that one.
bool AcceptShare::is_behind(std::size_t place) const {
  if (!takes(place)) return false;
  if (!has_room_ || !is_open_) return true;
  const std::uint32_t its = memory_->places[place].clients.load(std::memory_order_relaxed);
  return mine_->clients.load(std::memory_order_relaxed) > its + slack(its);
}

bool AcceptShare::is_ahead() const {
  for (std::size_t place = 0; place < used(); ++place) {
    if (is_behind(place)) return true;
  }
  return false;
}

void AcceptShare::begin_watching() {
  seen_.resize(used());
  for (std::size_t place = 0; place < seen_.size(); ++place) {
    if (takes(place)) seen_[place] = {memory_->places[place].taken.load(std::memory_order_relaxed), false};
  }
}

bool AcceptShare::others_move() {
  seen_.resize(std::max(seen_.size(), used()));
  bool moved = false;
  for (std::size_t place = 0; place < seen_.size(); ++place) {
    if (!is_behind(place)) continue;
    const std::uint32_t taken = memory_->places[place].taken.load(std::memory_order_relaxed);
    moved = moved || taken != seen_[place].taken;
    seen_[place] = {taken, false};
  }
  return moved;
}

void AcceptShare::leave_out_others() {
  for (std::size_t place = 0; place < seen_.size(); ++place) {
    if (is_behind(place)) seen_[place].is_left_out = true;
  }
}

}  // namespace gatehouse::net
