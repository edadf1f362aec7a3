#pragma once

namespace gatehouse::wire {

/// What <cctype> has, without the locale: bytes of a protocol are ASCII wherever the process runs.
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace gatehouse::wire
