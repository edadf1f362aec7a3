#include "json_object.h"

#include <cstdio>

namespace loadgen {

JsonObject& JsonObject::add(std::string_view key, double value, int decimals) {
  char text[400];  // the largest double has 309 digits
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return add_raw(key, text);
}

JsonObject& JsonObject::add(std::string_view key, std::string_view value) {
  std::string text = "\"";
  for (const char character : value) {
    if (character == '"' || character == '\\') text += '\\';
    text += character < ' ' || character > '~' ? '?' : character;
  }
  return add_raw(key, text + "\"");
}

JsonObject& JsonObject::add_raw(std::string_view key, std::string_view value) {
  if (!members_.empty()) members_ += ", ";
  members_ += '"';
  members_ += key;
  members_ += "\": ";
  members_ += value;
  return *this;
}

}  // namespace loadgen
