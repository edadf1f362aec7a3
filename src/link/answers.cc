#include "link/answers.h"

#include <gatehouse/error.h>

#include <cstdint>
#include <unordered_set>
#include <utility>

#include "wire/php_serialize.h"

namespace gatehouse::link {
namespace {

using wire::PhpArray;
using wire::PhpKey;
using wire::PhpValue;

// An answer's size is bounded already; a SELECT of a million clients has several elements for each.
constexpr wire::PhpLimits kAnswerLimits{.elements = 100'000'000};

[[noreturn]] void throw_missing(const std::vector<std::string>& gateways, const char* what) {
  std::string names;
  for (const std::string& gateway : gateways) names += (names.empty() ? "" : ", ") + gateway;
  throw Error((gateways.size() == 1 ? "gateway " : "gateways ") + names + " " + what, gateways);
}

/// Every answer, unserialized.
std::vector<std::pair<GatewayKey, PhpValue>> read(const Answers& answers) {
  std::vector<std::string> missing;
  std::vector<std::string> unreadable;
  std::vector<std::pair<GatewayKey, PhpValue>> values;
  values.reserve(answers.size());
  for (const GatewayAnswer& each : answers) {
    if (each.gateway == GatewayKey{}) {
      throw Error("no register has told yet which gateways there are" + (each.value.empty() ? "" : ": " + each.value));
    }
    PhpValue value;
    if (!each.answered) {
      missing.push_back(each.gateway.address());
    } else if (wire::unserialize(each.value, value, kAnswerLimits) != wire::PhpStatus::ok) {
      unreadable.push_back(each.gateway.address());
    } else {
      values.emplace_back(each.gateway, std::move(value));
    }
  }
  if (!missing.empty()) throw_missing(missing, "did not answer");
  if (!unreadable.empty()) throw_missing(unreadable, "gave an answer that is no serialized value");
  return values;
}

const PhpArray& array_of(GatewayKey gateway, const PhpValue& value) {
  const PhpArray* array = value.array();
  if (array == nullptr) throw_missing({gateway.address()}, "gave another answer than was asked for");
  return *array;
}

std::int64_t integer_of(GatewayKey gateway, const PhpValue& value) {
  const auto* number = std::get_if<std::int64_t>(&value.get());
  if (number == nullptr) throw_missing({gateway.address()}, "gave another answer than was asked for");
  return *number;
}

/// A name, which is an integer where PHP made one of it ("7"). Empty for anything else.
std::string text_of(const PhpValue* value) {
  if (value == nullptr) return {};
  if (const std::string* text = value->string()) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&value->get())) return std::to_string(*number);
  return {};
}

std::string client_id_of(GatewayKey gateway, std::int64_t connection_id) {
  return wire::format_client_id({gateway.ip, gateway.port, static_cast<std::uint32_t>(connection_id)});
}

/// Calls `visit(client id, fields or session)` for each client in arrays that have connection ids as keys.
template <class Visit>
void for_each_client(const Answers& answers, Visit visit) {
  for (const auto& [gateway, value] : read(answers)) {
    for (const auto& [key, client] : array_of(gateway, value).entries()) {
      if (key.is_number()) visit(client_id_of(gateway, key.number()), client);
    }
  }
}

const PhpValue* field(const PhpValue& client, const char* name) {
  const PhpArray* fields = client.array();
  return fields == nullptr ? nullptr : fields->find(PhpKey::from_text(name));
}

/// Calls `visit(group)` for each group of a client.
template <class Visit>
void for_each_group(const PhpValue& client, Visit visit) {
  const PhpValue* groups = field(client, "groups");
  const PhpArray* array = groups == nullptr ? nullptr : groups->array();
  if (array == nullptr) return;
  for (const auto& [key, group] : array->entries()) visit(text_of(&group));
}

std::map<std::string, std::size_t> sizes(const std::map<std::string, std::vector<std::string>>& lists) {
  std::map<std::string, std::size_t> out;
  for (const auto& [name, list] : lists) out[name] = list.size();
  return out;
}

/// Appends what is new.
class UniqueNames {
 public:
  void add(std::string name) {
    if (!name.empty() && seen_.insert(name).second) names_.push_back(std::move(name));
  }
  std::vector<std::string> take() { return std::move(names_); }

 private:
  std::unordered_set<std::string> seen_;
  std::vector<std::string> names_;
};

}  // namespace

bool is_online(const Answers& answers) {
  for (const auto& [gateway, value] : read(answers)) {
    if (integer_of(gateway, value) != 0) return true;
  }
  return false;
}

Value session_of(const Answers& answers) {
  for (const auto& [gateway, value] : read(answers)) {
    if (value.is_null()) continue;
    array_of(gateway, value);
    return wire::to_json(value, true);
  }
  return {};
}

std::optional<std::string> uid_of(const Answers& answers) {
  std::optional<std::string> uid;
  for_each_client(answers, [&](const std::string& /*id*/, const PhpValue& client) {
    std::string text = text_of(field(client, "uid"));
    if (!text.empty()) uid = std::move(text);
  });
  return uid;
}

