#include "wire/php_json.h"

#include <cstddef>
#include <cstdint>

namespace gatehouse::wire {
namespace {

constexpr int kMaxDepth = 16;

bool is_shallow(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return false;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return true;
}

/// The code point at the start of `text` (RFC 3629), and its length; length 0 when there is none.
struct CodePoint {
  std::uint32_t value = 0;
  std::size_t size = 0;
};

CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {};
  std::uint32_t value = lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
  if (overlong || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, size};
}

void append_unicode_escape(std::string& out, std::uint32_t unit) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += "0123456789abcdef"[(unit >> shift) & 15];
}

void append_code_point(std::string& out, std::uint32_t code_point) {
  switch (code_point) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '/': out += "\\/"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  if (code_point >= 0x20 && code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x10000) {
    append_unicode_escape(out, code_point);
  } else {
    append_unicode_escape(out, 0xD800 + ((code_point - 0x10000) >> 10));
    append_unicode_escape(out, 0xDC00 + ((code_point - 0x10000) & 0x3FF));
  }
}

}  // namespace

nlohmann::json parse_peer_json(std::string_view text) {
  if (!is_shallow(text)) return nlohmann::json(nlohmann::json::value_t::discarded);
  return nlohmann::json::parse(text, nullptr, false);
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const CodePoint next = first_code_point(text);
    append_code_point(out, next.size == 0 ? 0xFFFD : next.value);
    text.remove_prefix(next.size == 0 ? 1 : next.size);
  }
  out += '"';
}

std::string with_php_escapes(std::string_view json) {
  constexpr std::string_view kLineSeparator = "\xe2\x80\xa8";
  constexpr std::string_view kParagraphSeparator = "\xe2\x80\xa9";
  std::string out;
  out.reserve(json.size());
  for (std::size_t at = 0; at < json.size();) {
    // All of them stand in strings only, so that no string need be looked for.
    const std::string_view three = json.substr(at, 3);
    if (json[at] == '/') {
      out += "\\/";
    } else if (three == kLineSeparator || three == kParagraphSeparator) {
      append_unicode_escape(out, three == kLineSeparator ? 0x2028 : 0x2029);
      at += 2;
    } else {
      out += json[at];
    }
    ++at;
  }
  return out;
}

}  // namespace gatehouse::wire
