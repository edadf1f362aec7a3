#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "link/gateway_key.h"
#include "wire/client_id.h"
#include "wire/gateway_protocol.h"

namespace gatehouse::link {

/// A question, before it is a frame: what is asked, and of whom. answers.h reads what comes back. Those that name uids or groups
/// throw std::invalid_argument when these are more than a call carries (link/arguments.h).
struct Inquiry {
  wire::Command command{};
  std::optional<GatewayKey> gateway = {};  // none: all of them
  std::uint32_t connection_id = 0;
  std::string ext = {};
};

Inquiry ask_is_online(const wire::ClientId& client);
Inquiry ask_session(const wire::ClientId& client);
/// Read with uid_of() and groups_of(). SELECT, as upstream has no question for one client's names.
Inquiry ask_uid(const wire::ClientId& client);
Inquiry ask_groups(const wire::ClientId& client);
Inquiry ask_client_ids_by_uid(std::string_view uid);
/// Of several at once.
Inquiry ask_client_ids_by_uids(const std::vector<std::string>& uids);
/// An empty `group` asks for all clients.
Inquiry ask_client_count(std::string_view group = {});
/// The uid of every client, or of those in one of `groups`: read with client_ids() and uids().
Inquiry ask_clients(const std::vector<std::string>& groups = {});
/// Of several groups at once.
Inquiry ask_client_counts(const std::vector<std::string>& groups);
/// The groups and the uid of every client: read with clients_by_group() and uids_by_group().
Inquiry ask_memberships();
Inquiry ask_group_ids();
/// An empty `group` asks for all clients.
Inquiry ask_sessions(std::string_view group = {});
/// Of all gateways; the answer means nothing but that it has come, and so that every command before it has been carried out.
Inquiry ask_for_a_sign();

}  // namespace gatehouse::link
