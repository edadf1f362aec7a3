#include "load.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "clock.h"
#include "usage_error.h"

namespace loadgen {
namespace {

constexpr std::uint64_t kSetupCheckNs = 5 * kMillisecondNs;
constexpr std::uint64_t kDrainCheckNs = 20 * kMillisecondNs;
constexpr std::uint64_t kChurnDrainNs = 60 * kMillisecondNs;
/// All workers have read the start time before it comes.
constexpr std::uint64_t kStartDelayNs = 100 * kMillisecondNs;
/// For the workers' epolls and eventfds, the standard streams and the files of /proc.
constexpr rlim_t kOtherDescriptors = 100;
constexpr double kSlackS = 120;

void raise_descriptor_limit(rlim_t needed) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= needed) return;
  limit.rlim_cur = needed;
  limit.rlim_max = std::max(limit.rlim_max, needed);  // which only root may
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
    throw UsageError("needs " + std::to_string(needed) + " file descriptors: raise ulimit -n");
}

/// The last resort when the program itself hangs: SIGALRM ends it.
void limit_running_time(const Options& options) {
  const double hold_s = options.mode == Mode::idle ? static_cast<double>(options.hold_s) : 0;
  alarm(static_cast<unsigned>(options.setup_timeout_s + options.warmup_s + options.seconds + options.drain_s + hold_s + kSlackS));
}

}  // namespace

Load::Load(const Options& options) : options_(options), run_(options) {
  raise_descriptor_limit(options.connections + kOtherDescriptors);
  std::signal(SIGPIPE, SIG_IGN);
  limit_running_time(options);
  create_workers();
}

void Load::create_workers() {
  std::uint32_t next_id = 0;
  for (std::uint64_t i = 0; i < options_.threads; i++) {
    const bool is_longer = i < options_.connections % options_.threads;
    const bool has_publisher = options_.is_fan_out() && i == 0;
    const std::size_t connections = options_.connections / options_.threads + (is_longer ? 1 : 0) + (has_publisher ? 1 : 0);
    const Worker::Share share = {i, next_id, connections, has_publisher};
    workers_.emplace_back(run_, share, i == 0 ? nullptr : &workers_.front().waker());
    next_id += static_cast<std::uint32_t>(connections);
  }
}

Outcome Load::run() {
  for (Worker& worker : workers_) threads_.emplace_back([&worker] { worker.run(); });
  const bool is_set_up = wait_for_setup();
  if (run_.last_up_ns > run_.first_connect_ns) outcome_.setup_ns = run_.last_up_ns - run_.first_connect_ns;
  outcome_.up = run_.connections_up;
  if (options_.mode != Mode::churn) print_ready();
  outcome_.server_cpu.resize(options_.pids.size());
  if (is_set_up && !stop_.raised()) {
    if (options_.mode == Mode::idle)
      hold();
    else
      measure();
  }
  stop_workers();
  for (const Worker& worker : workers_) {
    outcome_.statistics.merge(worker.statistics());
    outcome_.up_at_end +=
        std::ranges::count(worker.connections().all(), State::up, [](const Connection& connection) { return connection.state; });
  }
  if (options_.is_fan_out()) count_deliveries();
  outcome_.first_error = run_.first_error.text();
  return outcome_;
}

bool Load::wait_for_setup() {
  const std::uint64_t deadline_ns = now_ns() + to_ns(options_.setup_timeout_s);
  while (run_.workers_set_up < options_.threads && !stop_.raised()) {
    stop_.sleep_ns(kSetupCheckNs);
    if (now_ns() > deadline_ns) {
      run_.first_error.note("set-up did not finish within --setup-timeout");
      return false;
    }
  }
  return true;
}

void Load::print_ready() const {
  const std::uint64_t asked = options_.connections + (options_.is_fan_out() ? 1 : 0);
  std::printf("READY %ju of %ju up in %.3f s\n", std::uintmax_t{outcome_.up}, std::uintmax_t{asked},
              to_seconds(outcome_.setup_ns));
  std::fflush(stdout);  // others wait for this line
}

void Load::hold() {
  const std::vector<CpuUse> before = sample_cpu();
  const std::uint64_t start_ns = now_ns();
  stop_.sleep_until_ns(start_ns + options_.hold_s * kSecondNs);
  outcome_.window_ns = now_ns() - start_ns;
  take_cpu(before, sample_cpu());
}

void Load::measure() {
  const std::uint64_t members = outcome_.up - (options_.is_fan_out() ? 1 : 0);
  run_.publications.set_members(members);
  if (options_.is_fan_out()) run_.subscribers_gone = 0;
  const std::uint64_t start_ns = now_ns() + kStartDelayNs;
  const std::uint64_t window_start_ns = start_ns + to_ns(options_.warmup_s);
  const std::uint64_t window_end_ns = window_start_ns + to_ns(options_.seconds);
  run_.window_start_ns = window_start_ns;
  run_.window_end_ns = window_end_ns;
  if (options_.mode == Mode::churn || members > 0) run_.load_start_ns = start_ns;  // the last of the three: workers wait for it
  stop_.sleep_until_ns(window_start_ns);
  const std::vector<CpuUse> before = sample_cpu();
  stop_.sleep_until_ns(window_end_ns);
  take_cpu(before, sample_cpu());
  if (stop_.raised()) lower_to(run_.window_end_ns, now_ns());
  const std::uint64_t real_end_ns = run_.window_end_ns;  // the publisher may have ended it as well
  if (real_end_ns > window_start_ns) outcome_.window_ns = real_end_ns - window_start_ns;
  drain();
}

void Load::drain() {
  const std::uint64_t limit_ns = now_ns() + to_ns(options_.drain_s);
  while (now_ns() < limit_ns && !stop_.raised()) {
    stop_.sleep_ns(options_.mode == Mode::churn ? kChurnDrainNs : kDrainCheckNs);
    if (is_drained()) return;
  }
}

bool Load::is_drained() const {
  switch (options_.mode) {
    case Mode::echo: return run_.workers_drained == options_.threads;
    case Mode::fanout:
    case Mode::all: return run_.publications.completed() >= run_.publications.published();
    default: return true;
  }
}

void Load::stop_workers() {
  run_.quit = true;
  for (const Worker& worker : workers_) worker.waker().wake();
  for (std::thread& thread : threads_) thread.join();
}

void Load::count_deliveries() {
  outcome_.published = run_.publications.published();
  outcome_.expected = outcome_.published * run_.publications.members();
  outcome_.subscribers_gone = run_.subscribers_gone;
  for (const Worker& worker : workers_)
    for (const Connection& connection : worker.connections().all())
      if (!connection.is_publisher) outcome_.delivered += connection.received;
  if (outcome_.expected > outcome_.delivered) outcome_.statistics[Count::lost] = outcome_.expected - outcome_.delivered;
}

std::vector<CpuUse> Load::sample_cpu() const {
  std::vector<CpuUse> sample = {own_cpu_use()};
  for (const int pid : options_.pids) sample.push_back(cpu_use_of(pid));
  return sample;
}

void Load::take_cpu(const std::vector<CpuUse>& before, const std::vector<CpuUse>& after) {
  outcome_.own_cpu = after[0] - before[0];
  for (std::size_t i = 0; i < outcome_.server_cpu.size(); i++) outcome_.server_cpu[i] = after[i + 1] - before[i + 1];
}

}  // namespace loadgen
