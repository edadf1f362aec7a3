#include "wire/gateway_protocol.h"

#include <nlohmann/json.hpp>

#include "wire/php_json.h"

namespace gatehouse::wire {
namespace {

/// Leaves `out` empty when the member is missing; false when it is there and no string.
bool read_string(const nlohmann::json& object, const char* name, std::string& out) {
  out.clear();
  const auto member = object.find(name);
  if (member == object.end()) return true;
  if (!member->is_string()) return false;
  out = member->get_ref<const std::string&>();
  return true;
}

/// 0 when the member is missing or is no number of 32 bits.
std::uint32_t read_number(const nlohmann::json& object, const char* name) {
  const auto member = object.find(name);
  if (member == object.end() || !member->is_number_unsigned() || *member > 0xffffffffU) return 0;
  return member->get<std::uint32_t>();
}

/// The version of the extension that the peer speaks; 0 for none.
std::uint32_t extension_of(const nlohmann::json& object) { return read_number(object, "gatehouse"); }

}  // namespace

const char* describe(GatewayFrameStatus status) {
  switch (status) {
    case GatewayFrameStatus::complete: return "a whole frame";
    case GatewayFrameStatus::need_more: return "the frame is not complete yet";
    case GatewayFrameStatus::too_short: return "the frame's length is less than its header";
    case GatewayFrameStatus::too_long: return "the frame's length is over the limit";
    case GatewayFrameStatus::ext_beyond_frame: return "the frame's ext_data reaches past its end";
  }
  return "";
}

void write_key_suffix(char* out, std::string_view key) {
  if (key.empty()) return;
  out[key.copy(out, key.size())] = static_cast<char>(key.size());
}

bool split_key(std::string_view& body, std::string_view& key) {
  if (body.empty()) return false;
  const auto size = static_cast<unsigned char>(body.back());
  if (size == 0 || size > body.size() - 1) return false;
  body.remove_suffix(1);
  key = body.substr(body.size() - size);
  body.remove_suffix(size);
  return true;
}

void append_gateway_frame(std::string& out, const GatewayHeader& header, std::string_view ext_data, std::string_view body) {
  char head[GatewayHeader::kSize];
  write_gateway_header(head, header, ext_data.size(), body.size());
  out.append(head, sizeof head);
  out += ext_data;
  out += body;
}

std::string worker_connect_body(std::string_view worker_key, std::string_view secret_key, bool announce_extension,
                                Delivery delivery) {
  std::string out = "{\"worker_key\":";
  append_json_string(out, worker_key);
  out += ",\"secret_key\":";
  append_json_string(out, secret_key);
  if (announce_extension) out += ",\"gatehouse\":2";
  if (delivery != Delivery::unacknowledged) {
    out += delivery == Delivery::at_least_once ? ",\"delivery\":\"at_least_once\"" : ",\"delivery\":\"at_most_once\"";
  }
  out += '}';
  return out;
}

std::string gateway_client_connect_body(std::string_view secret_key) {
  std::string out = "{\"secret_key\":";
  append_json_string(out, secret_key);
  out += '}';
  return out;
}

bool parse_connect_body(std::string_view body, ConnectBody& out) {
  const nlohmann::json json = parse_peer_json(body);
  if (!json.is_object() || !read_string(json, "worker_key", out.worker_key) || !read_string(json, "secret_key", out.secret_key)) {
    return false;
  }
  out.extension = extension_of(json);
  std::string delivery;
  if (!read_string(json, "delivery", delivery)) return false;
  out.delivery = out.extension == 0 || delivery.empty() ? Delivery::unacknowledged
                 : delivery == "at_most_once"           ? Delivery::at_most_once
                                                        : Delivery::at_least_once;
  return true;
}

std::string hello_body(std::string_view version, const Hello& hello) {
  std::string out = "{\"gatehouse\":1,\"version\":";
  append_json_string(out, version);
  if (hello.link != 0) {
    out += ",\"link\":" + std::to_string(hello.link) + ",\"timeout_ms\":" + std::to_string(hello.timeout_ms);
  }
  out += '}';
  return out;
}

bool parse_hello_body(std::string_view body, Hello& out) {
  const nlohmann::json json = parse_peer_json(body);
  if (!json.is_object() || extension_of(json) == 0) return false;
  out.link = read_number(json, "link");
  out.timeout_ms = read_number(json, "timeout_ms");
  return true;
}

}  // namespace gatehouse::wire
