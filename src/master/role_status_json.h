#pragma once

#include <nlohmann/json.hpp>

#include "base/role_status.h"

namespace gatehouse::master {

/// What a child says of itself, as it stands in the answer of `status --json`: the fields of RoleStatus under their own names.
nlohmann::ordered_json to_json(const RoleStatus& status);

/// The same keys, all null: for a process that did not answer.
nlohmann::ordered_json unknown_role_status();

}  // namespace gatehouse::master