std::vector<std::string> groups_of(const Answers& answers) {
  std::vector<std::string> groups;
  for_each_client(answers, [&](const std::string& /*id*/, const PhpValue& client) {
    for_each_group(client, [&](std::string group) { groups.push_back(std::move(group)); });
  });
  return groups;
}

std::map<std::string, std::vector<std::string>> clients_by_group(const Answers& answers) {
  std::map<std::string, std::vector<std::string>> groups;
  for_each_client(answers, [&](const std::string& id, const PhpValue& client) {
    for_each_group(client, [&](const std::string& group) { groups[group].push_back(id); });
  });
  return groups;
}

std::map<std::string, std::size_t> client_counts_by_group(const Answers& answers) { return sizes(clients_by_group(answers)); }

std::map<std::string, std::size_t> uid_counts_by_group(const Answers& answers) { return sizes(uids_by_group(answers)); }

std::map<std::string, std::vector<std::string>> uids_by_group(const Answers& answers) {
  std::map<std::string, UniqueNames> groups;
  for_each_client(answers, [&](const std::string& /*id*/, const PhpValue& client) {
    for_each_group(client, [&](const std::string& group) { groups[group].add(text_of(field(client, "uid"))); });
  });
  std::map<std::string, std::vector<std::string>> out;
  for (auto& [group, names] : groups) {
    std::vector<std::string> uids = names.take();
    if (!uids.empty()) out.emplace(group, std::move(uids));
  }
  return out;
}

std::vector<std::string> client_ids_of_uid(const Answers& answers) {
  std::vector<std::string> ids;
  for (const auto& [gateway, value] : read(answers)) {
    for (const auto& [key, connection_id] : array_of(gateway, value).entries()) {
      ids.push_back(client_id_of(gateway, integer_of(gateway, connection_id)));
    }
  }
  return ids;
}

std::map<std::string, std::vector<std::string>> client_ids_of_uids(const Answers& answers, const std::vector<std::string>& uids) {
  std::map<std::string, std::vector<std::string>> out;
  for (const std::string& uid : uids) out[uid];
  for (const auto& [gateway, value] : read(answers)) {
    for (const auto& [uid, ids] : array_of(gateway, value).entries()) {
      std::vector<std::string>& all = out[uid.text()];
      for (const auto& [place, id] : array_of(gateway, ids).entries())
        all.push_back(client_id_of(gateway, integer_of(gateway, id)));
    }
  }
  return out;
}

bool is_uid_online(const Answers& answers) { return !client_ids_of_uid(answers).empty(); }

std::map<std::string, bool> are_uids_online(const Answers& answers, const std::vector<std::string>& uids) {
  std::map<std::string, bool> out;
  for (const auto& [uid, ids] : client_ids_of_uids(answers, uids)) out[uid] = !ids.empty();
  return out;
}

std::map<std::string, std::size_t> client_counts(const Answers& answers, const std::vector<std::string>& groups) {
  std::map<std::string, std::size_t> out;
  for (const std::string& group : groups) out[group];
  for (const auto& [gateway, value] : read(answers)) {
    for (const auto& [group, count] : array_of(gateway, value).entries()) {
      out[group.text()] += static_cast<std::size_t>(integer_of(gateway, count));
    }
  }
  return out;
}

std::size_t client_count(const Answers& answers) {
  std::size_t count = 0;
  for (const auto& [gateway, value] : read(answers)) count += static_cast<std::size_t>(integer_of(gateway, value));
  return count;
}

std::vector<std::string> client_ids(const Answers& answers) {
  std::vector<std::string> ids;
  for_each_client(answers, [&](std::string id, const PhpValue& /*client*/) { ids.push_back(std::move(id)); });
  return ids;
}

std::vector<std::string> uids(const Answers& answers) {
  UniqueNames names;
  for_each_client(answers, [&](const std::string& /*id*/, const PhpValue& client) { names.add(text_of(field(client, "uid"))); });
  return names.take();
}

std::size_t uid_count(const Answers& answers) { return uids(answers).size(); }

std::vector<std::string> group_ids(const Answers& answers) {
  UniqueNames names;
  for (const auto& [gateway, value] : read(answers)) {
    for (const auto& [key, group] : array_of(gateway, value).entries()) names.add(text_of(&group));
  }
  return names.take();
}

std::map<std::string, Value> sessions(const Answers& answers) {
  std::map<std::string, Value> all;
  for_each_client(answers, [&](std::string id, const PhpValue& client) {
    // A session within the answer is text once more, "" when there is none.
    PhpValue session = PhpArray{};
    const std::string* text = client.string();
    if (text != nullptr && !text->empty()) (void)wire::unserialize(*text, session);
    all.emplace(std::move(id), wire::to_json(session, true));
  });
  return all;
}

}  // namespace gatehouse::link
