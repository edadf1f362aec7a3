#include "application/process_specs.h"

#include <fmt/format.h>

namespace gatehouse {
namespace {

// Gateways go first: they say goodbye to their clients, and the workers still hear of it. The register is needed to the end.
constexpr int kStopGateways = 0;
constexpr int kStopWorkers = 1;
constexpr int kStopRest = 2;

std::string reference(RoleKind kind, std::size_t number) { return fmt::format("{}:{}", to_string(kind), number); }

}  // namespace

std::vector<master::ProcessSpec> make_process_specs(const Program& program, const std::vector<PlannedListener>& plan,
                                                    const std::vector<net::Socket>& sockets,
                                                    const std::vector<net::Socket>& shares) {
  std::vector<master::ProcessSpec> specs;
  const auto add = [&](RoleKind kind, std::size_t number, const std::string& listening, int count, int stop_stage) {
    master::ProcessSpec spec{.role = to_string(kind),
                             .name = name_of(program, kind, number),
                             .listening = listening,
                             .reference = reference(kind, number),
                             .count = count,
                             .stop_stage = stop_stage,
                             .reloadable = kind == RoleKind::worker,
                             .graceful = kind == RoleKind::worker || kind == RoleKind::gateway,
                             .listeners = std::vector<std::vector<int>>(static_cast<std::size_t>(count))};
    for (std::size_t i = 0; i < plan.size(); ++i) {
      if (plan[i].kind != kind || plan[i].number != number || plan[i].only_tried) continue;
      for (int index = 0; index < count; ++index) {
        if (plan[i].index != PlannedListener::kShared && plan[i].index != index) continue;
        spec.listeners[static_cast<std::size_t>(index)].push_back(sockets[i].fd());
      }
    }
    specs.push_back(std::move(spec));
  };
  for (std::size_t i = 0; i < program.registers.size(); ++i) {
    add(RoleKind::register_server, i, program.registers[i].listen, 1, kStopRest);
  }
  for (std::size_t i = 0; i < program.gateways.size(); ++i) {
    add(RoleKind::gateway, i, program.gateways[i].listen, program.gateways[i].count, kStopGateways);
    for (std::vector<int>& descriptors : specs.back().listeners) descriptors.push_back(shares[i].fd());
  }
  for (std::size_t i = 0; i < program.workers.size(); ++i) {
    add(RoleKind::worker, i, "", program.workers[i].count, kStopWorkers);
    specs.back().blocked_after = program.workers[i].blocked_after;
    specs.back().kill_blocked_after = program.workers[i].kill_blocked_after;
  }
  for (std::size_t i = 0; i < program.processes.size(); ++i) add(RoleKind::process, i, program.processes[i].listen, 1, kStopRest);
  return specs;
}

}  // namespace gatehouse
