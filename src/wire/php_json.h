#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace gatehouse::wire {

/// Parses the JSON of a peer: discarded when it is malformed, not UTF-8, or nested deeper than 16. Neither throws nor recurses.
nlohmann::json parse_peer_json(std::string_view text);

/// Appends `text` in quotes as PHP's json_encode writes it: "/" as "\/", everything over ASCII as \uXXXX. Bytes that are not
/// UTF-8, for which json_encode gives up, become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// `json`, UTF-8, with what json_encode escapes even under JSON_UNESCAPED_UNICODE, which is how upstream's websocket shows an
/// array: "/" as "\/", and the line separators U+2028 and U+2029.
std::string with_php_escapes(std::string_view json);

}  // namespace gatehouse::wire
