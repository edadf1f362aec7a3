#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::wire {

// The JSON that stands in ext_data of some commands. Readers return false for malformed JSON and wrong types, never throw, and
// leave `out` in some valid state then; a question must be answered all the same (upstream answers a SELECT that it cannot read
// with an empty array). Where upstream's json_encode makes a list or an object of a PHP array, depending on its keys, readers
// take both. Names (uids and groups) may come as JSON numbers and become their decimal text; null, false and true become "", "0"
// and "1", as they do as keys of a PHP array. Writers write names as strings, always, and leave out names that are not UTF-8,
// which JSON cannot say.

/// Whom send_to_all is for.
struct Recipients {
  enum class Kind { all, only, all_but };
  Kind kind = Kind::all;
  std::vector<std::uint32_t> ids;  // of connections; empty for `all`
  friend bool operator==(const Recipients&, const Recipients&) = default;
};
/// Takes "", {"connections":{"3":3}}, {"exclude":{"3":3}}, and [0,1] in place of the inner object.
bool parse_recipients(std::string_view ext, Recipients& out);
std::string recipients_ext(const Recipients& recipients);

/// Whom send_to_group is for. A member of two groups gets the message twice, as upstream does it.
struct GroupTarget {
  std::vector<std::string> groups;
  std::vector<std::uint32_t> exclude;
  friend bool operator==(const GroupTarget&, const GroupTarget&) = default;
};
/// Takes {"group":["g1",7],"exclude":null}, with ids as above in place of null.
bool parse_group_target(std::string_view ext, GroupTarget& out);
std::string group_target_ext(const std::vector<std::string>& groups, const std::vector<std::uint32_t>& exclude);

/// Whom send_to_uid is for. Upstream's form is the list of names; with exceptions, which only our extension knows, it is
/// {"uid":["u1"],"exclude":{"3":3}}.
struct UidTarget {
  std::vector<std::string> uids;
  std::vector<std::uint32_t> exclude;
  friend bool operator==(const UidTarget&, const UidTarget&) = default;
};
bool parse_uid_target(std::string_view ext, UidTarget& out);
std::string uid_target_ext(const std::vector<std::string>& uids, const std::vector<std::uint32_t>& exclude);
/// `ext` has the form of the extension.
inline bool is_extended_uid_target(std::string_view ext) { return ext.starts_with('{'); }

/// The list of uids or groups of send_to_uid and of both batch questions.
bool parse_names(std::string_view ext, std::vector<std::string>& out);
std::string names_ext(const std::vector<std::string>& names);

/// What SELECT asks: some fields of every client that meets ANY of the conditions that are set (upstream adds up their finds), or
/// of all clients when none is set.
struct SelectQuery {
  bool session = false;
  bool uid = false;
  bool groups = false;
  bool extension = false;  // whether our extension is known; a gateway without it passes over the field
  std::optional<std::vector<std::string>> where_groups;
  std::optional<std::vector<std::string>> where_uids;
  std::optional<std::vector<std::uint32_t>> where_connections;
  friend bool operator==(const SelectQuery&, const SelectQuery&) = default;
};
/// Unknown fields are passed over. An unknown condition finds nobody.
bool parse_select(std::string_view ext, SelectQuery& out);
std::string select_ext(const SelectQuery& query);

/// A client's own heartbeat interval: what the loop's timers can hold.
inline constexpr std::uint64_t kMostPingIntervalMs = std::uint64_t{49} * 24 * 3600 * 1000;
/// Takes decimal digits up to that; ext_data of set_ping_interval, when it is not empty.
std::optional<std::uint64_t> parse_ping_interval(std::string_view ext);

}  // namespace gatehouse::wire
