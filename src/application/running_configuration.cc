#include "application/running_configuration.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "application/configuration_texts.h"

namespace gatehouse {
namespace {

using Json = nlohmann::ordered_json;

std::int64_t unix_ms(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::string secret_of(const Json& roles, const std::string& name) {
  for (const Json& role : roles) {
    if (role.at("name") == name) return string_of_json(role.at("secret_key"));
  }
  return "";
}

bool has(const Json& roles, const std::string& name) {
  return std::any_of(roles.begin(), roles.end(), [&](const Json& role) { return role.at("name") == name; });
}

}  // namespace

RunningConfiguration::Step RunningConfiguration::prepare(const Description& next) const {
  Step step{.plan = compare(description_, next), .settings = {}, .old_secrets = {}};
  const std::int64_t now = unix_ms(std::chrono::system_clock::now());
  const Description& effective = step.plan.effective;
  for (const RoleKind kind : {RoleKind::register_server, RoleKind::gateway, RoleKind::worker, RoleKind::process}) {
    for (const Json& role : effective[to_string(kind)]) {
      const std::string name = role.value("name", "");
      const std::string key = fmt::format("{}:{}", to_string(kind), name);
      LiveSettings live;
      live.instance = live_instance(effective["instance"]);
      live.options = live_options(kind, role);
      if (live.options.contains("secret_key") && has(description_[to_string(kind)], name)) {
        const std::string before = secret_of(description_[to_string(kind)], name);
        if (before != string_of_json(live.options["secret_key"])) {
          step.old_secrets[key] = {before, now + std::chrono::milliseconds(kOldSecretTime).count()};
        } else if (const auto old = old_secrets_.find(key); old != old_secrets_.end() && old->second.until_unix_ms > now) {
          step.old_secrets[key] = old->second;
        }
      }
      if (const auto old = step.old_secrets.find(key); old != step.old_secrets.end()) {
        live.old_secret = old->second.key;
        live.old_until_unix_ms = old->second.until_unix_ms;
      }
      step.settings[key] = live.to_text();
    }
  }
  return step;
}

std::vector<master::ConfigurationText> RunningConfiguration::read_again() const {
  ConfigurationTexts texts;
  for (const Json& file : description_.at("files")) (void)texts.read(string_of_json(file));
  return texts.texts();
}

void RunningConfiguration::commit(const Step& step) {
  description_ = step.plan.effective;
  old_secrets_ = step.old_secrets;
  needs_restart_.clear();
  for (const DescriptionChange& change : step.plan.changes) {
    if (change.effect == TakesEffect::restart) needs_restart_.push_back(change.what);
  }
  since_ = Clock::now();
  taken_over_ = std::chrono::system_clock::now();
}

nlohmann::ordered_json RunningConfiguration::status() const {
  const auto taken_over = std::chrono::system_clock::to_time_t(taken_over_);
  return {{"hash", description_["hash"]},
          {"files", description_["files"]},
          {"taken_over", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(taken_over))},
          {"age_seconds", std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - since_).count()},
          {"needs_restart", needs_restart_}};
}

}  // namespace gatehouse
