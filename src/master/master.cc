#include "master/master.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "master/child_environment.h"
#include "master/child_process.h"
#include "master/exit_reason.h"
#include "master/process_names.h"

namespace gatehouse::master {
namespace {

struct ControlChannel {
  net::Socket master_end;
  net::Socket child_end;
};

Result<ControlChannel> make_control_channel() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    return os_failure("cannot make a control channel", errno);
  }
  return ControlChannel{net::Socket(ends[0]), net::Socket(ends[1])};
}

/// One that is temporary is not to serve before it is told to. `configuration_fd` is -1 for one that reads it by itself.
SpawnRequest make_request(const Master::Options& options, const SupervisedProcess& process, int control_fd, int black_box_fd,
                          int configuration_fd) {
  const ProcessSpec& spec = *process.spec;
  const Reference reference = parse_reference(spec.reference);
  ChildEnvironment told{.kind = reference.kind,
                        .name = spec.name,
                        .number = reference.number,
                        .index = process.index,
                        .listen_fds = {},
                        .generation = process.generation,
                        .prepare = process.temporary};
  SpawnRequest request{.program = options.program,
                       .arguments = options.arguments,
                       .environment = inherited_environment(),
                       .descriptors = {},
                       .identity = options.identity,
                       .program_fd = process.image->program_fd()};
  if (!spec.listeners.empty()) request.descriptors = spec.listeners[static_cast<std::size_t>(process.index)];
  int next = kFirstDescriptor;
  for (std::size_t i = 0; i < request.descriptors.size(); ++i) told.listen_fds.push_back(next++);
  told.control_fd = next++;
  request.descriptors.push_back(control_fd);
  told.black_box_fd = next++;
  request.descriptors.push_back(black_box_fd);
  if (configuration_fd >= 0) {
    told.configuration_fd = next;
    request.descriptors.push_back(configuration_fd);
  }
  for (std::string& variable : told.variables()) request.environment.push_back(std::move(variable));
  return request;
}

/// It has begun to answer, and has not ended.
bool is_served(const SupervisedProcess& process) {
  using State = SupervisedProcess::State;
  return process.is_alive() && (process.state == State::running || process.state == State::leaving);
}

std::size_t number_of(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_unsigned() ? found->get<std::size_t>() : 0;
}

nlohmann::ordered_json filter_of(const nlohmann::json& question) {
  const auto found = question.find("filter");
  return found != question.end() ? nlohmann::ordered_json(*found) : nlohmann::ordered_json::object();
}

}  // namespace

Master::Master(net::Loop& loop, Options options, Callbacks callbacks)
    : loop_(loop),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      started_(std::chrono::system_clock::now()),
      began_(SupervisedProcess::Clock::now()),
      symbolizer_(loop, options_.arguments.empty() ? options_.program : options_.arguments.front()),
      describer_(loop),
      questions_(loop),
      process_control_(loop, processes_, {.stop_timeout = options_.stop_timeout, .start_timeout = kStartTimeout},
                       {.launch = [this](std::size_t place) { launch(place); },
                        .send_signal = [this](SupervisedProcess& process, int signal) { send_signal(process, signal); }}),
      control_lines_(
          [this](net::Connection& connection, const nlohmann::json& message) { on_child_message(connection, message); },
          [this](net::Connection& connection) { questions_.forget(connection.tag); }) {
  if (!options_.image) {
    // Without it every start fails, with the reason that is known then.
    if (auto opened = ProgramImage::open(options_.program, {})) options_.image = std::move(*opened);
  }
  for (const ProcessSpec& spec : options_.processes) {
    const ProcessSpec& kept = specs_.emplace_back(spec);
    for (int index = 0; index < spec.count; ++index) add_process(kept, index, options_.image);
  }
}

Master::~Master() {
  loop_.cancel(start_timer_);
  for (const SupervisedProcess& process : processes_) loop_.cancel(process.restart_timer);
}

void Master::start() {
  start_timer_ = loop_.after(kStartTimeout, [this] {
    StartOutcome outcome;
    for (const SupervisedProcess& process : processes_) {
      if (process.was_ready) continue;
      outcome.not_ready.push_back(process.label());
      if (!process.last_exit.empty())
        outcome.failure = fmt::format("{} ended with {} while starting", process.label(), process.last_exit);
    }
    settle(std::move(outcome));
  });
  for (std::size_t place = 0; place < processes_.size(); ++place) launch(place);
  block_watch_.emplace(loop_, processes_, symbolizer_);
}

