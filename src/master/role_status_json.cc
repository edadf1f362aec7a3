#include "master/role_status_json.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

namespace gatehouse::master {
namespace {

nlohmann::ordered_json certificates(const RoleStatus& status) {
  constexpr std::int64_t kDay = 24 * 3600;
  const auto now_s = static_cast<std::int64_t>(std::time(nullptr));
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const RoleStatus::Certificate& each : status.certificates) {
    list.push_back({{"file", each.file},
                    {"ends", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(each.ends_s)))},
                    {"days_left", (each.ends_s - now_s) / kDay - (each.ends_s < now_s ? 1 : 0)}});
  }
  return list;
}

}  // namespace

nlohmann::ordered_json to_json(const RoleStatus& status) {
  return {{"listening", status.listening},
          {"connections", status.connections},
          {"inner_connections", status.inner_connections},
          {"messages_in", status.messages_in},
          {"messages_out", status.messages_out},
          {"send_failures", status.send_failures},
          {"queued_bytes", status.queued_bytes},
          {"unread_bytes", status.unread_bytes},
          {"handler_errors", status.handler_errors},
          {"log_lines_lost", status.log_lines_lost},
          {"messages_in_per_second", status.messages_in_per_second},
          {"messages_out_per_second", status.messages_out_per_second},
          {"busy_percent", status.busy_percent},
          {"limits", status.limits},
          {"certificates", certificates(status)}};
}

nlohmann::ordered_json unknown_role_status() {
  nlohmann::ordered_json result = to_json(RoleStatus{});
  for (auto& value : result) value = nullptr;
  return result;
}

}  // namespace gatehouse::master
