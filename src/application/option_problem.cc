#include "application/option_problem.h"

#include <fmt/format.h>

namespace gatehouse {

const char* to_string(RoleKind kind) {
  switch (kind) {
    case RoleKind::program: return "program";
    case RoleKind::register_server: return "register";
    case RoleKind::gateway: return "gateway";
    case RoleKind::worker: return "worker";
    case RoleKind::process: return "process";
  }
  return "unknown";
}

std::size_t count_of(const Program& program, RoleKind kind) {
  switch (kind) {
    case RoleKind::program: return 1;
    case RoleKind::register_server: return program.registers.size();
    case RoleKind::gateway: return program.gateways.size();
    case RoleKind::worker: return program.workers.size();
    case RoleKind::process: return program.processes.size();
  }
  return 0;
}

std::string name_of(const Program& program, RoleKind kind, std::size_t number) {
  switch (kind) {
    case RoleKind::program: return program.name;
    case RoleKind::register_server: return program.registers[number].name;
    case RoleKind::gateway: return program.gateways[number].name;
    case RoleKind::worker: return program.workers[number].name;
    case RoleKind::process: return program.processes[number].name;
  }
  return {};
}

std::string to_line(const OptionProblem& problem, const Program& program) {
  const std::string option = problem.option.empty() ? "" : problem.option + ": ";
  return fmt::format("{} \"{}\": {}{}", to_string(problem.kind), name_of(program, problem.kind, problem.number), option,
                     problem.message);
}

}  // namespace gatehouse
