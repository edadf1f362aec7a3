#include "wire/handshake_verdict.h"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "wire/php_json.h"

namespace gatehouse::wire {
namespace {

using Json = nlohmann::json;

/// False when the member is there and no string.
bool read_text(const Json& object, const char* name, std::string& out) {
  const auto found = object.find(name);
  if (found == object.end()) return true;
  if (!found->is_string()) return false;
  out = found->get<std::string>();
  return true;
}

}  // namespace

std::string handshake_verdict_body(const HandshakeVerdict& verdict) {
  Json body = {{"status", verdict.status}};
  if (!verdict.words.empty()) body["words"] = verdict.words;
  if (!verdict.subprotocol.empty()) body["subprotocol"] = verdict.subprotocol;
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool parse_handshake_verdict(std::string_view body, HandshakeVerdict& out) {
  const Json json = parse_peer_json(body);
  if (!json.is_object()) return false;
  const auto status = json.find("status");
  if (status == json.end() || !status->is_number_integer()) return false;
  const auto number = status->get<std::int64_t>();
  if (number != HandshakeVerdict::kAccepted && (number < 400 || number > 599)) return false;
  out.status = static_cast<int>(number);
  return read_text(json, "words", out.words) && read_text(json, "subprotocol", out.subprotocol);
}

}  // namespace gatehouse::wire
