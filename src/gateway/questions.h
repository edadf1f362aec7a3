#pragma once

#include <string>
#include <vector>

#include "gateway/client_table.h"
#include "gateway/directory.h"
#include "wire/command_ext.h"
#include "wire/gateway_protocol.h"
#include "wire/php_serialize.h"

namespace gatehouse::gateway {

/// Answers what workers and GatewayClients ask, straight from the tables.
class Questions {
 public:
  Questions(ClientTable& table, const Directory& directory) : table_(table), directory_(directory) {}

  /// Appends the answer to `out`: 4-byte big-endian length and one serialized value. False when the frame is not a question. One
  /// that cannot be read is answered as if it had asked for nothing, since the answers' order is all that tells them apart.
  bool answer(const wire::GatewayFrame& frame, std::string& out);

 private:
  void sessions_of_all(wire::PhpWriter& writer);
  void sessions_of_group(wire::PhpWriter& writer, std::string_view group);
  void session_of(wire::PhpWriter& writer, std::uint32_t connection_id, std::string& out);
  void ids_of(wire::PhpWriter& writer, const MemberLists& lists, std::string_view name);
  void ids_of_uids(wire::PhpWriter& writer, std::string_view ext);
  void count_of_groups(wire::PhpWriter& writer, std::string_view ext);
  void group_names(wire::PhpWriter& writer);
  void select(wire::PhpWriter& writer, std::string_view ext);
  void fields_of(wire::PhpWriter& writer, const ClientRecord& record, const wire::SelectQuery& query);
  [[nodiscard]] std::size_t count(const MemberLists& lists, std::string_view name) const;

  ClientTable& table_;
  const Directory& directory_;
  std::vector<std::string> names_;
};

}  // namespace gatehouse::gateway
