// What a reload does to the processes of a master; the rest of it is in master.cc.
#include <algorithm>
#include <utility>

#include "master/master.h"
#include "net/socket.h"

namespace gatehouse::master {

ProcessSpec* Master::find_spec(const ProcessSpec& like) {
  // The last one of that name: those before it are of processes that leave.
  const auto found = std::find_if(specs_.rbegin(), specs_.rend(),
                                  [&](const ProcessSpec& spec) { return spec.role == like.role && spec.name == like.name; });
  return found == specs_.rend() ? nullptr : &*found;
}

SupervisedProcess& Master::add_process(const ProcessSpec& spec, int index, std::shared_ptr<const ProgramImage> image) {
  SupervisedProcess& process = processes_.emplace_back();
  process.spec = &spec;
  process.index = index;
  process.image = std::move(image);
  return process;
}

std::string Master::cannot_reload() const {
  if (stopping_ || leaving_) return "it is being stopped";
  if (!settled_) return "it is just starting";
  const bool undecided = !reloads_.empty() && reloads_.back()->is_undecided();
  if (reloading_ || undecided || describer_.is_busy()) return "another reload is under way";
  return "";
}

void Master::describe(std::vector<ConfigurationText> configuration, Describer::Done done) {
  describer_.describe({.program = options_.program,
                       .arguments = options_.arguments,
                       .configuration = std::move(configuration),
                       .identity = options_.identity},
                      std::move(done));
}

Master::Settings Master::exchange_settings(const Settings& settings) {
  Settings before;
  for (const auto& [spec, text] : settings) before.emplace_back(spec, std::exchange(spec->settings, text));
  return before;
}

void Master::reload(ReloadRequest request, std::function<void(const ReloadOutcome& outcome)> done) {
  if (const std::string why = cannot_reload(); !why.empty()) return done({.failure = why});
  reloading_ = true;
  loop_.log().info("reloading from {}", options_.program);
  const auto shared = std::make_shared<ReloadRequest>(std::move(request));
  Settings changed;
  std::vector<const ProcessSpec*> specs;
  for (const ProcessSpec& spec : shared->specs) {
    ProcessSpec* present = find_spec(spec);
    if (present == nullptr || spec.reloadable || present->settings == spec.settings) continue;
    changed.emplace_back(present, spec.settings);
    specs.push_back(present);
  }
  const Settings before = exchange_settings(changed);
  const auto added = std::make_shared<std::size_t>(0);
  const auto decided = [this, shared, added] {
    reloading_ = false;
    options_.stop_timeout = shared->stop_timeout;
    *added = start_new(*shared);
    block_watch_.emplace(loop_, processes_, symbolizer_);  // by the limits of now
    shared->on_decided();
  };
  const auto end = [this, before, specs, added, done = std::move(done)](ReloadOutcome outcome) {
    if (!outcome.failure.empty()) {
      reloading_ = false;
      exchange_settings(before);
      takeover_.give(specs, [](const SettingsTakeover::Outcome&) {});
    } else {
      outcome.added = *added;
      loop_.log().info(
          "reloaded: {} processes replaced, {} of the old ones are still leaving, {} were not done in time, {} added",
          outcome.replaced, outcome.leaving, outcome.cut_short, outcome.added);
    }
    done(outcome);
  };
  takeover_.give(specs, [this, shared, decided, end](const SettingsTakeover::Outcome& given) {
    if (!given.failure.empty()) return end({.failure = given.failure});
    if (stopping_ || leaving_) return end({.failure = "it is being stopped"});
    replace_workers(*shared, decided, [end, silent = given.silent](const ReloadOutcome& outcome) {
      ReloadOutcome with_silent = outcome;
      with_silent.silent = silent;
      end(with_silent);
    });
  });
}

void Master::replace_workers(const ReloadRequest& request, const std::function<void()>& decided, const ReloadDone& done) {
  std::vector<const ProcessSpec*> specs;
  for (const ProcessSpec& spec : request.specs) {
    if (spec.reloadable) specs.push_back(&specs_.emplace_back(spec));
  }
  const bool something =
      !specs.empty() || std::any_of(processes_.begin(), processes_.end(), [](const SupervisedProcess& process) {
        return process.spec->reloadable && !process.temporary;
      });
  if (!something) {
    decided();
    return done({});
  }
  const auto decided_for_held = [this, specs, image = request.image, decided] {
    renew_held(specs, image);
    decided();
  };
  reloads_.push_back(std::make_unique<Reload>(
      loop_, processes_,
      Reload::Settings{.image = request.image,
                       .specs = std::move(specs),
                       .gracefully = request.gracefully,
                       .leave_timeout = options_.reload_timeout,
                       .stop_timeout = options_.stop_timeout},
      Reload::Actions{
          .launch = [this](std::size_t place) { launch(place); },
          .let_serve = [this](std::size_t place) { JsonLines::send(loop_.find(processes_[place].control), {{"serve", true}}); },
          .send_signal = [this](SupervisedProcess& process, int signal) { send_signal(process, signal); },
          .decided = decided_for_held,
          .forget = [this](std::size_t place) { loop_.cancel(processes_[place].restart_timer); },
          .exchange = [this](std::size_t a, std::size_t b) { exchange(a, b); }},
      done));
  reloads_.back()->start();
  sweep_reloads();
}

/// Those that an operator has stopped are not replaced, and have to be started as the others are by now.
void Master::renew_held(const std::vector<const ProcessSpec*>& specs, const std::shared_ptr<const ProgramImage>& image) {
  for (SupervisedProcess& process : processes_) {
    if (!process.held || process.temporary || !process.spec->reloadable) continue;
    for (const ProcessSpec* spec : specs) {
      if (spec->role != process.spec->role || spec->name != process.spec->name || process.index >= spec->count) continue;
      process.spec = spec;
      process.image = image;
    }
  }
}

std::size_t Master::start_new(const ReloadRequest& request) {
  std::vector<std::size_t> places;
  for (const ProcessSpec& spec : request.specs) {
    if (spec.reloadable) continue;
    ProcessSpec* present = find_spec(spec);
    int first = 0;
    auto image = request.image;
    if (present == nullptr) {
      present = &specs_.emplace_back(spec);
    } else if (spec.count > present->count) {
      first = std::exchange(present->count, spec.count);
      present->listeners = spec.listeners;
      // Like its siblings, which have the settings that it takes a restart to change.
      for (const SupervisedProcess& process : processes_) {
        if (process.spec == present) image = process.image;
      }
    } else {
      continue;
    }
    for (int index = first; index < spec.count; ++index) {
      add_process(*present, index, image);
      places.push_back(processes_.size() - 1);
    }
  }
  for (const std::size_t place : places) {
    const SupervisedProcess& process = processes_[place];
    // An operator may have stopped all those that had these sockets (ProcessControl::release_listeners).
    if (!process.spec->listeners.empty()) {
      for (const int fd : process.spec->listeners[static_cast<std::size_t>(process.index)]) net::listen_again(fd);
    }
    launch(place);
  }
  return places.size();
}

void Master::forget_specs() {
  // Those of a reload that is undecided may be wanted by processes that are held (renew_held).
  if (!reloads_.empty() && reloads_.back()->is_undecided()) return;
  std::erase_if(specs_, [this](const ProcessSpec& spec) {
    return std::none_of(processes_.begin(), processes_.end(),
                        [&](const SupervisedProcess& process) { return process.spec == &spec; });
  });
}

}  // namespace gatehouse::master
