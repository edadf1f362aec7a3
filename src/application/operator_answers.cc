#include "application/operator_answers.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/log_level.h"

namespace gatehouse {
namespace {

using Json = nlohmann::ordered_json;

const nlohmann::json& list_of(const nlohmann::json& message, const char* key) {
  static const nlohmann::json kNone = nlohmann::json::array();
  const auto found = message.find(key);
  return found != message.end() && found->is_array() ? *found : kNone;
}

std::optional<net::AddressRange> range_of(const nlohmann::json& json) {
  if (!json.is_string()) return std::nullopt;
  const auto range = net::AddressRange::parse(json.get<std::string>());
  return range ? std::optional(*range) : std::nullopt;
}

}  // namespace

void answer_log_level(master::ChildControl& control, const Log& log) {
  control.answer("log level", [target = Log(log)](const nlohmann::json& message) mutable {
    const auto word = message.find("level");
    if (word != message.end() && word->is_string()) {
      if (const auto level = parse_log_level(word->get<std::string>())) target.set_level(*level);  // of all copies
    }
    return Json::object();
  });
}

void answer_operator(master::ChildControl& control, RoleProcess& role, const Log& log, std::function<void()> leave) {
  answer_log_level(control, log);
  control.answer("deny", [&role](const nlohmann::json& message) {
    std::uint64_t cut = 0;
    for (const nlohmann::json& each : list_of(message, "ranges")) {
      if (!each.is_array() || each.size() != 2) continue;
      const auto range = range_of(each[0]);
      std::optional<std::chrono::milliseconds> time;
      if (each[1].is_number_unsigned()) time = std::chrono::milliseconds(each[1].get<std::chrono::milliseconds::rep>());
      if (range) cut += role.deny(*range, time);
    }
    return Json{{"cut", cut}};
  });
  control.answer("allow", [&role](const nlohmann::json& message) {
    for (const nlohmann::json& each : list_of(message, "ranges")) {
      if (const auto range = range_of(each)) role.allow(*range);
    }
    return Json::object();
  });
  control.answer("leave", [&role, leave = std::move(leave)](const nlohmann::json& message) {
    const auto siblings = message.find("siblings");
    role.leave(siblings != message.end() && *siblings == true);
    leave();
    return Json::object();
  });
}

}  // namespace gatehouse
