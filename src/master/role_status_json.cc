#include "master/role_status_json.h"

namespace gatehouse::master {

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
          {"limits", status.limits}};
}

nlohmann::ordered_json unknown_role_status() {
  nlohmann::ordered_json result = to_json(RoleStatus{});
  for (auto& value : result) value = nullptr;
  return result;
}

}  // namespace gatehouse::master
