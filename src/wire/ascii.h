#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace gatehouse::wire {

// What <cctype> has, without the locale: bytes of a protocol are ASCII wherever the process runs.

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
  // Mostly they are the same bytes, or of different sizes.
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return x == y || lower(x) == lower(y); });
}

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}
inline constexpr std::array<bool, 256> kTokenTable = make_token_table();

/// One of those that names of header fields and parameters are made of (RFC 9110, 5.6.2).
constexpr bool is_token_char(char c) { return kTokenTable[static_cast<unsigned char>(c)]; }

}  // namespace gatehouse::wire
