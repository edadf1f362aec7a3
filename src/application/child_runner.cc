#include "application/child_runner.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

#include "application/activity_meter.h"
#include "application/heap_settings.h"
#include "application/option_problem.h"
#include "application/process_runner.h"
#include "application/role_process.h"
#include "application/ticket_seed.h"
#include "base/black_box.h"
#include "master/child_control.h"
#include "net/loop.h"

namespace gatehouse {
namespace {

constexpr std::chrono::milliseconds kFailurePause{50};

/// The name of the role, or a question mark when the program (a newer file, perhaps) does not have it.
std::string role_name(const Program& program, const master::ChildEnvironment& child) {
  const auto number = static_cast<std::size_t>(child.number);
  const auto in = [&](RoleKind kind, std::size_t count) { return child.kind == to_string(kind) && number < count; };
  if (in(RoleKind::register_server, program.registers.size())) return program.registers[number].name;
  if (in(RoleKind::gateway, program.gateways.size())) return program.gateways[number].name;
  if (in(RoleKind::worker, program.workers.size())) return program.workers[number].name;
  if (in(RoleKind::process, program.processes.size())) return program.processes[number].name;
  return "?";
}

// How often the files of certificates are looked at.
constexpr std::chrono::seconds kLookPeriod{1};

int run_role(const Program& program, const Settings& settings, const master::ChildEnvironment& child, const Log& log,
             const std::shared_ptr<net::TlsTickets>& tickets) {
  keep_freed_memory();
  BlackBox box(child.black_box_fd);
  box.answer_signals();
  net::Loop loop(log);
  loop.show_progress(box.page().iteration);
  const std::unique_ptr<RoleProcess> role = make_role_process(program, child, loop, tickets);
  if (!role) {
    log.error("this program has no {} number {} with {} sockets; was its file replaced by another program?", child.kind,
              child.number, child.listen_fds.size());
    return 1;
  }
  role->record_in(box);
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
    for (net::TlsContext* each : tls) each->reload(log);
  });
  if (!tls.empty()) {
    loop.every(kLookPeriod, [&tls, &log] {
      for (net::TlsContext* each : tls) each->reload_when_changed(log);
    });
  }
  master::ChildControl control(
      loop, child.control_fd,
      [&role, &meter] {
        RoleStatus status = role->status();
        meter.add_rates(status);
        return status;
      },
      [&] {
        log.warning("the master is gone; stopping");
        // Nobody is left who would kill this process if it hangs.
        loop.after(settings.stop_timeout(), [] { _exit(1); });
        stop();
      });
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
  loop.run();
  return exit_status;
}

}  // namespace

int run_child(const Program& program, const Settings& settings, const master::ChildEnvironment& child) {
  const Log log = make_log(settings, fmt::format("{} {}:{}", child.kind, role_name(program, child), child.index));
  const std::shared_ptr<net::TlsTickets> tickets = take_tickets();  // by all: others must not find them in the environment
  const auto number = static_cast<std::size_t>(child.number);
  if (child.kind == to_string(RoleKind::process) && number < program.processes.size()) {
    BlackBox box(child.black_box_fd);
    box.answer_signals();
    return run_process(program.processes[number], child.control_fd, settings, log);
  }
  return run_role(program, settings, child, log, tickets);
}

}  // namespace gatehouse
