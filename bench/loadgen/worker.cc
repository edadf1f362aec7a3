#include "worker.h"

#include <sys/epoll.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include "clock.h"

namespace loadgen {
namespace {

constexpr std::size_t kEventsAtOnce = 1024;
/// Nothing that matters is later for it: replies wake the loop, what is due shortens the wait.
constexpr std::uint64_t kLongestWaitNs = 20 * kMillisecondNs;
/// When a message is due and could not be sent, as every connection has `depth` outstanding.
constexpr std::uint64_t kStalledWaitNs = 50'000;

/// The connections of a fan-out share one publisher; those of the other modes share the rate among the workers.
double own_rate(const Options& options) {
  const double rate = options.rate.value_or(0);
  return options.mode == Mode::echo ? rate / static_cast<double>(options.threads) : rate;
}

}  // namespace

Worker::Worker(RunState& run, const Share& share, const Waker* publisher)
    : run_(run),
      mode_(run.options.mode),
      random_(share.number + 12345),
      pace_(own_rate(run.options)),
      connections_(run, statistics_, share.first_id, share.connections, share.has_publisher),
      writer_(connections_, random_),
      echo_(run, connections_, writer_, pace_),
      setup_(run, connections_, writer_, echo_, random_,
             static_cast<double>(run.options.ramp) / static_cast<double>(run.options.threads)),
      churn_(run, connections_, writer_, setup_),
      subscriber_(run, statistics_, publisher),
      receiver_(run, connections_, writer_, echo_, setup_, churn_, subscriber_) {
  if (share.has_publisher) publisher_.emplace(run, connections_, writer_, pace_);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;  // all others have their connection here
  epoll_ctl(connections_.epoll_fd(), EPOLL_CTL_ADD, waker_.fd(), &event);
}

void Worker::run() {
  std::vector<epoll_event> events(kEventsAtOnce);
  while (!run_.quit) {
    const std::uint64_t time_ns = now_ns();
    work(time_ns);
    const timespec wait = {0, static_cast<long>(wait_ns(time_ns))};  // always below a second
    const int count = epoll_pwait2(connections_.epoll_fd(), events.data(), static_cast<int>(events.size()), &wait, nullptr);
    for (int i = 0; i < count; i++) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr == nullptr)
        waker_.clear();
      else
        receiver_.handle(*static_cast<Connection*>(event.data.ptr), event.events);
    }
  }
  if (mode_ == Mode::echo) echo_.count_lost();
  if (publisher_) publisher_->collect(now_ns());
}

void Worker::work(std::uint64_t time_ns) {
  set_up(time_ns);
  const std::uint64_t start_ns = run_.load_start_ns;
  if (!is_started_ && start_ns != 0 && time_ns >= start_ns) start_load(time_ns);
  if (is_started_) {
    if (mode_ == Mode::churn && time_ns < run_.window_end_ns) churn_.restart();
    if (mode_ == Mode::echo && pace_.is_open_loop()) echo_.send_due(time_ns);
    if (publisher_) {
      publisher_->publish_more(time_ns);
      if (time_ns >= run_.window_end_ns) publisher_->collect(time_ns);
    }
  }
  report_drained(time_ns);
}

void Worker::set_up(std::uint64_t time_ns) {
  if (mode_ == Mode::churn) {  // connections are part of the load
    if (is_started_) setup_.check_timeouts(time_ns);
  } else {
    if (!setup_.all_started()) setup_.start_more(time_ns);
    if (is_set_up_) return;
    setup_.check_timeouts(time_ns);
    if (!connections_.all_settled()) return;
  }
  if (is_set_up_) return;
  is_set_up_ = true;
  run_.workers_set_up++;
}

void Worker::start_load(std::uint64_t time_ns) {
  is_started_ = true;
  pace_.start(run_.load_start_ns);
  if (publisher_) publisher_->start(time_ns);
  if (mode_ == Mode::echo && !pace_.is_open_loop()) echo_.start_closed_loop();
}

/// Lets main end the run before --drain is over.
void Worker::report_drained(std::uint64_t time_ns) {
  if (is_drained_ || mode_ != Mode::echo) return;
  const std::uint64_t end_ns = run_.window_end_ns;
  if (end_ns == 0 || time_ns < end_ns || echo_.is_outstanding()) return;
  is_drained_ = true;
  run_.workers_drained++;
}

std::uint64_t Worker::wait_ns(std::uint64_t time_ns) const {
  std::uint64_t wait_ns = kLongestWaitNs;
  if (mode_ != Mode::churn && !setup_.all_started()) wait_ns = setup_.wait_ns();
  const std::uint64_t start_ns = run_.load_start_ns;
  if (!is_started_ && start_ns != 0) wait_ns = std::min(wait_ns, start_ns > time_ns ? start_ns - time_ns : 0);
  if (is_started_ && pace_.is_open_loop() && (publisher_ || mode_ == Mode::echo)) {
    const std::uint64_t due_ns = pace_.next_due_ns();
    if (due_ns < run_.window_end_ns) wait_ns = std::min(wait_ns, due_ns > time_ns ? due_ns - time_ns : kStalledWaitNs);
  }
  return wait_ns;
}

}  // namespace loadgen
