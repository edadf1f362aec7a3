#include "gateway/commands.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "wire/php_difference.h"
#include "wire/php_json.h"
#include "wire/php_serialize.h"
#include "wire/php_value.h"

namespace gatehouse::gateway {

using wire::Command;

namespace {

/// What a worker of PHP does with a client that it lets in (Handshakes).
bool says_yes(Command command) {
  return command == Command::set_session || command == Command::update_session || command == Command::bind_uid ||
         command == Command::join_group;
}

}  // namespace

Commands::Outcome Commands::execute(const wire::GatewayFrame& frame) {
  switch (frame.header.command) {
    case Command::send_to_one: return send_to_one(frame);
    case Command::send_to_all: return send_to_all(frame);
    case Command::send_to_uid: return send_to_uid(frame);
    case Command::send_to_group: return send_to_group(frame);
    case Command::kick: return kick(frame);
    case Command::kick_uid: return kick_uid(frame);
    case Command::destroy:
    case Command::set_session:
    case Command::update_session:
    case Command::bind_uid:
    case Command::unbind_uid:
    case Command::join_group:
    case Command::leave_group:
    case Command::set_ping_interval:
    case Command::merge_session: return about_client(frame);
    case Command::ungroup: directory_.ungroup(frame.ext_data); return Outcome::done;
    case Command::handshake_answer: return answer_handshake(frame);
    case Command::ping: return Outcome::done;
    default: return Outcome::unknown;
  }
}

bool Commands::knows(Command command) {
  switch (command) {
    case Command::send_to_one:
    case Command::send_to_all:
    case Command::send_to_uid:
    case Command::send_to_group:
    case Command::kick:
    case Command::kick_uid:
    case Command::destroy:
    case Command::set_session:
    case Command::update_session:
    case Command::bind_uid:
    case Command::unbind_uid:
    case Command::join_group:
    case Command::leave_group:
    case Command::set_ping_interval:
    case Command::merge_session:
    case Command::ungroup:
    case Command::handshake_answer:
    case Command::ping: return true;
    default: return false;
  }
}

bool Commands::read_body(const wire::GatewayFrame& frame, Outgoing& out) {
  const std::uint8_t flags = frame.header.flags;
  out.binary = (flags & wire::flag::kBinary) != 0;
  out.raw = (flags & wire::flag::kRaw) != 0;
  out.present = true;
  out.message = frame.body;
  if ((flags & wire::flag::kKeyed) != 0 && !wire::split_key(out.message, out.key)) return false;
  if ((flags & wire::flag::kScalar) != 0) return true;
  wire::PhpValue value;
  if (wire::unserialize(out.message, value) != wire::PhpStatus::ok) return false;
  if (value.is_null()) {
    out.present = false;
    out.message = {};
  } else if (const std::string* text = value.string()) {
    text_ = *text;
    out.message = text_;
  } else {
    // Upstream's websocket shows an array as JSON. What is not UTF-8 in it is replaced rather than refused.
    text_ = wire::with_php_escapes(wire::to_json(value).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    out.message = text_;
  }
  return true;
}

Commands::Outcome Commands::send_to_one(const wire::GatewayFrame& frame) {
  const std::uint32_t client = table_.find(frame.header.connection_id);
  if (client == ClientTable::kNone) {
    clients_.count_send_failure();
    return Outcome::done;
  }
  Outgoing out;
  if (!read_body(frame, out)) return Outcome::malformed;
  if (out.present) clients_.send(client, out.message, out.binary, out.raw, out.key);
  clients_.end_slow_consumers();
  return Outcome::done;
}

Commands::Outcome Commands::send_to_all(const wire::GatewayFrame& frame) {
  Outgoing out;
  if (!wire::parse_recipients(frame.ext_data, recipients_) || !read_body(frame, out)) return Outcome::malformed;
  if (!out.present) return Outcome::done;
  Clients::Broadcast broadcast(clients_, out.message, out.binary, out.raw, out.key);
  using Kind = wire::Recipients::Kind;
  if (recipients_.kind == Kind::only) {
    for (const std::uint32_t id : recipients_.ids) {
      const std::uint32_t client = table_.find(id);
      if (client != ClientTable::kNone) broadcast.to(client);
    }
  } else {
    std::vector<std::uint32_t>& except = recipients_.ids;
    std::sort(except.begin(), except.end());
    table_.for_each([&](std::uint32_t client, const ClientRecord& record) {
      if (except.empty() || !std::binary_search(except.begin(), except.end(), record.id)) broadcast.to(client);
    });
  }
  clients_.end_slow_consumers();
  return Outcome::done;
}

void Commands::send_to_list(const MemberLists& lists, std::string_view name, const std::vector<std::uint32_t>& except,
                            Clients::Broadcast& broadcast) {
  const std::uint32_t list = lists.find(name);
  if (list == MemberLists::kNone) return;
  for (const Member& member : lists.members(list)) {
    if (except.empty() || !std::binary_search(except.begin(), except.end(), table_[member.client].id))
      broadcast.to(member.client);
  }
}

Commands::Outcome Commands::send_to_uid(const wire::GatewayFrame& frame) {
  Outgoing out;
  if (!wire::parse_uid_target(frame.ext_data, uid_target_) || !read_body(frame, out)) return Outcome::malformed;
  if (!out.present) return Outcome::done;
  std::sort(uid_target_.exclude.begin(), uid_target_.exclude.end());
  Clients::Broadcast broadcast(clients_, out.message, out.binary, out.raw, out.key);
  for (const std::string& uid : uid_target_.uids) send_to_list(directory_.uids(), uid, uid_target_.exclude, broadcast);
  clients_.end_slow_consumers();
  return Outcome::done;
}

Commands::Outcome Commands::send_to_group(const wire::GatewayFrame& frame) {
  Outgoing out;
  if (!wire::parse_group_target(frame.ext_data, target_) || !read_body(frame, out)) return Outcome::malformed;
  if (!out.present) return Outcome::done;
  std::sort(target_.exclude.begin(), target_.exclude.end());
  Clients::Broadcast broadcast(clients_, out.message, out.binary, out.raw, out.key);
  for (const std::string& group : target_.groups) send_to_list(directory_.groups(), group, target_.exclude, broadcast);
  clients_.end_slow_consumers();
  return Outcome::done;
}

Commands::Outcome Commands::kick(const wire::GatewayFrame& frame) {
  const std::uint32_t client = table_.find(frame.header.connection_id);
  if (client == ClientTable::kNone) return Outcome::done;
  Outgoing out;
  if (!read_body(frame, out)) return Outcome::malformed;
  kick(client, out);
  clients_.end_slow_consumers();
  return Outcome::done;
}

void Commands::kick(std::uint32_t client, const Outgoing& last_words) {
  if (handshakes_.turn_away(client, last_words.message)) return;
  // Upstream sends an empty message for an empty string; only null means no words.
  if (last_words.present) clients_.send(client, last_words.message, last_words.binary, last_words.raw);
  clients_.close(client, CloseReason::Cause::closed, wire::close_code::kNormal);
}

Commands::Outcome Commands::kick_uid(const wire::GatewayFrame& frame) {
  Outgoing out;
  if (!read_body(frame, out)) return Outcome::malformed;
  const std::uint32_t list = directory_.uids().find(frame.ext_data);
  if (list == MemberLists::kNone) return Outcome::done;
  // Copied, since each of them leaves the list.
  members_.clear();
  for (const Member& member : directory_.uids().members(list)) members_.push_back(table_[member.client].id);
  for (const std::uint32_t id : members_) {
    const std::uint32_t client = table_.find(id);
    if (client != ClientTable::kNone) kick(client, out);
  }
  clients_.end_slow_consumers();
  return Outcome::done;
}

Commands::Outcome Commands::answer_handshake(const wire::GatewayFrame& frame) {
  wire::HandshakeVerdict verdict;
  if (!wire::parse_handshake_verdict(frame.body, verdict)) return Outcome::malformed;
  handshakes_.answer(frame.header.connection_id, verdict);
  return Outcome::done;
}

Commands::Outcome Commands::about_client(const wire::GatewayFrame& frame) {
  const std::uint32_t client = table_.find(frame.header.connection_id);
  if (client == ClientTable::kNone) return Outcome::done;
  const bool is_asked_about = table_[client].stage == ClientRecord::Stage::asked;
  const Outcome outcome = change_client(client, frame);
  if (is_asked_about && outcome == Outcome::done && says_yes(frame.header.command)) handshakes_.let_in(client);
  return outcome;
}

Commands::Outcome Commands::change_client(std::uint32_t client, const wire::GatewayFrame& frame) {
  // "0" is an empty name to PHP, and upstream refuses it.
  const bool nameless = frame.ext_data.empty() || frame.ext_data == "0";
  switch (frame.header.command) {
    case Command::destroy: clients_.destroy(client, CloseReason::Cause::destroyed); return Outcome::done;
    case Command::set_session: table_[client].session = Blob(frame.ext_data); return Outcome::done;
    case Command::update_session: return update_session(table_[client], frame.ext_data);
    case Command::merge_session: return merge_session(table_[client], frame.ext_data);
    case Command::bind_uid:
      if (nameless) return Outcome::malformed;
      directory_.bind_uid(client, frame.ext_data);
      return Outcome::done;
    case Command::unbind_uid: directory_.unbind_uid(client); return Outcome::done;
    case Command::join_group:
      if (nameless) return Outcome::malformed;
      if (!directory_.join(client, frame.ext_data)) clients_.hit(Limit::groups, client);
      return Outcome::done;
    case Command::leave_group: directory_.leave(client, frame.ext_data); return Outcome::done;
    case Command::set_ping_interval: return set_ping_interval(client, frame.ext_data);
    default: return Outcome::unknown;
  }
}

Commands::Outcome Commands::set_ping_interval(std::uint32_t client, std::string_view ext) {
  if (ext.empty()) {
    heartbeat_.set_interval(client, std::nullopt);
    return Outcome::done;
  }
  const auto interval_ms = wire::parse_ping_interval(ext);
  if (!interval_ms) return Outcome::malformed;
  heartbeat_.set_interval(client, interval_ms);
  return Outcome::done;
}

Commands::Outcome Commands::update_session(ClientRecord& record, std::string_view changes) {
  if (record.session.empty()) {
    record.session = Blob(changes);
    return Outcome::done;
  }
  wire::PhpValue old;
  wire::PhpValue update;
  if (wire::unserialize(changes, update) != wire::PhpStatus::ok || update.array() == nullptr) return Outcome::malformed;
  const wire::PhpStatus status = wire::unserialize(record.session.view(), old);
  // Objects, say: PHP workers can read what we do not, so it stays as it is rather than being lost.
  if (status != wire::PhpStatus::ok && status != wire::PhpStatus::malformed) return Outcome::malformed;
  // A session that is not an array (upstream lets anything be set) has nothing to merge into.
  if (status == wire::PhpStatus::malformed || old.array() == nullptr) {
    record.session = Blob(changes);
    return Outcome::done;
  }
  record.session = Blob(wire::serialize(wire::replace_recursive(*old.array(), *update.array())));
  return Outcome::done;
}

/// What a native worker's handler has changed, as the difference: what others have changed meanwhile stays.
Commands::Outcome Commands::merge_session(ClientRecord& record, std::string_view ext) {
  wire::PhpValue change;
  if (wire::unserialize(ext, change) != wire::PhpStatus::ok || change.array() == nullptr) return Outcome::malformed;
  const wire::PhpValue* removed = change.array()->find(0);
  const wire::PhpValue* update = change.array()->find(1);
  if (removed == nullptr || removed->array() == nullptr || update == nullptr || update->array() == nullptr) {
    return Outcome::malformed;
  }
  wire::PhpValue old(wire::PhpArray{});
  if (!record.session.empty() && wire::unserialize(record.session.view(), old) != wire::PhpStatus::ok) return Outcome::malformed;
  if (old.array() == nullptr) old = wire::PhpArray{};
  wire::PhpArray merged = wire::remove_recursive(*old.array(), *removed->array());
  record.session = Blob(wire::serialize(wire::replace_recursive(std::move(merged), *update->array())));
  return Outcome::done;
}

}  // namespace gatehouse::gateway
