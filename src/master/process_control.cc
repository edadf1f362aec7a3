#include "master/process_control.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "master/json_lines.h"
#include "net/socket.h"

namespace gatehouse::master {
namespace {

nlohmann::ordered_json error_answer(const std::string& text) { return {{"error", text}}; }

}  // namespace

ProcessControl::ProcessControl(net::Loop& loop, std::vector<SupervisedProcess>& processes, Settings settings, Actions actions)
    : loop_(loop), processes_(processes), settings_(settings), actions_(std::move(actions)) {}

ProcessControl::~ProcessControl() {
  for (const auto* waiting : {&stops_, &starts_}) {
    for (const auto& [place, each] : *waiting) loop_.cancel(each.timer);
  }
}

bool ProcessControl::is_shared(std::size_t place, int listener, Others others) const {
  for (std::size_t other = 0; other < processes_.size(); ++other) {
    const SupervisedProcess& process = processes_[other];
    if (other == place || process.temporary || process.spec->listeners.empty()) continue;
    // One that leaves may still have the port open, to say that it does.
    if (process.held && (others == Others::that_serve || !process.is_alive())) continue;
    const std::vector<int>& theirs = process.spec->listeners[static_cast<std::size_t>(process.index)];
    if (std::find(theirs.begin(), theirs.end(), listener) != theirs.end()) return true;
  }
  return false;
}

bool ProcessControl::has_siblings(std::size_t place) const {
  const SupervisedProcess& process = processes_[place];
  if (process.spec->listeners.empty()) return false;
  const std::vector<int>& listeners = process.spec->listeners[static_cast<std::size_t>(process.index)];
  return std::any_of(listeners.begin(), listeners.end(),
                     [&](int listener) { return is_shared(place, listener, Others::that_serve); });
}

void ProcessControl::stop(std::size_t place, bool gracefully, std::chrono::milliseconds timeout, Done done) {
  SupervisedProcess& process = processes_[place];
  if (process.held && !process.is_alive()) return done(error_answer(fmt::format("{} is stopped already", process.label())));
  if (gracefully && !process.spec->graceful) {
    return done(error_answer(fmt::format("a {} has no clients to wait for; leave -g out", process.spec->role)));
  }
  process.held = true;
  if (!process.is_alive()) {
    loop_.cancel(process.restart_timer);
    process.state = SupervisedProcess::State::stopped;
    release_listeners(place);
    return done({{"process", process.label()}, {"how", "was not running"}, {"in_time", true}});
  }
  process.state = SupervisedProcess::State::leaving;
  Waiting& waiting = stops_[place];
  waiting.done.push_back(std::move(done));
  loop_.cancel(waiting.timer);
  if (!gracefully) {
    loop_.log().info("stopping {} (pid {})", process.label(), process.pid);
    return hurry(place, SIGTERM);
  }
  loop_.log().info("stopping {} (pid {}) when its clients have gone, in {:.1f} s at the latest", process.label(), process.pid,
                   static_cast<double>(timeout.count()) / 1000);
  JsonLines::send(loop_.find(process.control), {{"ask", "leave"}, {"siblings", has_siblings(place)}});
  waiting.timer = loop_.after(timeout, [this, place] {
    stops_.at(place).in_time = false;
    loop_.log().warning("not all clients of {} have gone in time; they are disconnected now", processes_[place].label());
    hurry(place, SIGTERM);
  });
}

void ProcessControl::hurry(std::size_t place, int signal) {
  actions_.send_signal(processes_[place], signal);
  if (signal == SIGTERM) stops_.at(place).timer = loop_.after(settings_.stop_timeout, [this, place] { hurry(place, SIGKILL); });
}

void ProcessControl::start(std::size_t place, Done done) {
  SupervisedProcess& process = processes_[place];
  if (!process.held) return done(error_answer(fmt::format("{} is {} already", process.label(), to_string(process.state))));
  if (process.is_alive()) {
    return done(error_answer(fmt::format("{} (pid {}) has not gone yet; \"stop\" with its name, without -g, hurries it",
                                         process.label(), process.pid)));
  }
  process.held = false;
  if (!process.spec->listeners.empty()) {
    for (const int listener : process.spec->listeners[static_cast<std::size_t>(process.index)]) net::listen_again(listener);
  }
  Waiting& waiting = starts_[place];
  waiting.done.push_back(std::move(done));
  waiting.timer = loop_.after(settings_.start_timeout, [this, place] {
    finish(starts_, loop_, place, [&](const Waiting&) {
      return error_answer(fmt::format("{} is not ready yet; the log says how it goes on", processes_[place].label()));
    });
  });
  actions_.launch(place);
}

void ProcessControl::on_ready(std::size_t place) {
  finish(starts_, loop_, place, [&](const Waiting&) {
    const SupervisedProcess& process = processes_[place];
    loop_.log().info("{} (pid {}) has been started again", process.label(), process.pid);
    return nlohmann::ordered_json{{"process", process.label()}, {"pid", process.pid}};
  });
}

void ProcessControl::on_exit(std::size_t place, const std::string& how) {
  const SupervisedProcess& process = processes_[place];
  finish(starts_, loop_, place, [&](const Waiting&) {
    return error_answer(
        fmt::format("{} ended while starting: {}{}", process.label(), how, process.held ? "" : "; it is tried again"));
  });
  if (!process.held) return;
  release_listeners(place);
  finish(stops_, loop_, place, [&](const Waiting& waiting) {
    loop_.log().info("{} has been stopped: {}", process.label(), how);
    return nlohmann::ordered_json{{"process", process.label()}, {"how", how}, {"in_time", waiting.in_time}};
  });
}

void ProcessControl::release_listeners(std::size_t place) {
  const SupervisedProcess& process = processes_[place];
  if (process.spec->listeners.empty()) return;
  for (const int listener : process.spec->listeners[static_cast<std::size_t>(process.index)]) {
    if (!is_shared(place, listener, Others::that_live)) net::stop_listening(listener);
  }
}

void ProcessControl::finish(std::map<std::size_t, Waiting>& waiting, net::Loop& loop, std::size_t place,
                            const std::function<nlohmann::ordered_json(const Waiting& waiting)>& answer) {
  // Taken out first: whoever is answered may ask again.
  const auto node = waiting.extract(place);
  if (node.empty()) return;
  loop.cancel(node.mapped().timer);
  const nlohmann::ordered_json text = answer(node.mapped());
  for (const Done& done : node.mapped().done) done(text);
}

}  // namespace gatehouse::master
