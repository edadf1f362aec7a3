#include "page_request.h"

#include <gatehouse/value.h>

namespace chat {
namespace {

constexpr int kMaxDepth = 8;

}  // namespace

std::optional<PageRequest> parse_page_request(std::string_view message) {
  using Json = gatehouse::Value;
  bool too_deep = false;
  const auto check_depth = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  const Json json = Json::parse(message, check_depth, /*allow_exceptions=*/false);
  if (too_deep || !json.is_object()) return std::nullopt;

  PageRequest request;
  bool well_formed = true;
  const auto take = [&](const char* member, std::string& value) {
    const auto it = json.find(member);
    if (it == json.end()) return;
    if (it->is_string()) {
      value = it->get<std::string>();
    } else {
      well_formed = false;
    }
  };
  take("type", request.type);
  take("name", request.name);
  take("room", request.room);
  take("key", request.key);
  take("to", request.to);
  take("text", request.text);
  if (!well_formed || request.type.empty()) return std::nullopt;
  return request;
}

}  // namespace chat
