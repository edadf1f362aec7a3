#include "call_output.h"

#include <fmt/format.h>

namespace gatehouse::call {
namespace {

std::string dump(const Value& value) { return value.dump(-1, ' ', false, Value::error_handler_t::replace); }

std::string in_one_line(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string line(const Value& value) {
  return (value.is_string() ? in_one_line(value.get_ref<const std::string&>()) : dump(value)) + "\n";
}

}  // namespace

std::string as_text(const Value& answer, bool one_value) {
  if (one_value) return dump(answer) + "\n";
  if (answer.is_null()) return {};
  std::string out;
  if (answer.is_array()) {
    for (const Value& each : answer) out += line(each);
  } else if (answer.is_object()) {
    for (const auto& [name, value] : answer.items()) {
      const std::string before = in_one_line(name) + "\t";
      if (value.is_array()) {
        for (const Value& each : value) out += before + line(each);
      } else {
        out += before + line(value);
      }
    }
  } else {
    out = line(answer);
  }
  return out;
}

std::string as_json(const Value& answer) { return dump(answer) + "\n"; }

}  // namespace gatehouse::call
