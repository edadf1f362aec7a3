#include "php_source.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace gatehouse::php {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_word(char c) { return is_word_start(c) || is_digit(c); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view source) : rest_(source) {}

  std::vector<Token> run() {
    skip_to_php();
    while (!rest_.empty()) next();
    return std::move(tokens_);
  }

 private:
  void next() {
    const char c = rest_.front();
    if (rest_.starts_with("?>")) {
      skip(2);
      skip_to_php();
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      skip(1);
    } else if (rest_.starts_with("/*")) {
      skip_past("*/", 2);
    } else if (rest_.starts_with("//") || (c == '#' && !rest_.starts_with("#["))) {
      // A comment of one line ends before the end of PHP, too.
      skip(std::min({rest_.find('\n'), rest_.find("?>"), rest_.size()}));
    } else if (c == '\'' || c == '"') {
      quoted(c);
    } else if (rest_.starts_with("<<<")) {
      heredoc();
    } else if (c == '$' && rest_.size() > 1 && is_word_start(rest_[1])) {
      add(Token::Kind::variable, 1, word_size(1));
    } else if (is_word_start(c) || (c == '\\' && rest_.size() > 1 && is_word_start(rest_[1]))) {
      std::size_t size = 1;
      while (size < rest_.size() && (is_word(rest_[size]) || rest_[size] == '\\')) ++size;
      add(Token::Kind::name, 0, size);
    } else if (is_digit(c)) {
      number();
    } else {
      mark();
    }
  }

  void skip(std::size_t size) {
    line_ += static_cast<int>(std::count(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(size), '\n'));
    rest_.remove_prefix(size);
  }
  void skip_past(std::string_view end, std::size_t from) {
    const std::size_t at = rest_.find(end, from);
    skip(at == std::string_view::npos ? rest_.size() : at + end.size());
  }
  void skip_to_php() {
    const std::size_t at = std::min(rest_.find("<?php"), rest_.find("<?="));
    skip(at == std::string_view::npos ? rest_.size() : at + (rest_.substr(at).starts_with("<?=") ? 3 : 5));
  }
  [[nodiscard]] std::size_t word_size(std::size_t from) const {
    std::size_t size = from;
    while (size < rest_.size() && is_word(rest_[size])) ++size;
    return size;
  }
  /// The first `size` bytes are one word, whose first `hidden` do not belong to its text.
  void add(Token::Kind kind, std::size_t hidden, std::size_t size) {
    tokens_.push_back({kind, std::string(rest_.substr(hidden, size - hidden)), line_});
    skip(size);
  }

  void quoted(char quote) {
    Token token{Token::Kind::string, {}, line_};
    std::size_t at = 1;
    for (; at < rest_.size() && rest_[at] != quote; ++at) {
      const bool escapes = rest_[at] == '\\' && at + 1 < rest_.size();
      const char next = escapes ? rest_[at + 1] : '\0';
      if (escapes && (next == quote || next == '\\' || (quote == '"' && next == '$'))) {
        ++at;
      } else if (quote == '"' && escapes && (next == 'n' || next == 't' || next == 'r')) {
        token.text += next == 'n' ? '\n' : next == 't' ? '\t' : '\r';
        ++at;
        continue;
      } else if (quote == '"' && (escapes || rest_[at] == '$')) {
        token.kind = Token::Kind::expression;  // a variable, or an escape that is rare in addresses and names
      }
      token.text += rest_[at];
    }
    skip(std::min(at + 1, rest_.size()));
    tokens_.push_back(std::move(token));
  }

  void heredoc() {
    std::size_t at = 3;
    while (at < rest_.size() && (rest_[at] == ' ' || rest_[at] == '\t')) ++at;
    if (at < rest_.size() && (rest_[at] == '"' || rest_[at] == '\'')) ++at;
    const std::size_t size = word_size(at) - at;
    if (size == 0) return mark();
    const std::string label(rest_.substr(at, size));
    const int line = line_;
    skip(std::min(rest_.find('\n'), rest_.size()));
    // Its end stands alone at the start of a line, behind blanks at most.
    while (!rest_.empty()) {
      skip(1);
      const std::size_t text = rest_.find_first_not_of(" \t");
      if (text != std::string_view::npos && rest_.substr(text).starts_with(label) &&
          (text + size == rest_.size() || !is_word(rest_[text + size]))) {
        skip(text + size);
        break;
      }
      skip(std::min(rest_.find('\n'), rest_.size()));
    }
    tokens_.push_back({Token::Kind::expression, "<<<" + label, line});
  }

  void number() {
    std::size_t size = 1;
    while (size < rest_.size() && (is_word(rest_[size]) || rest_[size] == '.')) ++size;
    std::string digits(rest_.substr(0, size));
    std::erase(digits, '_');
    const bool is_hex = digits.starts_with("0x") || digits.starts_with("0X");
    const bool is_octal = !is_hex && digits.size() > 1 && digits.front() == '0';
    const std::size_t start = is_hex ? 2 : 0;
    unsigned long long value = 0;
    const auto [end, error] = std::from_chars(digits.data() + start, digits.data() + digits.size(), value,
                                              is_hex     ? 16
                                              : is_octal ? 8
                                                         : 10);
    if (error != std::errc() || end != digits.data() + digits.size()) return add(Token::Kind::expression, 0, size);
    tokens_.push_back({Token::Kind::number, std::to_string(value), line_});
    skip(size);
  }

  void mark() {
    // Long enough ones that none is taken for another: == is no assignment.
    constexpr std::array<std::string_view, 12> kMarks = {
        "===", "!==", "?->", "<=>", "->", "::", "=>", "==", "!=", "<=", ">=", ".="};
    for (const std::string_view each : kMarks) {
      if (rest_.starts_with(each)) return add(Token::Kind::mark, 0, each.size());
    }
    add(Token::Kind::mark, 0, 1);
  }

  std::string_view rest_;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

bool Token::is_name(std::string_view name) const {
  return kind == Kind::name &&
         std::equal(text.begin(), text.end(), name.begin(), name.end(), [](char a, char b) { return lower(a) == lower(b); });
}

std::vector<Token> tokenize(std::string_view source) { return Tokenizer(source).run(); }

}  // namespace gatehouse::php
