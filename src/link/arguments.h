#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gatehouse/data.h>
#include <gatehouse/value.h>

#include "wire/client_id.h"

namespace gatehouse::link {

// What users pass to Cluster and GatewayClient, checked before anything is sent. Each throws std::invalid_argument that begins
// with `name`, the argument's, and says what would be right.

/// 20 hexadecimal digits.
wire::ClientId check_client_id(std::string_view text, std::string_view name = "client_id");
/// Each of `client_ids`, which may be none.
void check_client_ids(const std::vector<std::string_view>& client_ids, std::string_view name);
/// The client ids of `options.except`, and the length of `options.latest_key`.
void check_options(const SendOptions& options);
/// A uid or group: UTF-8, not empty, and not "0", which upstream takes for empty.
void check_name(std::string_view text, std::string_view name);
/// The same for several, as strings. One at least.
std::vector<std::string> check_names(const Names& names, std::string_view name);
/// A session, serialized: an object or array; null is none.
std::string check_session(const Value& session, std::string_view name);
/// A heartbeat interval in milliseconds as it stands on the wire, from 0 to 49 days; empty for none.
std::string check_ping_interval(std::optional<std::chrono::milliseconds> interval, std::string_view name);

}  // namespace gatehouse::link