void Master::launch(std::size_t place) {
  SupervisedProcess& process = processes_[place];
  process.started = SupervisedProcess::Clock::now();
  process.complaint.clear();
  auto channel = make_control_channel();
  if (!channel) return on_exit(place, channel.error().message);
  const Result<pid_t> pid = spawn_child(process, channel->child_end.fd());
  if (!pid) return on_exit(place, pid.error().message);
  process.pid = *pid;
  process.state = SupervisedProcess::State::starting;
  process.control = loop_.adopt(std::move(channel->master_end), control_lines_, static_cast<std::uint32_t>(place));
  if (!options_.greeting) return;
  for (const nlohmann::ordered_json& message : options_.greeting()) JsonLines::send(loop_.find(process.control), message);
}

Result<pid_t> Master::spawn_child(SupervisedProcess& process, int control_fd) {
  if (!process.image) {
    auto opened = ProgramImage::open(options_.program, {});
    if (!opened) return tl::unexpected(opened.error());
    process.image = std::move(*opened);
  }
  const auto box = BlackBoxReader::make(process.image->program_fd());
  if (!box) return tl::unexpected(box.error());
  process.box = *box;
  net::Socket configuration;
  std::vector<ConfigurationText> texts = process.image->configuration();
  if (!process.spec->settings.empty()) texts.push_back({"", process.spec->settings});
  if (!texts.empty()) {
    auto written = write_configuration(texts);
    if (!written) return tl::unexpected(written.error());
    configuration = std::move(*written);
  }
  return spawn(make_request(options_, process, control_fd, (*box)->fd(), configuration.fd()));
}

void Master::on_child_message(net::Connection& connection, const nlohmann::json& message) {
  SupervisedProcess& process = processes_[connection.tag];
  if (process.control != connection.id()) return;  // last words of one that has been replaced
  if (const auto failed = message.find("failed"); failed != message.end() && failed->is_string()) {
    process.complaint = failed->get<std::string>();
    return;
  }
  if (message.contains("serving")) {
    for (std::size_t i = 0; i < reloads_.size(); ++i) reloads_[i]->on_serving(connection.tag);
    return sweep_reloads();
  }
  if (message.contains("ready") && process.state == SupervisedProcess::State::starting) {
    process.state = SupervisedProcess::State::running;
    process.was_ready = true;
    loop_.log().debug("{} (pid {}) is ready", process.label(), process.pid);
    if (process.temporary) {
      for (std::size_t i = 0; i < reloads_.size(); ++i) reloads_[i]->on_ready(connection.tag);
      return;
    }
    process_control_.on_ready(connection.tag);
    return check_started();
  }
  questions_.on_answer(connection.tag, message);
}

void Master::reap() {
  for (std::size_t place = 0; place < processes_.size(); ++place) {
    int status = 0;
    const pid_t pid = processes_[place].pid;
    if (pid != 0 && waitpid(pid, &status, WNOHANG) == pid) on_exit(place, describe_exit(status));
  }
  symbolizer_.reap();
  describer_.reap();
  if (getpid() == 1) reap_adopted();
  sweep_reloads();
  if (stopping_) {
    stopping_->advance();
  } else if (leaving_) {
    advance_leaving();
  }
}

/// One that is only about to be started again when its turn to leave comes would never hear that it is to leave.
void Master::advance_leaving() {
  leaving_->advance();
  for (SupervisedProcess& process : processes_) {
    if (process.state != SupervisedProcess::State::restarting || !leaving_->is_leaving(process)) continue;
    loop_.cancel(process.restart_timer);
    process.state = SupervisedProcess::State::stopped;
  }
}

void Master::reap_adopted() {
  siginfo_t info{};
  // Looked at first: the exit of a child of our own that has just ended must be left for the next time.
  while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
    const bool ours =
        symbolizer_.owns(info.si_pid) || describer_.owns(info.si_pid) ||
        std::any_of(processes_.begin(), processes_.end(), [&](const auto& process) { return process.pid == info.si_pid; });
    if (ours) return;
    (void)waitpid(info.si_pid, nullptr, WNOHANG);
    info = {};
  }
}

void Master::signal_all(int signal) {
  for (const SupervisedProcess& process : processes_) {
    if (process.is_alive()) kill(process.pid, signal);
  }
}

