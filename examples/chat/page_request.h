#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace chat {

/// What the page asks for. Members that the type has no use for are empty.
struct PageRequest {
  std::string type = {};
  std::string name = {};
  std::string room = {};
  std::string key = {};
  std::string to = {};
  std::string text = {};
};

/// Nothing when `message` is not a JSON object with a type, or when a member above is there and is not a string. Never throws,
/// whatever it is given; what is nested deeper than a request ever is, is refused while it is read.
std::optional<PageRequest> parse_page_request(std::string_view message);

}  // namespace chat
