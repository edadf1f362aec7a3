#include "call_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "base/duration.h"

namespace gatehouse::call {
namespace {

using C = GatewayClient;
using A = Arguments;

constexpr std::string_view kData = "DATA";
constexpr std::string_view kLastWords = "LAST_WORDS";

const Parameter kId{"CLIENT_ID"};
const Parameter kIds{.name = "CLIENT_ID", .many = true};
const Parameter kUid{"UID"};
const Parameter kUids{.name = "UID", .many = true};
const Parameter kGroup{"GROUP"};
const Parameter kGroups{.name = "GROUP", .many = true};
const Parameter kMessage{kData};
const Parameter kWords{.name = kLastWords, .optional = true};
const Parameter kJson{"JSON"};
const Parameter kInterval{"INTERVAL"};

/// Runs a command, which has no value.
template <class Command>
Value done(Command command) {
  command();
  return nullptr;
}

std::vector<Call> make_calls() {
  using enum Kind;
  return {
      {"send_to_all",
       message,
       {kMessage},
       "to every client",
       [](C& c, const A& a) { return done([&] { c.send_to_all(a.data(0), a.options); }); }},
      {"send_to_client",
       message,
       {kId, kMessage},
       "to one client",
       [](C& c, const A& a) { return done([&] { c.send_to_client(a.one(0), a.data(1), a.options); }); }},
      {"send_to_clients",
       message,
       {kIds, kMessage},
       "to several clients",
       [](C& c, const A& a) { return done([&] { c.send_to_clients(a.many(0), a.data(1), a.options); }); }},
      {"send_to_uid",
       message,
       {kUids, kMessage},
       "to all clients of a uid, or of several",
       [](C& c, const A& a) { return done([&] { c.send_to_uid(a.many(0), a.data(1), a.options); }); }},
      {"send_to_group",
       message,
       {kGroups, kMessage},
       "to all clients in a group; a member of two of several gets it twice",
       [](C& c, const A& a) { return done([&] { c.send_to_group(a.many(0), a.data(1), a.options); }); }},
      {"close_client",
       closing,
       {kId, kWords},
       "end a client's connection, after what is queued and the last words",
       [](C& c, const A& a) { return done([&] { c.close_client(a.one(0), a.last_words(1)); }); }},
      {"close_uid",
       closing,
       {kUid, kWords},
       "the same for all clients of a uid",
       [](C& c, const A& a) { return done([&] { c.close_uid(a.one(0), a.last_words(1)); }); }},
      {"destroy_client",
       command,
       {kId},
       "end a client's connection at once",
       [](C& c, const A& a) { return done([&] { c.destroy_client(a.one(0)); }); }},
      {"set_ping_interval",
       command,
       {kId, kInterval},
       "give a client a heartbeat of its own: 30s, 500ms; 0s for none, gateway for the gateway's again",
       [](C& c, const A& a) { return done([&] { c.set_ping_interval(a.one(0), a.interval(1)); }); }},
      {"bind_uid",
       command,
       {kId, kUid},
       "give a client a uid; it has one at most, a uid may have many clients",
       [](C& c, const A& a) { return done([&] { c.bind_uid(a.one(0), a.one(1)); }); }},
      {"unbind_uid",
       command,
       {kId},
       "take its uid from a client",
       [](C& c, const A& a) { return done([&] { c.unbind_uid(a.one(0)); }); }},
      {"join_group",
       command,
       {kId, kGroup},
       "put a client into a group",
       [](C& c, const A& a) { return done([&] { c.join_group(a.one(0), a.one(1)); }); }},
      {"leave_group",
       command,
       {kId, kGroup},
       "take a client out of a group",
       [](C& c, const A& a) { return done([&] { c.leave_group(a.one(0), a.one(1)); }); }},
      {"ungroup",
       command,
       {kGroup},
       "take all clients out of a group",
       [](C& c, const A& a) { return done([&] { c.ungroup(a.one(0)); }); }},
      {"set_session",
       command,
       {kId, kJson},
       "replace a client's session",
       [](C& c, const A& a) { return done([&] { c.set_session(a.one(0), a.json(1)); }); }},
      {"update_session",
       command,
       {kId, kJson},
       "merge into a client's session, key by key",
       [](C& c, const A& a) { return done([&] { c.update_session(a.one(0), a.json(1)); }); }},

      {"is_online",
       question,
       {kId},
       "whether the client is connected",
       [](C& c, const A& a) { return Value(c.is_online(a.one(0))); }},
      {"uid_by_client_id",
       question,
       {kId},
       "the client's uid; nothing when it has none",
       [](C& c, const A& a) {
         const auto uid = c.uid_by_client_id(a.one(0));
         return uid ? Value(*uid) : Value();
       }},
      {"groups_by_client_id",
       question,
       {kId},
       "the groups it is in",
       [](C& c, const A& a) { return Value(c.groups_by_client_id(a.one(0))); }},
      {"session",
       question,
       {kId},
       "its session, as JSON; null when the client is gone",
       [](C& c, const A& a) { return c.session(a.one(0)); },
       true},
      {"is_uid_online",
       question,
       {kUid},
       "whether the uid has a client",
       [](C& c, const A& a) { return Value(c.is_uid_online(a.one(0))); }},
      {"are_uids_online",
       question,
       {kUids},
       "the same for several",
       [](C& c, const A& a) { return Value(c.are_uids_online(a.many(0))); }},
      {"client_ids_by_uid",
       question,
       {kUid},
       "the clients of a uid",
       [](C& c, const A& a) { return Value(c.client_ids_by_uid(a.one(0))); }},
      {"client_ids_by_uids",
       question,
       {kUids},
       "the same for several",
       [](C& c, const A& a) { return Value(c.client_ids_by_uids(a.many(0))); }},
      {"client_count", question, {}, "how many clients are connected", [](C& c, const A&) { return Value(c.client_count()); }},
      {"client_count_by_group",
       question,
       {kGroup},
       "how many are in a group",
       [](C& c, const A& a) { return Value(c.client_count_by_group(a.one(0))); }},
      {"client_counts_by_groups",
       question,
       {kGroups},
       "the same for several",
       [](C& c, const A& a) { return Value(c.client_counts_by_groups(a.many(0))); }},
      {"client_ids", question, {}, "all clients", [](C& c, const A&) { return Value(c.client_ids()); }},
      {"client_ids_by_group",
       question,
       {kGroup},
       "the clients in a group",
       [](C& c, const A& a) { return Value(c.client_ids_by_group(a.one(0))); }},
      {"uids", question, {}, "all uids that have a client", [](C& c, const A&) { return Value(c.uids()); }},
      {"uids_by_group",
       question,
       {kGroup},
       "the uids in a group",
       [](C& c, const A& a) { return Value(c.uids_by_group(a.one(0))); }},
      {"uid_count", question, {}, "how many uids have a client", [](C& c, const A&) { return Value(c.uid_count()); }},
      {"uid_count_by_group",
       question,
       {kGroup},
       "how many of them are in a group",
       [](C& c, const A& a) { return Value(c.uid_count_by_group(a.one(0))); }},
      {"group_ids", question, {}, "all groups that have somebody in them", [](C& c, const A&) { return Value(c.group_ids()); }},
      {"sessions", question, {}, "the sessions of all clients", [](C& c, const A&) { return Value(c.sessions()); }},
      {"sessions_by_group",
       question,
       {kGroup},
       "those of the clients in a group",
       [](C& c, const A& a) { return Value(c.sessions_by_group(a.one(0))); }},
      {"clients_by_all_groups",
       question,
       {},
       "every group with its clients",
       [](C& c, const A&) { return Value(c.clients_by_all_groups()); }},
      {"uids_by_all_groups",
       question,
       {},
       "every group with its uids",
       [](C& c, const A&) { return Value(c.uids_by_all_groups()); }},
      {"client_counts_by_all_groups",
       question,
       {},
       "every group with the number of its clients",
       [](C& c, const A&) { return Value(c.client_counts_by_all_groups()); }},
      {"uid_counts_by_all_groups",
       question,
       {},
       "every group with the number of its uids",
       [](C& c, const A&) { return Value(c.uid_counts_by_all_groups()); }},
  };
}

}  // namespace

std::optional<Data> Arguments::last_words(std::size_t i) const {
  if (words.at(i).empty()) return std::nullopt;
  return data(i);
}

std::optional<std::chrono::milliseconds> Arguments::interval(std::size_t i) const {
  if (one(i) == "gateway") return std::nullopt;
  const auto interval = parse_duration(one(i));
  if (!interval) {
    throw std::invalid_argument(
        fmt::format("an interval is wanted, such as 30s, 500ms, or the word gateway, not \"{}\"", one(i)));
  }
  return interval;
}

Value Arguments::json(std::size_t i) const {
  try {
    return Value::parse(one(i));
  } catch (const Value::parse_error&) {
    throw std::invalid_argument(fmt::format("JSON is wanted, such as '{{\"name\":\"Tom\"}}', not \"{}\"", one(i)));
  }
}

std::string Call::usage() const {
  std::string line(name);
  for (const Parameter& each : parameters) {
    const std::string shown = fmt::format("{}{}", each.name, each.many ? "..." : "");
    line += each.optional ? " [" + shown + "]" : " " + shown;
  }
  return line;
}

bool Call::is_data(std::size_t i) const { return parameters.at(i).name == kData || parameters.at(i).name == kLastWords; }

const std::vector<Call>& all_calls() {
  static const std::vector<Call> calls = make_calls();
  return calls;
}

const Call* find_call(std::string_view name) {
  const auto found = std::find_if(all_calls().begin(), all_calls().end(), [&](const Call& call) { return call.name == name; });
  return found == all_calls().end() ? nullptr : &*found;
}

std::vector<std::string> call_names() {
  std::vector<std::string> names;
  for (const Call& call : all_calls()) names.emplace_back(call.name);
  return names;
}

Result<std::vector<std::vector<std::string>>> distribute(const Call& call, const std::vector<std::string>& words) {
  const auto& parameters = call.parameters;
  const auto needed = static_cast<std::size_t>(
      std::count_if(parameters.begin(), parameters.end(), [](const Parameter& p) { return !p.optional; }));
  const bool many = std::any_of(parameters.begin(), parameters.end(), [](const Parameter& p) { return p.many; });
  if (words.size() < needed) return failure(fmt::format("too few arguments; it takes: {}", call.usage()));
  if (words.size() > parameters.size() && !many) return failure(fmt::format("too many arguments; it takes: {}", call.usage()));
  std::vector<std::vector<std::string>> out(parameters.size());
  std::size_t spare = words.size() - needed;
  std::size_t next = 0;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    std::size_t count = parameters[i].optional ? 0 : 1;
    if (parameters[i].many) {
      count += std::exchange(spare, 0);
    } else if (parameters[i].optional && spare > 0) {
      count = 1;
      --spare;
    }
    while (count-- > 0) out[i].push_back(words[next++]);
  }
  return out;
}

}  // namespace gatehouse::call