void Master::on_exit(std::size_t place, const std::string& how) {
  SupervisedProcess& process = processes_[place];
  const pid_t pid = std::exchange(process.pid, 0);
  process.last_exit = how;
  questions_.forget(place);
  if (net::Connection* control = loop_.find(process.control)) control->destroy();
  if (stopping_ || process.temporary || process.held || (leaving_ && leaving_->is_leaving(process))) {
    process.state = SupervisedProcess::State::stopped;
    loop_.log().debug("{} (pid {}) has stopped: {}", process.label(), pid, how);
    const std::string what = (pid != 0 ? "ended: " : "could not be started: ") + how;
    for (const auto& reload : reloads_) {
      if (reload->on_exit(place, what)) break;
    }
    return process_control_.on_exit(place, how);
  }
  process.state = SupervisedProcess::State::restarting;
  const auto lifetime = std::chrono::duration_cast<std::chrono::milliseconds>(SupervisedProcess::Clock::now() - process.started);
  const auto pause = process.restart_policy.pause_after(lifetime);
  const std::string when = pause.count() == 0 ? "" : fmt::format(" in {:.1f} s", static_cast<double>(pause.count()) / 1000);
  if (pid != 0) {
    const std::string activity = process.box->activity();
    loop_.log().error("{} (pid {}) ended: {}{}; it is started again{}", process.label(), pid, how,
                      activity.empty() ? "" : " in " + activity, when);
    if (process.box->page().signal != 0) log_backtrace(process, pid);
  } else {
    loop_.log().error("{} could not be started: {}; it is tried again{}", process.label(), how, when);
  }
  ++process.restarts;
  process.restart_timer = loop_.after(pause, [this, place] { launch(place); });
  process_control_.on_exit(place, how);
  if (!settled_ && !process.was_ready && process.restarts >= kStartAttempts) {
    settle({.not_ready = {process.label()},
            .failure =
                fmt::format("{} ended {} times while starting, the last time with {}", process.label(), process.restarts, how)});
  }
}

void Master::log_backtrace(const SupervisedProcess& process, pid_t pid) {
  symbolizer_.symbolize(*process.box, [this, label = process.label(), pid](const std::string& text) {
    if (!text.empty()) loop_.log().error("{} (pid {}) ended at\n{}", label, pid, text);
  });
}

void Master::check_started() {
  const bool all_ready = std::all_of(processes_.begin(), processes_.end(), [](const SupervisedProcess& process) {
    return process.was_ready || process.temporary || process.held;
  });
  if (all_ready) settle({});
}

void Master::settle(StartOutcome outcome) {
  if (settled_ || stopping_) return;
  settled_ = true;
  loop_.cancel(start_timer_);
  callbacks_.on_started(outcome);
}

void Master::exchange(std::size_t a, std::size_t b) {
  for (const std::size_t place : {a, b}) {
    questions_.forget(place);
    loop_.cancel(processes_[place].restart_timer);
  }
  std::swap(processes_[a], processes_[b]);
  std::swap(processes_[a].temporary, processes_[b].temporary);
  // What is counted of a place, not of a process.
  std::swap(processes_[a].restarts, processes_[b].restarts);
  for (const std::size_t place : {a, b}) {
    if (net::Connection* control = loop_.find(processes_[place].control)) control->tag = static_cast<std::uint32_t>(place);
  }
}

void Master::send_signal(SupervisedProcess& process, int signal) {
  if (!process.is_alive()) return;
  if (signal == SIGKILL) loop_.log().warning("{} (pid {}) has not stopped in time and is killed", process.label(), process.pid);
  kill(process.pid, signal);
}

void Master::sweep_reloads() {
  std::erase_if(reloads_, [](const auto& reload) { return reload->is_over(); });
  forget_specs();
}

void Master::stop_gracefully(std::chrono::milliseconds timeout) {
  if (stopping_ || leaving_) return;
  if (!reloads_.empty()) reloads_.back()->fail("it is being stopped");
  leaving_ = std::make_unique<GracefulStop>(
      loop_, processes_, timeout, [this](SupervisedProcess& process, int signal) { send_signal(process, signal); },
      [this](bool in_time) {
        if (!in_time) loop_.log().warning("not all clients have gone in time; they are disconnected now");
        stop();
      });
  advance_leaving();
}

void Master::stop() {
  if (stopping_) return;
  if (!reloads_.empty()) reloads_.back()->fail("it is being stopped");
  block_watch_.reset();
  for (SupervisedProcess& process : processes_) {
    loop_.cancel(process.restart_timer);
    if (!process.is_alive()) process.state = SupervisedProcess::State::stopped;
  }
  stopping_ = std::make_unique<StopSequence>(
      loop_, processes_, options_.stop_timeout, [this](SupervisedProcess& process, int signal) { send_signal(process, signal); },
      callbacks_.on_stopped);
  stopping_->advance();
}

