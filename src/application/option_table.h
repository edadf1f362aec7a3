#pragma once

#include <gatehouse/options.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "application/settings.h"

namespace gatehouse {

/// What it takes until a changed option is in force.
enum class TakesEffect {
  live,           // `reload` gives it to the processes that run
  new_processes,  // `reload` replaces the processes of the role
  restart,
};

/// "live", "reload" or "restart", as docs/operations.md says it.
const char* to_string(TakesEffect effect);

/// One option of a role, or of the instance.
template <class Options>
struct OptionRow {
  std::string_view name;  // as it is spelt in options.h
  TakesEffect effect;
  /// Null for one whose value is a function, which cannot be compared.
  std::function<nlohmann::ordered_json(const Options& options)> get = {};
  std::function<void(Options& options, const nlohmann::ordered_json& value)> set = {};
  bool is_secret = false;  // its value is shown to nobody
};

/// Every option of options.h, in its order: what `reload` and `check --against-running` compare by, what is given to running
/// processes, and what the table in docs/operations.md has. A test fails when one is missing.
const std::vector<OptionRow<GatewayOptions>>& gateway_options();
const std::vector<OptionRow<RegisterOptions>>& register_options();
const std::vector<OptionRow<WorkerOptions>>& worker_options();
const std::vector<OptionRow<ProcessOptions>>& process_options();
/// Of InstanceOptions; read from what came of them and of the command line.
const std::vector<OptionRow<Settings>>& instance_options();

/// Strings as values of options. JSON holds text only; what is none, such as a path of other days, stands as the hexadecimal
/// digits of its bytes.
nlohmann::ordered_json json_of_string(const std::string& value);
/// Throws nlohmann::json::exception when it is neither.
std::string string_of_json(const nlohmann::ordered_json& json);

/// The values of all options that are not functions, by their names.
template <class Options>
nlohmann::ordered_json to_json(const Options& options, const std::vector<OptionRow<Options>>& table) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& row : table) {
    if (row.get) json[std::string(row.name)] = row.get(options);
  }
  return json;
}

/// Sets those options that `json` has. Throws nlohmann::json::exception for values of other types.
template <class Options>
void from_json(const nlohmann::ordered_json& json, Options& options, const std::vector<OptionRow<Options>>& table) {
  for (const auto& row : table) {
    const auto found = json.find(std::string(row.name));
    if (row.set && found != json.end()) row.set(options, *found);
  }
}

}  // namespace gatehouse
