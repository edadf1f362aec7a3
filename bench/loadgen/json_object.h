#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace loadgen {

/// Writes a JSON object, member after member, on one line.
class JsonObject {
 public:
  JsonObject& add(std::string_view key, std::uint64_t value) { return add_raw(key, std::to_string(value)); }
  JsonObject& add(std::string_view key, double value, int decimals);
  /// Plain ASCII comes through; everything else becomes a question mark.
  JsonObject& add(std::string_view key, std::string_view value);
  JsonObject& add(std::string_view key, const JsonObject& value) { return add_raw(key, value.text()); }

  [[nodiscard]] std::string text() const { return "{" + members_ + "}"; }

 private:
  JsonObject& add_raw(std::string_view key, std::string_view value);

  std::string members_;
};

}  // namespace loadgen