std::string Master::why_no_change(const SupervisedProcess& process) const {
  if (stopping_ || leaving_) return "it is being stopped as a whole";
  if (!settled_) return "it is just starting";
  return reloading_ && process.spec->reloadable ? "a reload is under way" : "";
}

void Master::stop_process(const std::string& name, bool gracefully, std::chrono::milliseconds timeout,
                          ProcessControl::Done done) {
  const auto place = find_process(processes_, name);
  if (!place) return done({{"error", place.error().message}});
  if (const std::string why = why_no_change(processes_[*place]); !why.empty()) return done({{"error", why}});
  process_control_.stop(*place, gracefully, timeout, std::move(done));
}

void Master::start_process(const std::string& name, ProcessControl::Done done) {
  const auto place = find_process(processes_, name);
  if (!place) return done({{"error", place.error().message}});
  if (const std::string why = why_no_change(processes_[*place]); !why.empty()) return done({{"error", why}});
  process_control_.start(*place, std::move(done));
}

void Master::ask_all(const std::string& question, const nlohmann::ordered_json& details, const std::string& role,
                     std::function<void(const ChildQuestions::Answers& answers, const std::vector<std::string>& silent)> done) {
  std::vector<ChildQuestions::Receiver> receivers;
  for (std::size_t place = 0; place < processes_.size(); ++place) {
    const SupervisedProcess& process = processes_[place];
    if (process.is_alive() && (role.empty() || process.spec->role == role)) receivers.push_back({place, process.control});
  }
  const auto report = [this, receivers, done = std::move(done)](const ChildQuestions::Answers& answers) {
    std::vector<std::string> silent;
    for (const ChildQuestions::Receiver& each : receivers) {
      const SupervisedProcess& process = processes_[each.place];
      // One that has ended meanwhile has nothing to do with it any more.
      if (!answers.contains(each.place) && process.control == each.control && process.is_alive())
        silent.push_back(process.label());
    }
    done(answers, silent);
  };
  questions_.ask(question, receivers, kAnswerTimeout, report, details);
}

void Master::status(std::function<void(const nlohmann::ordered_json& status)> done) {
  std::vector<ChildQuestions::Receiver> receivers;
  for (std::size_t place = 0; place < processes_.size(); ++place) {
    const SupervisedProcess& process = processes_[place];
    // One that is still starting does not listen yet.
    if (is_served(process)) receivers.push_back({place, process.control});
  }
  questions_.ask("status", receivers, kAnswerTimeout, [this, done = std::move(done)](const ChildQuestions::Answers& answers) {
    const StatusSubject subject{.name = options_.name,
                                .pid = getpid(),
                                .started = started_,
                                .uptime = SupervisedProcess::Clock::now() - began_,
                                .log_lines_lost = loop_.log().lost().lines};
    done(make_status(subject, processes_, answers));
  });
}

void Master::connections(const nlohmann::json& question, std::function<void(const nlohmann::ordered_json& piece)> done) {
  std::size_t place = number_of(question, "place");
  std::size_t from = number_of(question, "from");
  while (place < processes_.size() && !is_served(processes_[place])) {
    ++place;
    from = 0;
  }
  if (place >= processes_.size()) {
    return done({{"process", nullptr}, {"rows", nlohmann::ordered_json::array()}, {"next", nullptr}});
  }
  const SupervisedProcess& process = processes_[place];
  nlohmann::ordered_json piece = {{"process", identity(process)}, {"rows", nullptr}, {"next", nullptr}};
  if (place + 1 < processes_.size()) piece["next"] = {{"place", place + 1}, {"from", 0}};
  const auto answered = [place, piece = std::move(piece),
                         done = std::move(done)](const ChildQuestions::Answers& answers) mutable {
    const auto answer = answers.find(place);
    if (answer != answers.end() && answer->second.contains("rows")) {
      piece["rows"] = answer->second["rows"];
      const std::size_t next = number_of(answer->second, "next");
      if (next > 0) piece["next"] = {{"place", place}, {"from", next}};
    }
    done(piece);
  };
  questions_.ask("connections", {{place, process.control}}, kAnswerTimeout, answered,
                 {{"from", from}, {"filter", filter_of(question)}});
}

}  // namespace gatehouse::master
