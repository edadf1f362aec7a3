#include "fuzz/inner_peer.h"

#include <array>

#include "wire/command_ext.h"
#include "wire/event_ranges.h"
#include "wire/gateway_protocol.h"
#include "wire/handshake_verdict.h"
#include "wire/php_serialize.h"

namespace gatehouse::fuzz {

using wire::Command;

namespace {

std::string some_name(Script& script) {
  static constexpr std::array<const char*, 6> kNames = {"a", "b", "room", "0", "", "\xff"};
  return kNames.at(script.below(kNames.size()));
}

std::vector<std::string> some_names(Script& script) {
  std::vector<std::string> names(script.below(4));
  for (std::string& name : names) name = some_name(script);
  return names;
}

std::vector<std::uint32_t> some_ids(Script& script, const std::vector<std::uint32_t>& ids) {
  std::vector<std::uint32_t> some(script.below(4));
  for (std::uint32_t& id : some) id = some_id(script, ids);
  return some;
}

std::string some_session(Script& script) {
  wire::PhpArray array;
  const std::size_t size = script.below(4);
  for (std::size_t i = 0; i < size; ++i) {
    if (script.flip()) {
      array.set(wire::PhpKey::from_text(some_name(script)), std::string(script.text()));
    } else {
      wire::PhpArray inner;
      inner.set(wire::PhpKey::from_text(some_name(script)), std::int64_t{script.byte()});
      array.set(wire::PhpKey::from_text(some_name(script)), inner);
    }
  }
  return wire::serialize(array);
}

std::string frame_of(Command command, std::uint32_t id, std::string_view ext, std::string_view body,
                     std::uint8_t flags = wire::flag::kScalar) {
  std::string bytes;
  wire::append_gateway_frame(bytes, {.command = command, .flags = flags, .connection_id = id}, ext, body);
  return bytes;
}

}  // namespace

std::uint32_t some_id(Script& script, const std::vector<std::uint32_t>& ids) {
  const std::uint8_t which = script.byte();
  if (which == 0xff) return script.number();
  return ids.empty() ? which : ids[which % ids.size()];
}

std::uint8_t some_command(Script& script) {
  static constexpr std::array kKnown = {Command::send_to_one,
                                        Command::send_to_all,
                                        Command::kick,
                                        Command::destroy,
                                        Command::update_session,
                                        Command::set_session,
                                        Command::bind_uid,
                                        Command::unbind_uid,
                                        Command::send_to_uid,
                                        Command::join_group,
                                        Command::leave_group,
                                        Command::send_to_group,
                                        Command::ungroup,
                                        Command::ping,
                                        Command::get_all_client_sessions,
                                        Command::is_online,
                                        Command::get_client_id_by_uid,
                                        Command::batch_get_client_id_by_uid,
                                        Command::get_client_sessions_by_group,
                                        Command::get_client_count_by_group,
                                        Command::select,
                                        Command::get_group_id_list,
                                        Command::batch_get_client_count_by_group,
                                        Command::get_session_by_client_id,
                                        Command::kick_uid,
                                        Command::set_ping_interval,
                                        Command::merge_session,
                                        Command::handshake_answer,
                                        Command::gateway_client_connect};
  const std::uint8_t which = script.byte();
  return which < kKnown.size() ? static_cast<std::uint8_t>(kKnown.at(which)) : which;
}

std::string some_ext(Script& script, const std::vector<std::uint32_t>& ids) {
  switch (script.below(10)) {
    case 0: return {};
    case 1: return some_name(script);
    case 2: return std::string(script.text());
    case 3: {
      const auto kind = static_cast<wire::Recipients::Kind>(script.below(3));
      return wire::recipients_ext({.kind = kind, .ids = some_ids(script, ids)});
    }
    case 4: return wire::group_target_ext(some_names(script), some_ids(script, ids));
    case 5: return wire::uid_target_ext(some_names(script), some_ids(script, ids));
    case 6: return wire::names_ext(some_names(script));
    case 7: return some_session(script);
    case 8: return std::to_string(script.number() >> script.below(32));
    default: {
      wire::SelectQuery query{
          .session = script.flip(), .uid = script.flip(), .groups = script.flip(), .extension = script.flip()};
      if (script.flip()) query.where_groups = some_names(script);
      if (script.flip()) query.where_uids = some_names(script);
      if (script.flip()) query.where_connections = some_ids(script, ids);
      return wire::select_ext(query);
    }
  }
}

std::string some_frame(Script& script, const std::vector<std::uint32_t>& ids) {
  const auto command = static_cast<Command>(some_command(script));
  const std::uint32_t id = some_id(script, ids);
  const std::string ext = command == Command::merge_session && script.flip()
                              ? "a:2:{i:0;" + some_session(script) + "i:1;" + some_session(script) + "}"
                              : some_ext(script, ids);
  std::string body(script.text());
  if (command == Command::handshake_answer) {
    static constexpr std::array kStatuses = {101, 400, 403, 599, 200};
    body = wire::handshake_verdict_body({.status = kStatuses.at(script.below(kStatuses.size())), .words = body});
  }
  // A long one now and then, so that queues fill.
  const std::size_t times = script.byte();
  if (times > 250 && !body.empty()) {
    const std::string once = body;
    while (body.size() < 20'000) body += once;
  }
  return frame_of(command, id, ext, body, script.byte());
}

std::string some_worker_connect(Script& script, const std::string& secret) {
  const std::uint8_t how = script.byte();
  const std::string shown = (how & 0x10U) != 0 ? "wrong" : secret;
  const std::string body = wire::worker_connect_body("w:" + std::to_string(how % 3), shown, (how & 4U) != 0,
                                                     static_cast<wire::Delivery>((how >> 5) % 3));
  return frame_of(Command::worker_connect, 0, {}, body);
}

std::string some_acknowledgement(Script& script) {
  static constexpr std::array kSaid = {Command::finished, Command::finished, Command::begun, Command::leaving};
  const Command command = kSaid.at(script.below(kSaid.size()));
  const std::uint32_t link = script.byte() % 8;
  std::string ranges;
  const std::size_t count = script.below(4);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t first = script.byte();
    wire::append_event_range(ranges, {first == 0xff ? ~std::uint64_t{0} - 5 : first, script.byte()});
  }
  if (script.byte() == 0xff) ranges += "x";
  return frame_of(command, link, {}, ranges);
}

}  // namespace gatehouse::fuzz
