// The commands of ClusterCalls: whom each goes to, and what stands in its ext_data. (docs/wire-protocol.md has the table.)
#include "link/arguments.h"
#include "link/cluster_calls.h"
#include "wire/command_ext.h"

namespace gatehouse {
namespace {

using link::GatewayKey;
using wire::Command;
namespace flag = wire::flag;

/// Connection ids by the gateway they belong to, in the order of their first mention.
using IdsByGateway = std::vector<std::pair<GatewayKey, std::vector<std::uint32_t>>>;

void add_id(IdsByGateway& ids, const wire::ClientId& client) {
  const GatewayKey key = GatewayKey::of(client);
  for (auto& [gateway, connections] : ids) {
    if (gateway == key) {
      connections.push_back(client.connection_id);
      return;
    }
  }
  ids.push_back({key, {client.connection_id}});
}

IdsByGateway check_options(const SendOptions& options) {
  link::check_options(options);
  IdsByGateway ids;
  for (const std::string& id : options.except) add_id(ids, link::check_client_id(id, "except"));
  return ids;
}

wire::GatewayHeader send_header(Command command, bool raw) {
  return {.command = command, .flags = static_cast<std::uint8_t>(raw ? flag::kScalar | flag::kRaw : flag::kScalar)};
}

bool is_excepted(const IdsByGateway& except, const wire::ClientId& client) {
  for (const auto& [gateway, connections] : except) {
    if (gateway != GatewayKey::of(client)) continue;
    for (const std::uint32_t connection : connections) {
      if (connection == client.connection_id) return true;
    }
  }
  return false;
}

}  // namespace

void ClusterCalls::send_to_all(Data data, const SendOptions& options) {
  link::check_size(data, options);
  OtherExt other_ext;
  for (auto& [gateway, connections] : check_options(options)) {
    other_ext.emplace_back(gateway, wire::recipients_ext({wire::Recipients::Kind::all_but, connections}));
  }
  to_all({send_header(Command::send_to_all, options.raw), {}, data.bytes(), data.is_binary(), options.latest_key}, other_ext);
}

void ClusterCalls::send_to_clients(const Names& client_ids, Data data, const SendOptions& options) {
  const IdsByGateway except = check_options(options);
  link::check_size(data, options, client_ids.list().size());
  IdsByGateway ids;
  for (const std::string_view text : client_ids.list()) {
    const wire::ClientId client = link::check_client_id(text, "client_ids");
    if (!is_excepted(except, client)) add_id(ids, client);
  }
  for (auto& [gateway, connections] : ids) {
    const std::string ext = wire::recipients_ext({wire::Recipients::Kind::only, std::move(connections)});
    to_gateway(gateway,
               {send_header(Command::send_to_all, options.raw), ext, data.bytes(), data.is_binary(), options.latest_key});
  }
}

void ClusterCalls::send_to_client(std::string_view client_id, Data data, const SendOptions& options) {
  const wire::ClientId client = link::check_client_id(client_id);
  link::check_size(data, options);
  if (is_excepted(check_options(options), client)) return;
  send(client, data, options.raw, options.latest_key);
}

void ClusterCalls::send(const wire::ClientId& client, Data data, bool raw, std::string_view latest_key) {
  link::check_size(data.bytes().size() + latest_key.size(), "data");
  wire::GatewayHeader header = send_header(Command::send_to_one, raw);
  header.connection_id = client.connection_id;
  to_gateway(GatewayKey::of(client), {header, {}, data.bytes(), data.is_binary(), latest_key});
}

void ClusterCalls::send_to_uid(const Names& uids, Data data, const SendOptions& options) {
  const std::vector<std::string> names = link::check_names(uids, "uid");
  link::check_size(data, options, names);
  OtherExt other_ext;
  for (const auto& [gateway, connections] : check_options(options)) {
    other_ext.emplace_back(gateway, wire::uid_target_ext(names, connections));
  }
  const std::string ext = wire::names_ext(names);
  to_all({send_header(Command::send_to_uid, options.raw), ext, data.bytes(), data.is_binary(), options.latest_key}, other_ext);
}

void ClusterCalls::send_to_group(const Names& groups, Data data, const SendOptions& options) {
  const std::vector<std::string> names = link::check_names(groups, "group");
  link::check_size(data, options, names);
  OtherExt other_ext;
  for (const auto& [gateway, connections] : check_options(options)) {
    other_ext.emplace_back(gateway, wire::group_target_ext(names, connections));
  }
  const std::string ext = wire::group_target_ext(names, {});
  to_all({send_header(Command::send_to_group, options.raw), ext, data.bytes(), data.is_binary(), options.latest_key}, other_ext);
}

void ClusterCalls::close_client(std::string_view client_id, const std::optional<Data>& last_words) {
  close(link::check_client_id(client_id), last_words);
}

void ClusterCalls::close(const wire::ClientId& client, const std::optional<Data>& last_words) {
  link::check_size(last_words);
  to_gateway(GatewayKey::of(client),
             with_last_words({.header = {.command = Command::kick, .connection_id = client.connection_id}}, last_words));
}

void ClusterCalls::close_uid(std::string_view uid, const std::optional<Data>& last_words) {
  link::check_name(uid, "uid");
  link::check_size(last_words, uid);
  to_all(with_last_words({.header = {.command = Command::kick_uid}, .ext = uid}, last_words));
}

ClusterCalls::Frame ClusterCalls::with_last_words(Frame frame, const std::optional<Data>& last_words) {
  if (last_words) {
    frame.body = last_words->bytes();
    frame.binary = last_words->is_binary();
  } else {
    frame.header.flags = 0;
    frame.body = "N;";  // serialize(null)
  }
  return frame;
}

void ClusterCalls::destroy_client(std::string_view client_id) { destroy(link::check_client_id(client_id)); }

void ClusterCalls::destroy(const wire::ClientId& client) { to_client(client, Command::destroy, {}); }

void ClusterCalls::answer_handshake(const wire::ClientId& client, const wire::HandshakeVerdict& verdict) {
  const std::string body = wire::handshake_verdict_body(verdict);
  to_gateway(GatewayKey::of(client),
             {.header = {.command = Command::handshake_answer, .connection_id = client.connection_id}, .ext = {}, .body = body});
}

void ClusterCalls::to_client(const wire::ClientId& client, Command command, std::string_view ext) {
  to_gateway(GatewayKey::of(client), {.header = {.command = command, .connection_id = client.connection_id}, .ext = ext});
}

void ClusterCalls::bind_uid(std::string_view client_id, std::string_view uid) {
  const wire::ClientId client = link::check_client_id(client_id);
  link::check_name(uid, "uid");
  to_client(client, Command::bind_uid, uid);
}

void ClusterCalls::unbind_uid(std::string_view client_id) {
  to_client(link::check_client_id(client_id), Command::unbind_uid, {});
}

void ClusterCalls::join_group(std::string_view client_id, std::string_view group) {
  const wire::ClientId client = link::check_client_id(client_id);
  link::check_name(group, "group");
  to_client(client, Command::join_group, group);
}

void ClusterCalls::leave_group(std::string_view client_id, std::string_view group) {
  const wire::ClientId client = link::check_client_id(client_id);
  link::check_name(group, "group");
  to_client(client, Command::leave_group, group);
}

void ClusterCalls::ungroup(std::string_view group) {
  link::check_name(group, "group");
  to_all({.header = {.command = Command::ungroup}, .ext = group});
}

void ClusterCalls::set_session(std::string_view client_id, const Value& session) {
  const wire::ClientId client = link::check_client_id(client_id);
  set_session(client, std::string_view(link::check_session(session, "session")));
}

void ClusterCalls::save_session(const wire::ClientId& client, Command command, std::string_view ext) {
  // The difference of two sessions may be longer than either of them.
  link::check_size(ext.size(), "session");
  to_client(client, command, ext);
}

void ClusterCalls::set_session(const wire::ClientId& client, std::string_view session) {
  to_client(client, Command::set_session, session);
}

void ClusterCalls::update_session(std::string_view client_id, const Value& changes) {
  const wire::ClientId client = link::check_client_id(client_id);
  update_session(client, std::string_view(link::check_session(changes, "changes")));
}

void ClusterCalls::update_session(const wire::ClientId& client, std::string_view changes) {
  if (!changes.empty()) to_client(client, Command::update_session, changes);
}

void ClusterCalls::set_ping_interval(std::string_view client_id, PingInterval interval) {
  set_ping_interval(link::check_client_id(client_id), interval);
}

void ClusterCalls::set_ping_interval(const wire::ClientId& client, PingInterval interval) {
  to_client(client, Command::set_ping_interval, link::check_ping_interval(interval, "interval"));
}

}  // namespace gatehouse
