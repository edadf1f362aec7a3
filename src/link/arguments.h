#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gatehouse/data.h>
#include <gatehouse/value.h>

#include "wire/client_id.h"
#include "wire/command_size.h"

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
/// What a call carries may not be over wire::kMostCarried: data as it is, names as they stand in JSON, kMostIdBytes for an id.
inline constexpr std::size_t kMostIdBytes = 24;  // "4294967295":4294967295,
[[noreturn]] void refuse_size(std::size_t bytes, std::string_view name);
inline void check_size(std::size_t bytes, std::string_view name) {
  if (bytes > wire::kMostCarried) refuse_size(bytes, name);
}
/// Of a message and the ids beside it.
void check_size(const Data& data, const SendOptions& options, std::size_t ids = 0);
/// Of a message and the names beside it.
void check_size(const Data& data, const SendOptions& options, const std::vector<std::string>& names);
/// Of last words, with the uid that they may be for.
void check_size(const std::optional<Data>& last_words, std::string_view uid = {});
/// Of names alone, as they stand in JSON.
void check_size(const std::vector<std::string>& names, std::string_view name);

/// A session, serialized: an object or array; null is none. At most what a call carries.
std::string check_session(const Value& session, std::string_view name);
/// A heartbeat interval in milliseconds as it stands on the wire, from 0 to 49 days; empty for none.
std::string check_ping_interval(std::optional<std::chrono::milliseconds> interval, std::string_view name);

}  // namespace gatehouse::link
