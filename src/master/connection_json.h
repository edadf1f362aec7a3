#pragma once

#include <nlohmann/json.hpp>

#include "base/connection_row.h"

namespace gatehouse::master {

/// A connection as `connections --json` prints it: the fields of ConnectionRow, null for what is not known.
nlohmann::ordered_json to_json(const ConnectionRow& row);

/// A filter as it goes from the command through the master to the children; what is missing is not filtered by.
nlohmann::ordered_json to_json(const ConnectionFilter& filter);
ConnectionFilter filter_from_json(const nlohmann::json& json);

}  // namespace gatehouse::master
