#include "link/arguments.h"

#include <stdexcept>
#include <string>

#include "base/log.h"
#include "wire/command_ext.h"
#include "wire/gateway_protocol.h"
#include "wire/php_serialize.h"
#include "wire/utf8.h"

namespace gatehouse::link {
namespace {

[[noreturn]] void refuse(std::string_view name, std::string_view why) {
  throw std::invalid_argument(std::string(name) + ": " + std::string(why));
}

}  // namespace

wire::ClientId check_client_id(std::string_view text, std::string_view name) {
  const auto id = wire::parse_client_id(text);
  if (!id) refuse(name, "20 hexadecimal digits are wanted, not \"" + printable(text, 40) + "\"");
  return *id;
}

void check_client_ids(const std::vector<std::string_view>& client_ids, std::string_view name) {
  for (const std::string_view each : client_ids) check_client_id(each, name);
}

void check_options(const SendOptions& options) {
  for (const std::string& each : options.except) check_client_id(each, "except");
  if (options.latest_key.size() > wire::kMostKeyBytes)
    refuse("latest_key", "at most " + std::to_string(wire::kMostKeyBytes) + " bytes are wanted, not " +
                             std::to_string(options.latest_key.size()));
}

void check_name(std::string_view text, std::string_view name) {
  if (text.empty()) refuse(name, "must not be empty");
  if (text == "0") refuse(name, "must not be \"0\", which counts as empty");
  if (!wire::is_utf8(text)) refuse(name, "must be UTF-8, not \"" + printable(text, 40) + "\"");
}

std::vector<std::string> check_names(const Names& names, std::string_view name) {
  if (names.list().empty()) refuse(name, "one at least is wanted");
  std::vector<std::string> out;
  out.reserve(names.list().size());
  for (const std::string_view each : names.list()) {
    check_name(each, name);
    out.emplace_back(each);
  }
  return out;
}

std::string check_session(const Value& session, std::string_view name) {
  if (session.is_null()) return {};
  if (!session.is_structured()) refuse(name, std::string("an object is wanted, not a ") + session.type_name());
  try {
    return wire::serialize_json(session);
  } catch (const std::invalid_argument& error) {
    refuse(name, error.what());
  }
}

std::string check_ping_interval(std::optional<std::chrono::milliseconds> interval, std::string_view name) {
  if (!interval) return {};
  if (*interval < std::chrono::milliseconds(0) || *interval > std::chrono::milliseconds(wire::kMostPingIntervalMs)) {
    refuse(name, "from 0 to 49 days is wanted, not " + std::to_string(interval->count()) + " ms");
  }
  return std::to_string(interval->count());
}

}  // namespace gatehouse::link
