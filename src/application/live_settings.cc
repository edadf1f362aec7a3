#include "application/live_settings.h"

#include <algorithm>
#include <chrono>

#include "application/option_table.h"

namespace gatehouse {
namespace {

using Json = nlohmann::ordered_json;

template <class Options>
Json live_of(const Json& values, const std::vector<OptionRow<Options>>& table) {
  Json live = Json::object();
  for (const auto& row : table) {
    const std::string name(row.name);
    if (row.effect == TakesEffect::live && values.contains(name)) live[name] = values[name];
  }
  return live;
}

std::int64_t now_unix_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string LiveSettings::to_text() const {
  Json json = instance;
  json["options"] = options;
  if (old_until_unix_ms != 0) {
    json["old_secret"] = json_of_string(old_secret);
    json["old_until"] = old_until_unix_ms;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

LiveSettings LiveSettings::from_json(const Json& json) {
  LiveSettings settings;
  settings.instance = live_instance(json);
  settings.options = json.at("options");
  if (json.contains("old_secret")) settings.old_secret = string_of_json(json.at("old_secret"));
  settings.old_until_unix_ms = json.value("old_until", std::int64_t{0});
  return settings;
}

void LiveSettings::apply_to(Settings& settings) const { gatehouse::from_json(instance, settings, instance_options()); }

void LiveSettings::apply_to(Program& program, RoleKind kind, std::size_t number) const {
  if (kind == RoleKind::gateway) gatehouse::from_json(options, program.gateways.at(number), gateway_options());
  if (kind == RoleKind::register_server) gatehouse::from_json(options, program.registers.at(number), register_options());
}

std::uint64_t LiveSettings::old_secret_ms() const {
  // A clock that has been set back must not make it longer than it was meant to be; a day is more than anybody means.
  constexpr std::int64_t kMost = 24 * 3'600'000;
  return static_cast<std::uint64_t>(std::clamp<std::int64_t>(old_until_unix_ms - now_unix_ms(), 0, kMost));
}

nlohmann::ordered_json live_options(RoleKind kind, const nlohmann::ordered_json& role) {
  if (kind == RoleKind::gateway) return live_of(role, gateway_options());
  if (kind == RoleKind::register_server) return live_of(role, register_options());
  return Json::object();
}

nlohmann::ordered_json take_over(const nlohmann::json& message, Settings& settings, const Log& log,
                                 const std::function<std::string(const LiveSettings& live)>& configure) {
  try {
    const auto live = LiveSettings::from_json(message.at("settings"));
    if (const std::string problem = configure(live); !problem.empty()) return {{"error", problem}};
    live.apply_to(settings);
    set_log(settings, log);
    return {{"ok", true}};
  } catch (const Json::exception& error) {
    return {{"error", std::string("the settings cannot be read: ") + error.what()}};
  }
}

nlohmann::ordered_json live_instance(const nlohmann::ordered_json& instance) { return live_of(instance, instance_options()); }

}  // namespace gatehouse
