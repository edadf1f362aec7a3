#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <fcntl.h>
#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <stdexcept>
#include <system_error>

#include "net/descriptors_lost.h"
#include "net/loop_tls.h"

namespace gatehouse::net {
namespace {

constexpr int kEventsPerWait = 512;

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<std::uint64_t>(now.tv_nsec);
}

Socket require(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return Socket(fd);
}

std::uint32_t watch_events(Readiness interest) {
  return (interest.readable ? std::uint32_t{EPOLLIN} : 0U) | (interest.writable ? std::uint32_t{EPOLLOUT} : 0U);
}

}  // namespace

Loop::Loop(Log log)
    : log_(std::move(log)),
      epoll_(require(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(require(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")),
      spare_(require(::open("/dev/null", O_RDONLY | O_CLOEXEC), "open /dev/null")),
      now_ms_(monotonic_ns() / 1'000'000),
      timers_(now_ms_),
      receive_buffer_(new ReceiveBuffer) {
  // Index 0 is the loop's own wake-up; run_posted() empties it.
  watch(wake_.fd(), {.readable = true}, [this](Readiness) {
    std::uint64_t count = 0;
    (void)!::read(wake_.fd(), &count, sizeof count);
  });
}

Loop::~Loop() {
  connections_.for_each([this](Connection& connection) {
    if (connection.out_ != nullptr) out_pool_.give_back(std::exchange(connection.out_, nullptr));
    free_input(connection);
    free_tls(connection);
    if (connection.fd_ >= 0) ::close(std::exchange(connection.fd_, -1));
  });
}

void Loop::run() {
  update_clock();
  while (!stopping_) iterate(wait_time_ms());
  stopping_ = false;  // here, not above: a stop() before run() counts
}

void Loop::stop_from_any_thread() {
  post([this] { stop(); });
}

std::uint64_t Loop::clock_us() { return monotonic_ns() / 1000; }

void Loop::update_clock() {
  now_ms_ = monotonic_ns() / 1'000'000;
  ended_ms_ = now_ms_;
}

int Loop::wait_time_ms() const {
  // Something is left to do that no event will announce.
  if (!ready_.empty() || !dirty_.empty() || !bulk_.empty() || !dead_.empty()) return 0;
  const int timers = timers_.next_in_ms(ended_ms_);
  const auto sooner = [](int one, int other) { return other < 0 || (one >= 0 && one < other) ? one : other; };
  const int soonest = sooner(timers, handshakes_.wait_ms(ended_ms_));
  return crowded_.empty() ? soonest : sooner(soonest, wait_for_slots_ms());
}

void Loop::iterate(int timeout_ms) {
  std::array<epoll_event, kEventsPerWait> events;  // NOLINT(cppcoreguidelines-pro-type-member-init): the kernel fills it
  const int count = epoll_wait(epoll_.fd(), events.data(), kEventsPerWait, timeout_ms);
  // Without it nothing would be heard of any more, and each dial would fail, for ever.
  if (count < 0 && (errno == EBADF || errno == EINVAL)) throw DescriptorsLost("epoll_wait", errno);
  const std::uint64_t woke_ns = monotonic_ns();
  now_ms_ = woke_ns / 1'000'000;
  ++iterations_;
  if (progress_ != nullptr) progress_->store(iterations_, std::memory_order_relaxed);

  // Who ran out of budget in the last iteration; who does so in this one waits for the next.
  const std::size_t ready_before = ready_.size();
  for (int i = 0; i < count; ++i) {
    const std::uint64_t data = events[static_cast<std::size_t>(i)].data.u64;
    const std::uint32_t ready = events[static_cast<std::size_t>(i)].events;
    const auto kind = static_cast<Kind>(data >> 62);
    const auto index = static_cast<std::uint32_t>((data >> 32) & 0x3fffffffU);
    const auto generation = static_cast<std::uint32_t>(data);
    if (kind == Kind::connection) {
      // An event of a connection that an earlier event of this same batch ended finds another generation, or a dead one.
      Connection* connection = find({index, generation});
      if (connection != nullptr) on_connection_event(*connection, ready);
    } else if (kind == Kind::listener) {
      accept_from(index);
    } else if (watches_[index].generation == generation && watches_[index].callback) {
      const auto callback = watches_[index].callback;  // it may unwatch itself
      const bool ended = (ready & (EPOLLERR | EPOLLHUP)) != 0;
      (*callback)({.readable = ended || (ready & EPOLLIN) != 0, .writable = ended || (ready & EPOLLOUT) != 0});
    }
  }
  run_ready(ready_before);
  run_handshakes();
  timers_.advance(now_ms_);
  run_posted();
  flush_all();
  reap();
  if (!crowded_.empty()) admit_waiting();
  if (!trimming_ && out_pool_.is_swollen()) trim_later();
  const std::uint64_t done_ns = monotonic_ns();
  ended_ms_ = done_ns / 1'000'000;
  busy_ns_ += done_ns - woke_ns;
  if (progress_ != nullptr) progress_->store(0, std::memory_order_relaxed);
}

std::uint64_t Loop::pack(Kind kind, std::uint32_t index, std::uint32_t generation) {
  return (static_cast<std::uint64_t>(kind) << 62) | (static_cast<std::uint64_t>(index) << 32) | generation;
}

TimerId Loop::after(std::chrono::milliseconds delay, TimerWheel::Callback callback) {
  // The wheel was last advanced an iteration ago, which may be long, and milliseconds are cut off: with the time told and one
  // more, no timer is early.
  timers_.observe(monotonic_ns() / 1'000'000);
  return timers_.after(static_cast<std::uint64_t>(std::max<std::chrono::milliseconds::rep>(delay.count(), 0)) + 1,
                       std::move(callback));
}

TimerId Loop::every(std::chrono::milliseconds period, TimerWheel::Callback callback) {
  timers_.observe(monotonic_ns() / 1'000'000);
  return timers_.every(static_cast<std::uint64_t>(std::max<std::chrono::milliseconds::rep>(period.count(), 1)),
                       std::move(callback));
}

void Loop::post(std::function<void()> work) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  const std::uint64_t one = 1;
  (void)!::write(wake_.fd(), &one, sizeof one);  // full means that it is awake already
}

void Loop::run_posted() {
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(posted_mutex_);
    work.swap(posted_);
  }
  for (auto& each : work) each();
}

WatchId Loop::watch(int fd, Readiness interest, std::function<void(Readiness)> callback) {
  auto free = std::find_if(watches_.begin(), watches_.end(), [](const Watch& watch) { return !watch.callback; });
  if (free == watches_.end()) free = watches_.insert(watches_.end(), Watch{});
  const auto index = static_cast<std::uint32_t>(free - watches_.begin());
  epoll_event event{};
  event.events = watch_events(interest);
  event.data.u64 = pack(Kind::watch, index, free->generation);
  if (epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot watch descriptor " + std::to_string(fd));
  }
  free->fd = fd;
  free->callback = std::make_shared<std::function<void(Readiness)>>(std::move(callback));
  return {index, free->generation};
}

void Loop::unwatch(WatchId id) {
  if (id.index >= watches_.size() || watches_[id.index].generation != id.generation || !watches_[id.index].callback) return;
  Watch& watch = watches_[id.index];
  (void)epoll_ctl(epoll_.fd(), EPOLL_CTL_DEL, watch.fd, nullptr);
  watch.callback.reset();
  watch.fd = -1;
  ++watch.generation;
}

void Loop::on_signal(int signal, std::function<void()> callback) {
  signal_callbacks_.emplace_back(signal, std::move(callback));
  sigset_t set;
  sigemptyset(&set);
  for (const auto& [number, unused] : signal_callbacks_) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const bool first = !signals_.valid();
  const int fd = signalfd(first ? -1 : signals_.fd(), &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (!first) return;
  signals_ = require(fd, "signalfd");
  watch(fd, {.readable = true}, [this](Readiness) { on_signal_ready(); });
}

void Loop::on_signal_ready() {
  signalfd_siginfo info{};
  while (::read(signals_.fd(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    for (std::size_t i = 0; i < signal_callbacks_.size(); ++i) {
      if (signal_callbacks_[i].first != static_cast<int>(info.ssi_signo)) continue;
      const auto callback = signal_callbacks_[i].second;  // it may call on_signal(), which moves the others
      callback();
    }
  }
}

}  // namespace gatehouse::net
