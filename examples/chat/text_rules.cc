#include "text_rules.h"

#include <cstdint>
#include <optional>

namespace chat {
namespace {

struct Character {
  char32_t code = 0;
  std::size_t size = 0;  // bytes
};

/// The character that `text` begins with; nothing when that is not UTF-8 (RFC 3629: no overlong forms, no surrogates).
std::optional<Character> first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return Character{lead, 1};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return std::nullopt;

  char32_t code = lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return std::nullopt;
    code = code << 6U | (byte(i) & 0x3FU);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[size] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return std::nullopt;
  return Character{code, size};
}

// C0, DEL and C1. The last are the "8-bit" escape sequences: U+009B alone begins one on some terminals.
bool is_control(char32_t code) { return code < 0x20 || (code >= 0x7F && code <= 0x9F); }

// Unicode TR 36, 2.5 "Bidirectional text spoofing"; and the line and paragraph separator.
bool changes_direction(char32_t code) {
  return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0x200E || code == 0x200F ||
         code == 0x061C || code == 0x2028 || code == 0x2029;
}

// Of no width or blank: two names that differ only in these look the same. Messages keep them, emoji are joined with some.
bool is_invisible(char32_t code) {
  return code == 0xA0 || code == 0xAD || code == 0x034F || code == 0x115F || code == 0x1160 || code == 0x180E || code == 0x3164 ||
         (code >= 0x2000 && code <= 0x200D) || code == 0x202F || (code >= 0x205F && code <= 0x2064) || code == 0x3000 ||
         code == 0xFEFF || code == 0xFFA0 || (code >= 0xE0000 && code <= 0xE0FFF);
}

/// Calls visit(character) for each; false at the first byte that is not UTF-8.
template <class Visit>
bool for_each_character(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const auto character = first_character(text);
    if (!character) return false;
    visit(*character, text.substr(0, character->size));
    text.remove_prefix(character->size);
  }
  return true;
}

}  // namespace

std::string name_fault(std::string_view what, std::string_view name) {
  std::size_t length = 0;
  bool unreadable = false;
  const bool is_utf8 = for_each_character(name, [&](Character character, std::string_view) {
    ++length;
    unreadable = unreadable || is_control(character.code) || changes_direction(character.code) || is_invisible(character.code);
  });
  const std::string subject(what);
  if (!is_utf8) return subject + " must be UTF-8 text.";
  if (length == 0 || length > kMaxNameLength) return subject + " has 1 to " + std::to_string(kMaxNameLength) + " characters.";
  if (unreadable) return subject + " has no control characters and no invisible ones.";
  if (name.find(':') != std::string_view::npos) return subject + " has no colon.";
  if (trimmed(name).size() != name.size()) return subject + " has no spaces around it.";
  // The wire protocol of GatewayWorker takes "0" as no uid and no group at all.
  if (name == "0") return subject + " cannot be 0.";
  return {};
}

std::string text_fault(std::string_view text) {
  std::size_t length = 0;
  if (!for_each_character(text, [&](Character, std::string_view) { ++length; })) return "A message must be UTF-8 text.";
  if (length > kMaxTextLength) {
    return "A message has at most " + std::to_string(kMaxTextLength) + " characters; this one has " + std::to_string(length) +
           ".";
  }
  if (trimmed(readable(text)).empty()) return "There is nothing to read in this message.";
  return {};
}

std::string readable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for_each_character(text, [&](Character character, std::string_view bytes) {
    const bool is_space = character.code == '\n' || character.code == '\t';
    if (is_space || (!is_control(character.code) && !changes_direction(character.code))) result += bytes;
  });
  return result;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace chat
