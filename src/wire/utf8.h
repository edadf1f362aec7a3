#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace gatehouse::wire {

/// The state of a check that sees its text in pieces. 0 at the start and at every character's end.
inline constexpr std::uint32_t kUtf8Accept = 0;
inline constexpr std::uint32_t kUtf8Reject = 12;

/// Goes on checking with the next piece; kUtf8Reject as soon as no continuation can make it valid (overlong forms, surrogates and
/// code points over U+10FFFF included). Runs of ASCII are skipped eight bytes or more at a time.
std::uint32_t check_utf8(std::uint32_t state, std::string_view bytes);

inline bool is_utf8(std::string_view bytes) { return check_utf8(kUtf8Accept, bytes) == kUtf8Accept; }

}  // namespace gatehouse::wire
