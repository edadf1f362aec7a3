#include "gateway/questions.h"

#include <algorithm>
#include <unordered_set>

#include "base/bytes.h"

namespace gatehouse::gateway {
namespace {

/// JSON lists may name somebody twice; a PHP array has each key once.
void remove_repeated(std::vector<std::string>& names) {
  std::unordered_set<std::string> seen;
  std::erase_if(names, [&](const std::string& name) { return !seen.insert(name).second; });
}

}  // namespace

bool Questions::answer(const wire::GatewayFrame& frame, std::string& out) {
  using wire::Command;
  const std::size_t start = out.size();
  out.append(4, '\0');
  wire::PhpWriter writer(out);
  switch (frame.header.command) {
    case Command::get_all_client_sessions: sessions_of_all(writer); break;
    case Command::is_online: writer.integer(table_.find(frame.header.connection_id) != ClientTable::kNone ? 1 : 0); break;
    case Command::get_client_id_by_uid: ids_of(writer, directory_.uids(), frame.ext_data); break;
    case Command::batch_get_client_id_by_uid: ids_of_uids(writer, frame.ext_data); break;
    case Command::get_client_sessions_by_group: sessions_of_group(writer, frame.ext_data); break;
    case Command::get_client_count_by_group:
      writer.integer(
          static_cast<std::int64_t>(frame.ext_data.empty() ? table_.size() : count(directory_.groups(), frame.ext_data)));
      break;
    case Command::select: select(writer, frame.ext_data); break;
    case Command::get_group_id_list: group_names(writer); break;
    case Command::batch_get_client_count_by_group: count_of_groups(writer, frame.ext_data); break;
    case Command::get_session_by_client_id: session_of(writer, frame.header.connection_id, out); break;
    default: out.resize(start); return false;
  }
  store_be32(out.data() + start, static_cast<std::uint32_t>(out.size() - start - 4));
  return true;
}

std::size_t Questions::count(const MemberLists& lists, std::string_view name) const {
  const std::uint32_t list = lists.find(name);
  return list == MemberLists::kNone ? 0 : lists.members(list).size();
}

void Questions::sessions_of_all(wire::PhpWriter& writer) {
  writer.begin_array(table_.size());
  table_.for_each([&](std::uint32_t, const ClientRecord& record) {
    writer.key(std::int64_t{record.id});
    writer.string(record.session.view());
  });
  writer.end_array();
}

void Questions::sessions_of_group(wire::PhpWriter& writer, std::string_view group) {
  writer.begin_array(count(directory_.groups(), group));
  const std::uint32_t list = directory_.groups().find(group);
  if (list != MemberLists::kNone) {
    for (const Member& member : directory_.groups().members(list)) {
      writer.key(std::int64_t{table_[member.client].id});
      writer.string(table_[member.client].session.view());
    }
  }
  writer.end_array();
}

void Questions::session_of(wire::PhpWriter& writer, std::uint32_t connection_id, std::string& out) {
  const std::uint32_t client = table_.find(connection_id);
  if (client == ClientTable::kNone) return writer.null();
  const std::string_view session = table_[client].session.view();
  if (session.empty()) {
    writer.begin_array(0);
    writer.end_array();
  } else {
    out.append(session);  // it is a serialized value already
  }
}

void Questions::ids_of(wire::PhpWriter& writer, const MemberLists& lists, std::string_view name) {
  writer.begin_array(count(lists, name));
  const std::uint32_t list = lists.find(name);
  if (list != MemberLists::kNone) {
    std::int64_t place = 0;
    for (const Member& member : lists.members(list)) {
      writer.key(place++);
      writer.integer(table_[member.client].id);
    }
  }
  writer.end_array();
}

void Questions::ids_of_uids(wire::PhpWriter& writer, std::string_view ext) {
  if (!wire::parse_names(ext, names_)) names_.clear();
  remove_repeated(names_);
  writer.begin_array(names_.size());
  for (const std::string& uid : names_) {
    writer.key(uid);
    ids_of(writer, directory_.uids(), uid);
  }
  writer.end_array();
}

void Questions::count_of_groups(wire::PhpWriter& writer, std::string_view ext) {
  if (!wire::parse_names(ext, names_)) names_.clear();
  remove_repeated(names_);
  writer.begin_array(names_.size());
  for (const std::string& group : names_) {
    writer.key(group);
    writer.integer(static_cast<std::int64_t>(count(directory_.groups(), group)));
  }
  writer.end_array();
}

void Questions::group_names(wire::PhpWriter& writer) {
  writer.begin_array(directory_.groups().size());
  std::int64_t place = 0;
  directory_.groups().for_each([&](std::uint32_t list) {
    writer.key(place++);
    writer.key_as_value(directory_.groups().name(list));
  });
  writer.end_array();
}

void Questions::select(wire::PhpWriter& writer, std::string_view ext) {
  wire::SelectQuery query;
  std::vector<std::uint32_t> found;
  const bool readable = wire::parse_select(ext, query);
  if (readable && query.extension) {
    writer.begin_array(1);
    writer.key("gatehouse");
    writer.integer(1);
    return writer.end_array();
  }
  if (readable) {
    const auto add_list = [&](const MemberLists& lists, const std::vector<std::string>& names) {
      for (const std::string& name : names) {
        const std::uint32_t list = lists.find(name);
        if (list == MemberLists::kNone) continue;
        for (const Member& member : lists.members(list)) found.push_back(member.client);
      }
    };
    if (query.where_groups) add_list(directory_.groups(), *query.where_groups);
    if (query.where_uids) add_list(directory_.uids(), *query.where_uids);
    if (query.where_connections) {
      for (const std::uint32_t id : *query.where_connections) {
        const std::uint32_t client = table_.find(id);
        if (client != ClientTable::kNone) found.push_back(client);
      }
    }
    if (!query.where_groups && !query.where_uids && !query.where_connections) {
      table_.for_each([&](std::uint32_t client, const ClientRecord&) { found.push_back(client); });
    } else {
      std::sort(found.begin(), found.end());
      found.erase(std::unique(found.begin(), found.end()), found.end());
    }
  }
  writer.begin_array(found.size());
  for (const std::uint32_t client : found) {
    writer.key(std::int64_t{table_[client].id});
    fields_of(writer, table_[client], query);
  }
  writer.end_array();
}

void Questions::fields_of(wire::PhpWriter& writer, const ClientRecord& record, const wire::SelectQuery& query) {
  writer.begin_array(static_cast<std::size_t>(query.session) + static_cast<std::size_t>(query.uid) +
                     static_cast<std::size_t>(query.groups));
  if (query.session) {
    writer.key("session");
    writer.string(record.session.view());
  }
  if (query.uid) {
    writer.key("uid");
    const std::string_view uid = directory_.uid_of(record);
    uid.empty() ? writer.null() : writer.string(uid);
  }
  if (query.groups) {
    writer.key("groups");
    if (record.groups == nullptr) {
      writer.null();
    } else {
      writer.begin_array(record.groups->size());
      for (const Membership& membership : *record.groups) {
        const std::string_view name = directory_.groups().name(membership.list);
        writer.key(name);
        writer.string(name);
      }
      writer.end_array();
    }
  }
  writer.end_array();
}

}  // namespace gatehouse::gateway
