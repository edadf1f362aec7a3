#include "link/inquiry.h"

#include "link/arguments.h"
#include "wire/command_ext.h"

namespace gatehouse::link {

using wire::Command;

namespace {

std::string checked_names(const std::vector<std::string>& names, std::string_view name) {
  check_size(names, name);
  return wire::names_ext(names);
}

}  // namespace

Inquiry ask_is_online(const wire::ClientId& client) {
  return {.command = Command::is_online, .gateway = GatewayKey::of(client), .connection_id = client.connection_id};
}

Inquiry ask_session(const wire::ClientId& client) {
  return {.command = Command::get_session_by_client_id, .gateway = GatewayKey::of(client), .connection_id = client.connection_id};
}

Inquiry ask_uid(const wire::ClientId& client) {
  return {.command = Command::select,
          .gateway = GatewayKey::of(client),
          .ext = wire::select_ext({.uid = true, .where_connections = std::vector{client.connection_id}})};
}

Inquiry ask_groups(const wire::ClientId& client) {
  return {.command = Command::select,
          .gateway = GatewayKey::of(client),
          .ext = wire::select_ext({.groups = true, .where_connections = std::vector{client.connection_id}})};
}

Inquiry ask_client_ids_by_uid(std::string_view uid) {
  return {.command = Command::get_client_id_by_uid, .ext = std::string(uid)};
}

Inquiry ask_client_ids_by_uids(const std::vector<std::string>& uids) {
  return {.command = Command::batch_get_client_id_by_uid, .ext = checked_names(uids, "uids")};
}

Inquiry ask_client_counts(const std::vector<std::string>& groups) {
  return {.command = Command::batch_get_client_count_by_group, .ext = checked_names(groups, "groups")};
}

Inquiry ask_memberships() { return {.command = Command::select, .ext = wire::select_ext({.uid = true, .groups = true})}; }

Inquiry ask_client_count(std::string_view group) {
  return {.command = Command::get_client_count_by_group, .ext = std::string(group)};
}

Inquiry ask_clients(const std::vector<std::string>& groups) {
  check_size(groups, "group");
  wire::SelectQuery query{.uid = true};
  if (!groups.empty()) query.where_groups = groups;
  return {.command = Command::select, .ext = wire::select_ext(query)};
}

Inquiry ask_group_ids() { return {.command = Command::get_group_id_list}; }

Inquiry ask_sessions(std::string_view group) {
  return {.command = group.empty() ? Command::get_all_client_sessions : Command::get_client_sessions_by_group,
          .ext = std::string(group)};
}

// Whether nobody is online: no client has the id 0.
Inquiry ask_for_a_sign() { return {.command = Command::is_online}; }

}  // namespace gatehouse::link
