#pragma once

#include <cstddef>
#include <string_view>

#include "wire/php_value.h"

namespace gatehouse::wire {

inline constexpr std::size_t kMaxQueryVariables = 1000;  // PHP's max_input_vars; further ones are ignored
inline constexpr std::size_t kMaxQueryNesting = 64;      // PHP's max_input_nesting_level; a variable nested deeper is left out

/// "a=1&x[]=2&y[k]=3" as PHP's parse_str() reads it: '+' and %XX decoded, '.' and ' ' in a name become '_', brackets make arrays,
/// a later value replaces an earlier one. All values are strings or arrays. For a Cookie header the separator is ';'. Takes time
/// in proportion to the text, whatever it holds.
PhpArray parse_php_query(std::string_view text, char separator = '&');

}  // namespace gatehouse::wire
