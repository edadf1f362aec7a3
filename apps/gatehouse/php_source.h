#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::php {

/// One word of a PHP source file. Comments, blanks and what stands outside of <?php are left out.
struct Token {
  enum class Kind {
    variable,    // $gateway: text is "gateway"
    name,        // a keyword, a class with its namespaces, a constant
    string,      // text is what it means
    expression,  // a string with variables in it, or a heredoc: what it means is not known before it runs
    number,      // an integer: text is its digits, in base 10
    mark,        // "->", "?->", "::", "=>", or one character
  };
  Kind kind;
  std::string text;
  int line;  // from 1

  [[nodiscard]] bool is(std::string_view mark) const { return kind == Kind::mark && text == mark; }
  [[nodiscard]] bool is_name(std::string_view name) const;  // in any case, as PHP reads keywords and classes
};

/// Cuts PHP source into words. Never fails: what it does not know is a mark of one character, and what has no end ends with the
/// source.
std::vector<Token> tokenize(std::string_view source);

}  // namespace gatehouse::php
