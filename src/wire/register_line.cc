#include "wire/register_line.h"

#include <nlohmann/json.hpp>

#include "wire/php_json.h"

namespace gatehouse::wire {
namespace {

/// Leaves `out` empty when the member is missing or null (PHP's isset() does not tell them apart); false when it is no string.
bool read_string(const nlohmann::json& object, const char* name, std::string& out) {
  const auto member = object.find(name);
  if (member == object.end() || member->is_null()) return true;
  if (!member->is_string()) return false;
  out = member->get_ref<const std::string&>();
  return true;
}

/// An array, or an object: that is what json_encode makes of a PHP array with gaps, as array_unique() leaves it.
bool read_addresses(const nlohmann::json& object, std::vector<std::string>& out) {
  const auto member = object.find("addresses");
  if (member == object.end()) return true;
  if (!member->is_structured()) return false;
  for (const auto& address : *member) {
    if (!address.is_string()) return false;
    out.push_back(address.get_ref<const std::string&>());
  }
  return true;
}

}  // namespace

RegisterLine parse_register_line(std::string_view line) {
  const nlohmann::json json = parse_peer_json(line);
  if (!json.is_object()) return {};
  const auto event = json.find("event");
  if (event == json.end() || !event->is_string()) return {};
  const auto& name = event->get_ref<const std::string&>();
  if (name.empty()) return {};

  RegisterLine out;
  bool read = true;
  if (name == "gateway_connect") {
    out.event = RegisterLine::Event::gateway_connect;
    read = read_string(json, "address", out.address) && read_string(json, "secret_key", out.secret_key);
  } else if (name == "worker_connect") {
    out.event = RegisterLine::Event::worker_connect;
    read = read_string(json, "secret_key", out.secret_key);
  } else if (name == "ping") {
    out.event = RegisterLine::Event::ping;
  } else if (name == "broadcast_addresses") {
    out.event = RegisterLine::Event::broadcast_addresses;
    read = read_addresses(json, out.addresses);
  } else if (name == "address_taken") {
    out.event = RegisterLine::Event::address_taken;
    const auto kept = json.find("kept");
    out.is_kept = kept != json.end() && kept->is_boolean() && kept->get<bool>();
    read = read_string(json, "address", out.address) && read_string(json, "by", out.other);
  } else {
    out.event = RegisterLine::Event::unknown;
  }
  return read ? out : RegisterLine{};
}

std::string gateway_connect_line(std::string_view address, std::string_view secret_key) {
  std::string out = R"({"event":"gateway_connect","address":)";
  append_json_string(out, address);
  out += R"(,"secret_key":)";
  append_json_string(out, secret_key);
  out += "}\n";
  return out;
}

std::string worker_connect_line(std::string_view secret_key) {
  std::string out = R"({"event":"worker_connect","secret_key":)";
  append_json_string(out, secret_key);
  out += "}\n";
  return out;
}

std::string ping_line() { return "{\"event\":\"ping\"}\n"; }

std::string broadcast_addresses_line(const std::vector<std::string>& addresses) {
  std::string out = R"({"event":"broadcast_addresses","addresses":[)";
  for (const auto& address : addresses) {
    if (&address != &addresses.front()) out += ',';
    append_json_string(out, address);
  }
  out += "]}\n";
  return out;
}

std::string address_taken_line(std::string_view address, std::string_view other, bool is_kept) {
  std::string out = R"({"event":"address_taken","address":)";
  append_json_string(out, address);
  out += R"(,"by":)";
  append_json_string(out, other);
  out += is_kept ? ",\"kept\":true}\n" : ",\"kept\":false}\n";
  return out;
}

}  // namespace gatehouse::wire
