#include "application/child_runner.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "application/activity_meter.h"
#include "application/freed_memory.h"
#include "application/heap_settings.h"
#include "application/instance_name.h"
#include "application/live_settings.h"
#include "application/operator_answers.h"
#include "application/option_problem.h"
#include "application/process_runner.h"
#include "application/role_process.h"
#include "application/ticket_seed.h"
#include "base/black_box.h"
#include "base/process_title.h"
#include "master/child_control.h"
#include "master/signals.h"
#include "net/descriptors_lost.h"
#include "net/loop.h"

namespace gatehouse {
namespace {

constexpr std::chrono::milliseconds kFailurePause{50};

/// Which description of the program the child is, by its name: in a file that is newer than the master it may have another
/// number, and must not be taken for its neighbour. Nothing when the program has none of that name.
std::optional<int> number_of(const Program& program, const master::ChildEnvironment& child) {
  for (const RoleKind kind : {RoleKind::register_server, RoleKind::gateway, RoleKind::worker, RoleKind::process}) {
    if (child.kind != to_string(kind)) continue;
    for (std::size_t number = 0; number < count_of(program, kind); ++number) {
      if (name_of(program, kind, number) == child.name) return static_cast<int>(number);
    }
  }
  return std::nullopt;
}

/// The master hears why: it is what a reload fails with.
int refuse_to_be(const master::ChildEnvironment& child, const Log& log, const std::string& why) {
  log.error("{}", why);
  const std::string line = nlohmann::json{{"failed", why}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  (void)!write(child.control_fd, line.data(), line.size());
  return 1;
}

/// What `ps` and `top` show of it, as `status` does.
void show_who_it_is(const std::string& instance, const std::string& label, const Program& program,
                    const master::ChildEnvironment& child) {
  const auto number = static_cast<std::size_t>(child.number);
  std::string listening;
  if (child.kind == to_string(RoleKind::register_server)) listening = program.registers[number].listen;
  if (child.kind == to_string(RoleKind::gateway)) listening = program.gateways[number].listen;
  if (child.kind == to_string(RoleKind::process)) listening = program.processes[number].listen;
  (void)set_process_title(fmt::format("{}: {}{}{}", instance, label, listening.empty() ? "" : " ", listening));
  set_process_name("gh-" + child.kind);
}

// How often the files of certificates are looked at, and the heap.
constexpr std::chrono::seconds kLookPeriod{1};

int run_role(const Program& program, Settings settings, const master::ChildEnvironment& child, const Log& log,
             const std::shared_ptr<net::TlsTickets>& tickets, const std::optional<LiveSettings>& live,
             const std::string& instance) {
  keep_freed_memory();
  BlackBox box(child.black_box_fd);
  box.answer_signals();
  net::Loop loop(log);
  loop.show_progress(box.page().iteration);
  const std::unique_ptr<RoleProcess> role = make_role_process(program, child, loop, tickets, instance,
                                                              settings.log_format == "json" ? LogFormat::json : LogFormat::text);
  if (!role) {
    return refuse_to_be(child, log,
                        fmt::format("this program's {} \"{}\" does not want the {} sockets that were opened for it; restart it",
                                    child.kind, child.name, child.listen_fds.size()));
  }
  role->record_in(box);
  if (live) (void)role->configure(*live);
  ActivityMeter meter(loop, [&role] { return role->message_counts(); });
  int exit_status = 0;
  enum class Stage { running, leaving, stopping } stage = Stage::running;
  const auto stop_for = [&](Stage wanted) {
    if (stage >= wanted) return;
    stage = wanted;
    const auto stopped = [&loop] { loop.stop(); };
    wanted == Stage::leaving ? role->stop_gracefully(stopped) : role->stop(stopped);
  };
  const auto stop = [&] { stop_for(Stage::stopping); };
  loop.on_signal(SIGTERM, stop);
  loop.on_signal(SIGQUIT, [&] { stop_for(Stage::leaving); });
  const std::vector<net::TlsContext*> tls = role->tls_contexts();
  loop.on_signal(kReopenLogSignal, [&] {
    reopen_log(settings, log);
    role->reopen_logs(log);
    for (net::TlsContext* each : tls) each->reload(log);
  });
  if (!tls.empty()) {
    loop.every(kLookPeriod, [&tls, &log] {
      for (net::TlsContext* each : tls) each->reload_when_changed(log);
    });
  }
  FreedMemory freed(FreedMemory::heap_of_process());
  loop.every(kLookPeriod, [&freed] { freed.look(); });
  master::ChildControl control(
      loop, child.control_fd,
      [&role, &meter, &log, &tls] {
        RoleStatus status = role->status();
        meter.add_rates(status);
        status.log_lines_lost = log.lost().lines;
        for (const net::TlsContext* each : tls) {
          for (const auto& certificate : each->generation()->certificates()) {
            status.certificates.push_back({certificate.file, certificate.ends_s});
          }
        }
        return status;
      },
      [&] {
        log.warning("the master is gone; stopping");
        // Nobody is left who would kill this process if it hangs.
        loop.after(settings.stop_timeout(), [] { _exit(1); });
        stop();
      });
  control.answer("configure", [&](const nlohmann::json& message) -> nlohmann::ordered_json {
    return take_over(message, settings, loop.log(), [&role](const LiveSettings& wanted) { return role->configure(wanted); });
  });
  answer_operator(control, *role, log, [&] { stop_for(Stage::leaving); });
  control.on_serve([&] { role->serve([&control] { control.announce_serving(); }); });
  loop.post([&] {
    const RoleProcess::Callbacks callbacks{.failed =
                                               [&](const std::string& why) {
                                                 control.announce_failure(why);
                                                 exit_status = 1;
                                                 // The master is to hear why before it hears that.
                                                 loop.after(kFailurePause, [&loop] { loop.stop(); });
                                               },
                                           .ready = [&control] { control.announce_ready(); }};
    child.prepare ? role->prepare(callbacks) : role->start(callbacks);
  });
  try {
    loop.run();
  } catch (const net::DescriptorsLost& error) {
    // The log's may be among them.
    reopen_log(settings, log);
    log.error("{}; this process ends, and the master starts another", error.what());
    exit_status = 1;
  }
  return exit_status;
}

}  // namespace

int run_child(const Program& described, const Settings& given, master::ChildEnvironment child, const std::string& live_settings) {
  master::set_child_signals();
  Program program = described;
  Settings settings = given;
  std::optional<LiveSettings> live;
  if (!live_settings.empty()) {
    live = LiveSettings::from_json(nlohmann::ordered_json::parse(live_settings));
    live->apply_to(settings);
  }
  const std::string label = fmt::format("{} {}:{}", child.kind, child.name, child.index);
  const Log log = make_log(settings, label);
  const std::string instance = take_instance_name();
  const std::shared_ptr<net::TlsTickets> tickets = take_tickets();  // by all: others must not find them in the environment
  const std::optional<int> number = number_of(program, child);
  if (!number) {
    return refuse_to_be(child, log,
                        fmt::format("this program has no {} of the name \"{}\" any more; restart it", child.kind, child.name));
  }
  child.number = *number;
  show_who_it_is(settings.instance, label, program, child);
  for (const RoleKind kind : {RoleKind::register_server, RoleKind::gateway}) {
    if (live && child.kind == to_string(kind)) live->apply_to(program, kind, static_cast<std::size_t>(*number));
  }
  if (child.kind == to_string(RoleKind::process)) {
    BlackBox box(child.black_box_fd);
    box.answer_signals();
    return run_process(program.processes[static_cast<std::size_t>(child.number)], child.control_fd, settings, log);
  }
  return run_role(program, settings, child, log, tickets, live, instance);
}

}  // namespace gatehouse
