#include "master/block_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace gatehouse::master {
namespace {

using std::chrono::milliseconds;

double in_seconds(std::chrono::steady_clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

/// What runs, for a line of the log.
std::string who_holds(const BlackBoxReader& box) {
  const std::string activity = box.activity();
  return activity.empty() ? "something outside the handlers' first part, such as what follows a co_await" : activity;
}

}  // namespace

BlockWatch::BlockWatch(net::Loop& loop, std::vector<SupervisedProcess>& processes, Symbolizer& symbolizer)
    : loop_(loop), processes_(processes), symbolizer_(symbolizer), seen_(processes.size()), looked_(Clock::now()) {
  milliseconds shortest = milliseconds::max();
  for (const SupervisedProcess& process : processes) {
    for (const milliseconds limit : {process.spec->blocked_after, process.spec->kill_blocked_after}) {
      if (limit.count() > 0) shortest = std::min(shortest, limit);
    }
  }
  if (shortest == milliseconds::max()) return;
  timer_ = loop_.every(std::clamp(shortest / 4, kShortestPeriod, kLongestPeriod), [this] { look(); });
}

BlockWatch::~BlockWatch() {
  loop_.cancel(timer_);
  loop_.cancel(report_timer_);
}

void BlockWatch::look() {
  seen_.resize(processes_.size());
  const auto now = Clock::now();
  const auto since_last = now - std::exchange(looked_, now);
  if (since_last > kSurelyStopped) {
    for (Seen& seen : seen_) seen.since += since_last;
  }
  for (std::size_t place = 0; place < processes_.size(); ++place) {
    if (processes_[place].is_alive() && processes_[place].box != nullptr) look_at(processes_[place], seen_[place]);
  }
}

void BlockWatch::look_at(SupervisedProcess& process, Seen& seen) {
  const BlackBoxPage& page = process.box->page();
  const std::uint64_t iteration = page.iteration;
  const std::uint64_t handler = page.handler;
  const auto now = Clock::now();
  if (process.pid != seen.pid || iteration == 0 || iteration != seen.iteration || handler != seen.handler) {
    if (seen.counted && seen.pid == process.pid) {
      loop_.log().info("{} (pid {}) goes on after {:.1f} s", process.label(), process.pid, in_seconds(now - seen.since));
    }
    seen = {.pid = process.pid, .iteration = iteration, .handler = handler, .since = now};
    return;
  }
  const auto held = now - seen.since;
  const ProcessSpec& spec = *process.spec;
  const bool kills = spec.kill_blocked_after.count() > 0 && held >= spec.kill_blocked_after && !seen.killed;
  const bool asks = spec.blocked_after.count() > 0 && held >= spec.blocked_after && !seen.counted;
  if (!kills && !asks) return;
  const std::string who = fmt::format("{} (pid {}) has been held for {:.1f} s by {}", process.label(), process.pid,
                                      in_seconds(held), who_holds(*process.box));
  if (page.handler != handler || page.iteration != iteration) return;  // it went on while that was read
  if (!std::exchange(seen.counted, true)) ++process.blocked;
  if (kills) {
    seen.killed = true;
    loop_.log().error("{} and is killed", who);
    kill(process.pid, SIGKILL);
  } else {
    ask(process, handler, who);
  }
}

void BlockWatch::ask(const SupervisedProcess& process, std::uint64_t handler, const std::string& who) {
  const BlackBoxPage& page = process.box->page();
  asked_.push_back({.who = who, .handler = handler, .reports = page.reports, .box = process.box, .when = Clock::now()});
  if (page.answers_dump_signal == 1) kill(process.pid, BlackBox::dump_signal());
  if (asked_.size() == 1) report_timer_ = loop_.every(kReportPeriod, [this] { look_for_reports(); });
}

void BlockWatch::look_for_reports() {
  std::erase_if(asked_, [this](const Asked& asked) { return look_for_report(asked); });
  if (asked_.empty()) loop_.cancel(report_timer_);
}

bool BlockWatch::look_for_report(const Asked& asked) {
  const BlackBoxPage& page = asked.box->page();
  const bool reported = page.reports > asked.reports;
  if (!reported && page.answers_dump_signal == 1 && Clock::now() - asked.when < kDumpTime) return false;
  if (!reported || page.report_handler != asked.handler) {
    loop_.log().warning("{}; it {}", asked.who,
                        reported ? "went on before it could say where it was" : "does not say where it is");
    return true;
  }
  symbolizer_.symbolize(*asked.box, [&loop = loop_, who = asked.who](const std::string& text) {
    loop.log().warning("{}; it is at\n{}", who, text);
  });
  return true;
}

}  // namespace gatehouse::master
