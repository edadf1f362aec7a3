#include "link/arguments.h"

#include <stdexcept>
#include <string>

#include "base/log.h"
#include "wire/command_ext.h"
#include "wire/php_serialize.h"
#include "wire/utf8.h"

namespace gatehouse::link {
namespace {

[[noreturn]] void refuse(std::string_view name, std::string_view why) {
  throw std::invalid_argument(std::string(name) + ": " + std::string(why));
}

/// Written as JSON only when it might be too long.
std::size_t json_size(const std::vector<std::string>& names, std::size_t beside) {
  constexpr std::size_t kMostEscaped = 6;  // "\u0001" for one byte
  std::size_t bytes = 0;
  for (const std::string& name : names) bytes += name.size() * kMostEscaped + 3;
  return bytes + beside <= wire::kMostCarried ? bytes : wire::names_ext(names).size();
}

}  // namespace

void refuse_size(std::size_t bytes, std::string_view name) {
  refuse(name, std::to_string(bytes) + " bytes are too many: one call carries at most " + std::to_string(wire::kMostCarried) +
                   ", with ids (" + std::to_string(kMostIdBytes) + " bytes each) and names counted");
}

void check_size(const Data& data, const SendOptions& options, std::size_t ids) {
  const std::size_t of_ids = kMostIdBytes * (ids + options.except.size());
  check_size(data.bytes().size() + options.latest_key.size() + of_ids, of_ids <= data.bytes().size() ? "data"
                                                                       : ids > 0                     ? "client_ids"
                                                                                                     : "except");
}

void check_size(const Data& data, const SendOptions& options, const std::vector<std::string>& names) {
  const std::size_t others = data.bytes().size() + options.latest_key.size() + kMostIdBytes * options.except.size();
  const std::size_t of_names = json_size(names, others);
  check_size(others + of_names, of_names <= data.bytes().size() ? "data" : "names");
}

void check_size(const std::optional<Data>& last_words, std::string_view uid) {
  const std::size_t words = last_words ? last_words->bytes().size() : 0;
  check_size(words + uid.size(), uid.size() <= words ? "last_words" : "uid");
}

void check_size(const std::vector<std::string>& names, std::string_view name) { check_size(json_size(names, 0), name); }

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
  check_size(text.size(), name);
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
  std::string bytes;
  try {
    bytes = wire::serialize_json(session);
  } catch (const std::invalid_argument& error) {
    refuse(name, error.what());
  }
  check_size(bytes.size(), name);
  return bytes;
}

std::string check_ping_interval(std::optional<std::chrono::milliseconds> interval, std::string_view name) {
  if (!interval) return {};
  if (*interval < std::chrono::milliseconds(0) || *interval > std::chrono::milliseconds(wire::kMostPingIntervalMs)) {
    refuse(name, "from 0 to 49 days is wanted, not " + std::to_string(interval->count()) + " ms");
  }
  return std::to_string(interval->count());
}

}  // namespace gatehouse::link
