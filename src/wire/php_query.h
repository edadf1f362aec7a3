#pragma once

#include <cstddef>
#include <string_view>

#include "wire/php_value.h"

namespace gatehouse::wire {

inline constexpr std::size_t kMaxQueryVariables = 1000;  // PHP's max_input_vars; further ones are ignored
inline constexpr std::size_t kMaxQueryNesting = 64;      // PHP's max_input_nesting_level; a variable nested deeper is left out

/// "a=1&x[]=2&y[k]=3" as PHP's parse_str() reads it: '+' and %XX decoded, '.' and ' ' in a name become '_', brackets make arrays,
/// a later value replaces an earlier one. All values are strings or arrays. Takes time in proportion to the text, whatever it
/// holds.
PhpArray parse_php_query(std::string_view text);

/// "sid=1; theme=dark" as upstream reads a Cookie header since Workerman 5: values as they came (RFC 6265 gives '+' and '%' no
/// meaning there), names without the spaces around them, no arrays. A piece without '=' is left out; at most kMaxQueryVariables.
PhpArray parse_cookies(std::string_view text);

}  // namespace gatehouse::wire
