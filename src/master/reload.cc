#include "master/reload.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace gatehouse::master {

Reload::Reload(net::Loop& loop, std::vector<SupervisedProcess>& processes, Settings settings, Actions actions,
               std::function<void(const ReloadOutcome& outcome)> done)
    : loop_(loop), processes_(processes), settings_(settings), actions_(std::move(actions)), done_(std::move(done)) {}

Reload::~Reload() { loop_.cancel(timer_); }

void Reload::start() {
  timer_ = loop_.after(settings_.ready_timeout, [this] {
    const auto late = std::find_if(newcomers_.begin(), newcomers_.end(), [](const Newcomer& each) { return !each.done; });
    fail(fmt::format("the new {} was not ready within {} s", processes_[late->place].label(),
                     std::chrono::duration_cast<std::chrono::seconds>(settings_.ready_timeout).count()));
  });
  const std::size_t count = processes_.size();
  for (std::size_t place = 0; place < count; ++place) {
    if (!processes_[place].temporary && !processes_[place].held && processes_[place].spec->reloadable)
      superfluous_.push_back(place);
  }
  for (const ProcessSpec* spec : settings_.specs) {
    for (int index = 0; index < spec->count; ++index) {
      const bool is_held = std::any_of(processes_.begin(), processes_.end(), [&](const SupervisedProcess& process) {
        return process.held && process.spec->role == spec->role && process.spec->name == spec->name && process.index == index;
      });
      if (is_held) continue;
      const auto old = std::find_if(superfluous_.begin(), superfluous_.end(), [&](std::size_t place) {
        return processes_[place].spec->role == spec->role && processes_[place].spec->name == spec->name &&
               processes_[place].index == index;
      });
      Newcomer newcomer;
      int generation = 0;
      if (old != superfluous_.end()) {
        newcomer.old_place = *old;
        generation = processes_[*old].generation + 1;
        superfluous_.erase(old);
      }
      newcomer.place = make_place(*spec, index, generation);
      newcomers_.push_back(newcomer);
    }
  }
  // One that cannot even be executed ends the whole, in here.
  for (std::size_t i = 0; i < newcomers_.size() && phase_ == Phase::preparing; ++i) actions_.launch(newcomers_[i].place);
  if (newcomers_.empty() && phase_ == Phase::preparing) take_over();
}

std::size_t Reload::make_place(const ProcessSpec& spec, int index, int generation) {
  SupervisedProcess process;
  process.spec = &spec;
  process.image = settings_.image;
  process.index = index;
  process.generation = generation;
  process.temporary = true;
  const auto is_free = [&](const SupervisedProcess& each) {
    const auto place = static_cast<std::size_t>(&each - processes_.data());
    return each.temporary && !each.is_alive() && find(place) == nullptr;
  };
  auto free = std::find_if(processes_.begin(), processes_.end(), is_free);
  if (free == processes_.end()) {
    processes_.push_back(std::move(process));
    return processes_.size() - 1;
  }
  *free = std::move(process);
  return static_cast<std::size_t>(free - processes_.begin());
}

Reload::Newcomer* Reload::find(std::size_t place) {
  const auto found =
      std::find_if(newcomers_.begin(), newcomers_.end(), [place](const Newcomer& each) { return each.place == place; });
  return found == newcomers_.end() ? nullptr : &*found;
}

void Reload::on_ready(std::size_t place) { advance(place, Phase::preparing); }

void Reload::on_serving(std::size_t place) { advance(place, Phase::serving); }

void Reload::advance(std::size_t place, Phase phase) {
  Newcomer* newcomer = find(place);
  if (newcomer == nullptr || phase_ != phase) return;
  newcomer->done = true;
  if (!std::all_of(newcomers_.begin(), newcomers_.end(), [](const Newcomer& each) { return each.done; })) return;
  if (phase_ == Phase::serving) return take_over();
  phase_ = Phase::serving;
  for (Newcomer& each : newcomers_) each.done = false;
  for (const Newcomer& each : newcomers_) actions_.let_serve(each.place);
}

void Reload::take_over() {
  phase_ = Phase::leaving;
  loop_.cancel(timer_);
  outcome_.replaced = newcomers_.size();
  // From now on the old one is where the new one was.
  for (const Newcomer& each : std::exchange(newcomers_, {})) {
    if (!each.old_place) {
      processes_[each.place].temporary = false;
      continue;
    }
    actions_.exchange(*each.old_place, each.place);
    let_leave(each.place);
  }
  actions_.decided();
  for (const std::size_t place : std::exchange(superfluous_, {})) {
    processes_[place].temporary = true;
    actions_.forget(place);
    let_leave(place);
  }
  if (!settings_.gracefully && !leaving_.empty()) hurry(SIGTERM, settings_.leave_timeout);
  if (settings_.gracefully || leaving_.empty()) report();
}

void Reload::let_leave(std::size_t place) {
  SupervisedProcess& process = processes_[place];
  process.state = process.is_alive() ? SupervisedProcess::State::leaving : SupervisedProcess::State::stopped;
  if (!process.is_alive()) return;
  leaving_.push_back(place);
  actions_.send_signal(process, SIGQUIT);
}

void Reload::hurry(int signal, std::chrono::milliseconds later) {
  timer_ = loop_.after(later, [this, signal] {
    if (signal == SIGTERM) outcome_.cut_short = leaving_.size();
    for (const std::size_t place : leaving_) actions_.send_signal(processes_[place], signal);
    if (signal == SIGTERM) hurry(SIGKILL, settings_.stop_timeout);
  });
}

bool Reload::on_exit(std::size_t place, const std::string& how) {
  if (find(place) != nullptr) {
    const SupervisedProcess& process = processes_[place];
    fail(fmt::format("the new {} {}", process.label(), process.complaint.empty() ? how : "cannot start: " + process.complaint));
    return true;
  }
  if (std::erase(leaving_, place) == 0) return false;
  if (is_over()) {
    loop_.cancel(timer_);
    report();
  }
  return true;
}

void Reload::fail(const std::string& why) {
  if (phase_ == Phase::leaving) return;
  phase_ = Phase::leaving;
  loop_.cancel(timer_);
  outcome_.failure = why;
  // They may have begun to serve: they leave as the old ones would have.
  for (const Newcomer& each : std::exchange(newcomers_, {})) let_leave(each.place);
  if (!leaving_.empty()) hurry(SIGTERM, std::chrono::milliseconds(0));
  report();
}

void Reload::report() {
  outcome_.leaving = leaving_.size();
  if (const auto done = std::exchange(done_, nullptr)) done(outcome_);
}

}  // namespace gatehouse::master
