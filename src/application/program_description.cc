#include "application/program_description.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace gatehouse {
namespace {

using Json = nlohmann::ordered_json;

template <class Options>
Json list_of(const std::vector<Options>& roles, const std::vector<OptionRow<Options>>& table) {
  Json list = Json::array();
  for (const Options& role : roles) list.push_back(to_json(role, table));
  return list;
}

std::string sha256(const std::string& text) {
  std::array<unsigned char, 32> hash{};
  if (EVP_Digest(text.data(), text.size(), hash.data(), nullptr, EVP_sha256(), nullptr) != 1) return "";
  return fmt::format("{:02x}", fmt::join(hash, ""));
}

/// As in a list of differences: short, and without what nobody should read.
std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  constexpr std::size_t kMost = 120;
  if (text.size() > kMost) text = text.substr(0, kMost) + "...";
  return text;
}

std::string name_of(const Json& role) { return role.value("name", ""); }

/// One role, or the instance, of both descriptions.
class Comparison {
 public:
  Comparison(std::vector<DescriptionChange>& changes, std::string who) : changes_(changes), who_(std::move(who)) {}

  /// Takes over into `running` what can be.
  template <class Options>
  void compare(Json& running, const Json& next, const std::vector<OptionRow<Options>>& table,
               const std::vector<std::string>& fixed = {}) {
    for (const auto& row : table) {
      const std::string name(row.name);
      if (std::find(fixed.begin(), fixed.end(), name) != fixed.end()) continue;
      if (!row.get || !next.contains(name) || running[name] == next[name]) continue;
      TakesEffect effect = row.effect;
      // A process that is there has clients: more of them is easy, fewer is not.
      if (name == "count" && effect == TakesEffect::live && next[name] < running[name]) effect = TakesEffect::restart;
      changes_.push_back({row.is_secret ? fmt::format("{}{}: changed", who_, name)
                                        : fmt::format("{}{}: {}, was {}", who_, name, shown(next[name]), shown(running[name])),
                          effect});
      if (effect != TakesEffect::restart) running[name] = next[name];
    }
  }

 private:
  std::vector<DescriptionChange>& changes_;
  std::string who_;
};

Json* find(Json& roles, const std::string& name) {
  const auto found = std::find_if(roles.begin(), roles.end(), [&](const Json& role) { return name_of(role) == name; });
  return found == roles.end() ? nullptr : &*found;
}

/// Those of one kind, by their names.
template <class Options>
void compare_roles(std::vector<DescriptionChange>& changes, const char* kind, Json& running, const Json& next,
                   const std::vector<OptionRow<Options>>& table, TakesEffect if_new, TakesEffect if_gone) {
  for (const Json& role : next) {
    const std::string who = fmt::format("{} \"{}\"", kind, name_of(role));
    if (Json* same = find(running, name_of(role))) {
      Comparison(changes, who + ": ").compare(*same, role, table);
    } else {
      changes.push_back({who + " is new", if_new});
      if (if_new != TakesEffect::restart) running.push_back(role);
    }
  }
  for (auto role = running.begin(); role != running.end();) {
    const bool is_there =
        std::any_of(next.begin(), next.end(), [&](const Json& other) { return name_of(other) == name_of(*role); });
    if (!is_there) changes.push_back({fmt::format("{} \"{}\" is not there any more", kind, name_of(*role)), if_gone});
    if (!is_there && if_gone != TakesEffect::restart) {
      role = running.erase(role);
    } else {
      ++role;
    }
  }
}

template <class Options>
void read_roles(const Json& list, std::vector<Options>& roles, const std::vector<OptionRow<Options>>& table) {
  for (const Json& role : list) from_json(role, roles.emplace_back(), table);
}

}  // namespace

Description describe(const Program& program, const Settings& settings,
                     const std::vector<master::ConfigurationText>& configuration) {
  Description description = {{"instance", to_json(settings, instance_options())},
                             {"register", list_of(program.registers, register_options())},
                             {"gateway", list_of(program.gateways, gateway_options())},
                             {"worker", list_of(program.workers, worker_options())},
                             {"process", list_of(program.processes, process_options())}};
  Json files = Json::array();
  for (const master::ConfigurationText& each : configuration) files.push_back(json_of_string(each.path));
  description["hash"] = configuration_hash(description, configuration);
  description["files"] = std::move(files);
  description["given"] = settings.given;
  return description;
}

std::string configuration_hash(const Description& description, const std::vector<master::ConfigurationText>& configuration) {
  if (configuration.empty()) return sha256(description.dump(-1, ' ', false, Json::error_handler_t::replace));
  std::string all;
  for (const master::ConfigurationText& each : configuration) all += each.text;
  return sha256(all);
}

DescriptionPlan compare(const Description& running, const Description& next) {
  using enum TakesEffect;
  DescriptionPlan plan{.changes = {}, .effective = running};
  Description& out = plan.effective;
  Comparison(plan.changes, "")
      .compare(out["instance"], next.at("instance"), instance_options(), running.at("given").get<std::vector<std::string>>());
  compare_roles(plan.changes, "register", out["register"], next.at("register"), register_options(), restart, restart);
  compare_roles(plan.changes, "gateway", out["gateway"], next.at("gateway"), gateway_options(), live, restart);
  compare_roles(plan.changes, "worker", out["worker"], next.at("worker"), worker_options(), new_processes, new_processes);
  compare_roles(plan.changes, "process", out["process"], next.at("process"), process_options(), restart, restart);
  out["hash"] = next.at("hash");
  out["files"] = next.at("files");
  return plan;
}

Program to_program(const Description& description) {
  Program program{.name = ""};
  read_roles(description.at("register"), program.registers, register_options());
  read_roles(description.at("gateway"), program.gateways, gateway_options());
  read_roles(description.at("worker"), program.workers, worker_options());
  read_roles(description.at("process"), program.processes, process_options());
  return program;
}

std::string summarize(const Program& program) {
  std::size_t processes = program.registers.size() + program.processes.size();
  for (const GatewayOptions& gateway : program.gateways) processes += static_cast<std::size_t>(gateway.count);
  for (const WorkerOptions& worker : program.workers) processes += static_cast<std::size_t>(worker.count);
  const auto plural = [](std::size_t count, const char* one) {
    return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
  };
  std::string text = plural(program.registers.size(), "register");
  if (program.workers.empty()) {
    text += " and " + plural(program.gateways.size(), "gateway");
  } else {
    text += ", " + plural(program.gateways.size(), "gateway") + " and " + plural(program.workers.size(), "kind") + " of worker";
  }
  return fmt::format("{} ({} {})", text, processes, processes == 1 ? "process" : "processes");
}

}  // namespace gatehouse
