#include "wire/command_ext.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>

#include "wire/php_json.h"
#include "wire/php_value.h"
#include "wire/utf8.h"

namespace gatehouse::wire {
namespace {

using Json = nlohmann::json;

bool read_id(const Json& json, std::uint32_t& out) {
  if (!json.is_number_unsigned()) return false;
  const auto number = json.get<std::uint64_t>();
  if (number > std::numeric_limits<std::uint32_t>::max()) return false;
  out = static_cast<std::uint32_t>(number);
  return true;
}

bool read_id(const std::string& text, std::uint32_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

/// Connection ids: the elements of a list, or the members of an object {"3":3}. Upstream looks at the values of "connections" and
/// "connection_id", and at the keys of "exclude"; peers write both alike, so a member whose key and value differ is refused.
bool read_ids(const Json& json, std::vector<std::uint32_t>& out) {
  if (!json.is_structured()) return false;
  out.reserve(json.size());
  for (auto element = json.begin(); element != json.end(); ++element) {
    std::uint32_t id = 0;
    std::uint32_t key = 0;
    if (!read_id(*element, id)) return false;
    if (json.is_object() && (!read_id(element.key(), key) || key != id)) return false;
    out.push_back(id);
  }
  return true;
}

bool read_name(const Json& json, std::string& out) {
  switch (json.type()) {
    case Json::value_t::string: out = json.get_ref<const std::string&>(); return true;
    case Json::value_t::number_integer: out = std::to_string(json.get<std::int64_t>()); return true;
    case Json::value_t::number_unsigned: out = std::to_string(json.get<std::uint64_t>()); return true;
    case Json::value_t::number_float: append_double(out, json.get<double>()); return true;
    case Json::value_t::null: return true;
    case Json::value_t::boolean: out = json.get<bool>() ? "1" : "0"; return true;
    default: return false;
  }
}

bool read_names(const Json& json, std::vector<std::string>& out) {
  if (!json.is_structured()) return false;
  out.reserve(json.size());
  for (const Json& element : json) {
    if (!read_name(element, out.emplace_back())) return false;
  }
  return true;
}

/// Takes `["name"]` off `rest` when its text stands there as it is, without escapes, as nearly always.
bool take_one_plain_name(std::string_view& rest, std::string_view& out) {
  if (!rest.starts_with("[\"")) return false;
  const std::size_t end = rest.find('"', 2);
  if (end == std::string_view::npos || !rest.substr(end).starts_with("\"]")) return false;
  out = rest.substr(2, end - 2);
  const bool plain =
      std::none_of(out.begin(), out.end(), [](char c) { return c == '\\' || static_cast<unsigned char>(c) < 0x20; });
  rest.remove_prefix(end + 2);
  return plain && is_utf8(out);
}

/// What PHP takes for "no condition": the key is missing, null, or an empty array (which may be written as a list).
bool is_nothing(const Json& object, Json::const_iterator member) {
  return member == object.end() || member->is_null() || (member->is_structured() && member->empty());
}

void append_names(std::string& out, const std::vector<std::string>& names) {
  out += '[';
  bool first = true;
  for (const auto& name : names) {
    if (!is_utf8(name)) continue;
    if (!first) out += ',';
    first = false;
    append_json_string(out, name);
  }
  out += ']';
}

void append_ids(std::string& out, const std::vector<std::uint32_t>& ids) {
  bool list = true;
  for (std::size_t i = 0; i < ids.size(); ++i) list = list && ids[i] == i;
  out += list ? '[' : '{';
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::string id = std::to_string(ids[i]);
    if (i > 0) out += ',';
    if (!list) out.append("\"").append(id).append("\":");
    out += id;
  }
  out += list ? ']' : '}';
}

}  // namespace

bool parse_recipients(std::string_view ext, Recipients& out) {
  out = {};
  if (ext.empty()) return true;
  const Json json = parse_peer_json(ext);
  if (!json.is_structured() || (json.is_array() && !json.empty())) return false;
  // An empty list of connections means nobody, but nobody excluded means all.
  if (const auto connections = json.find("connections"); connections != json.end() && !connections->is_null()) {
    out.kind = Recipients::Kind::only;
    return read_ids(*connections, out.ids);
  }
  const auto exclude = json.find("exclude");
  if (is_nothing(json, exclude)) return true;
  out.kind = Recipients::Kind::all_but;
  return read_ids(*exclude, out.ids);
}

std::string recipients_ext(const Recipients& recipients) {
  const bool only = recipients.kind == Recipients::Kind::only;
  if (!only && (recipients.kind == Recipients::Kind::all || recipients.ids.empty())) return {};
  std::string out = only ? "{\"connections\":" : "{\"exclude\":";
  append_ids(out, recipients.ids);
  out += '}';
  return out;
}

bool parse_group_target(std::string_view ext, GroupTarget& out) {
  constexpr std::string_view kGroup = "{\"group\":";
  out.exclude.clear();
  std::string_view rest = ext.substr(std::min(kGroup.size(), ext.size()));
  std::string_view name;
  // One group and nobody left out, as it is written here and by PHP: no tree is made of that.
  if (ext.starts_with(kGroup) && take_one_plain_name(rest, name) &&
      (rest == ",\"exclude\":null}" || rest == ",\"exclude\":[]}")) {
    out.groups.resize(1);
    out.groups.front() = name;
    return true;
  }
  out.groups.clear();
  const Json json = parse_peer_json(ext);
  if (!json.is_object()) return false;
  const auto group = json.find("group");
  if (group == json.end() || !read_names(*group, out.groups)) return false;
  const auto exclude = json.find("exclude");
  return is_nothing(json, exclude) || read_ids(*exclude, out.exclude);
}

std::string group_target_ext(const std::vector<std::string>& groups, const std::vector<std::uint32_t>& exclude) {
  std::string out = "{\"group\":";
  append_names(out, groups);
  out += ",\"exclude\":";
  if (exclude.empty()) {
    out += "null";
  } else {
    append_ids(out, exclude);
  }
  out += '}';
  return out;
}

bool parse_uid_target(std::string_view ext, UidTarget& out) {
  out.exclude.clear();
  std::string_view rest = ext;
  std::string_view name;
  if (take_one_plain_name(rest, name) && rest.empty()) {
    out.uids.resize(1);
    out.uids.front() = name;
    return true;
  }
  out.uids.clear();
  const Json json = parse_peer_json(ext);
  // Upstream's list may be an object too, when PHP's keys were not 0, 1, 2 ...; ours is told by a list in "uid".
  const auto uid = json.is_object() ? json.find("uid") : json.end();
  if (uid == json.end() || !uid->is_array()) return read_names(json, out.uids);
  const auto exclude = json.find("exclude");
  return read_names(*uid, out.uids) && (is_nothing(json, exclude) || read_ids(*exclude, out.exclude));
}

std::string uid_target_ext(const std::vector<std::string>& uids, const std::vector<std::uint32_t>& exclude) {
  if (exclude.empty()) return names_ext(uids);
  std::string out = "{\"uid\":";
  append_names(out, uids);
  out += ",\"exclude\":";
  append_ids(out, exclude);
  out += '}';
  return out;
}

bool parse_names(std::string_view ext, std::vector<std::string>& out) {
  out.clear();
  return read_names(parse_peer_json(ext), out);
}

std::string names_ext(const std::vector<std::string>& names) {
  std::string out;
  append_names(out, names);
  return out;
}

bool parse_select(std::string_view ext, SelectQuery& out) {
  out = {};
  const Json json = parse_peer_json(ext);
  if (!json.is_object()) return false;
  std::vector<std::string> fields;
  const auto wanted = json.find("fields");
  if (wanted == json.end() || !read_names(*wanted, fields)) return false;
  for (const auto& field : fields) {
    out.session = out.session || field == "session";
    out.uid = out.uid || field == "uid";
    out.groups = out.groups || field == "groups";
    out.extension = out.extension || field == "gatehouse";
  }

  const auto where = json.find("where");
  if (is_nothing(json, where)) return true;
  if (!where->is_object()) return false;
  for (auto condition = where->begin(); condition != where->end(); ++condition) {
    if (condition.key() == "groups") {
      if (!read_names(*condition, out.where_groups.emplace())) return false;
    } else if (condition.key() == "uid") {
      if (!read_names(*condition, out.where_uids.emplace())) return false;
    } else if (condition.key() == "connection_id") {
      if (!read_ids(*condition, out.where_connections.emplace())) return false;
    }
  }
  if (!out.where_groups && !out.where_uids && !out.where_connections) out.where_connections.emplace();
  return true;
}

std::string select_ext(const SelectQuery& query) {
  std::string out = "{\"fields\":";
  std::vector<std::string> fields;
  if (query.session) fields.emplace_back("session");
  if (query.uid) fields.emplace_back("uid");
  if (query.groups) fields.emplace_back("groups");
  if (query.extension) fields.emplace_back("gatehouse");
  append_names(out, fields);
  out += ",\"where\":";
  if (!query.where_groups && !query.where_uids && !query.where_connections) {
    out += "[]}";
    return out;
  }
  char before = '{';
  const auto begin_condition = [&](std::string_view name) {
    out += before;
    out.append("\"").append(name).append("\":");
    before = ',';
  };
  if (query.where_groups) {
    begin_condition("groups");
    append_names(out, *query.where_groups);
  }
  if (query.where_uids) {
    begin_condition("uid");
    append_names(out, *query.where_uids);
  }
  if (query.where_connections) {
    begin_condition("connection_id");
    append_ids(out, *query.where_connections);
  }
  out += "}}";
  return out;
}

std::optional<std::uint64_t> parse_ping_interval(std::string_view ext) {
  std::uint64_t interval_ms = 0;
  const auto [end, error] = std::from_chars(ext.data(), ext.data() + ext.size(), interval_ms);
  if (error != std::errc{} || end != ext.data() + ext.size()) return std::nullopt;
  if (interval_ms > kMostPingIntervalMs) return std::nullopt;
  return interval_ms;
}

}  // namespace gatehouse::wire
