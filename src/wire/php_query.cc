#include "wire/php_query.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace gatehouse::wire {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string url_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
    } else if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);  // a '%' that begins no code stands for itself
    }
  }
  return out;
}

/// A variable's name taken apart: "x[a][]" is "x", then "a", then nothing (append).
struct Name {
  std::string base;
  std::vector<std::optional<std::string>> indexes;
};

bool is_c_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view trim_spaces(std::string_view text) {
  while (!text.empty() && is_c_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_c_space(text.back())) text.remove_suffix(1);
  return text;
}

void replace_separators(std::string& name, std::size_t from) {
  for (std::size_t i = from; i < name.size(); ++i) {
    if (name[i] == ' ' || name[i] == '.' || name[i] == '[') name[i] = '_';
  }
}

/// The name that PHP makes of the decoded `text`; nothing when it makes none.
std::optional<Name> parse_name(std::string text) {
  text.resize(std::min(text.size(), text.find('\0')));  // PHP reads names as C strings
  text.erase(0, text.find_first_not_of(' '));
  const std::size_t bracket = text.find('[');
  Name name;
  name.base = text.substr(0, bracket);
  if (name.base.empty()) return std::nullopt;
  replace_separators(name.base, 0);
  std::size_t at = bracket;
  while (at < text.size() && text[at] == '[') {
    if (name.indexes.size() == kMaxQueryNesting) return std::nullopt;
    const std::size_t begin = at + 1;
    const std::size_t inner = begin < text.size() && is_c_space(text[begin]) ? begin + 1 : begin;  // "[ ]" is "[]"
    const std::size_t close = text.find(']', inner);
    if (close == std::string::npos) {
      // A bracket that never closes belongs to the name when it is the first, and ends the indexes otherwise.
      if (name.indexes.empty()) {
        name.base = std::move(text);
        replace_separators(name.base, 0);
      }
      return name;
    }
    if (close == inner) {
      name.indexes.emplace_back();
    } else {
      name.indexes.emplace_back(text.substr(begin, close - begin));
    }
    at = close + 1;
  }
  return name;
}

/// Arrays in the making. PhpArray has no way to change what is inside it, and copying it for each variable would be quadratic;
/// so variables and arrays stand in two flat lists here and refer to each other by number.
class Builder {
 public:
  Builder() : arrays_(1) {}

  void set(const Name& name, std::string value) {
    std::optional<std::size_t> entry = find_or_add(0, &name.base);
    for (const auto& index : name.indexes) {
      if (!entry) return;
      entry = find_or_add(array_of(*entry), index ? &*index : nullptr);
    }
    if (entry) entries_[*entry].value = std::move(value);
  }

  PhpArray take(std::size_t array = 0) {
    PhpArray out;
    for (const std::size_t number : arrays_[array].entries) {
      Entry& entry = entries_[number];
      if (auto* text = std::get_if<std::string>(&entry.value)) {
        out.set(entry.key, std::move(*text));
      } else {
        out.set(entry.key, take(std::get<std::size_t>(entry.value)));  // at most kMaxQueryNesting deep
      }
    }
    return out;
  }

 private:
  struct Entry {
    PhpKey key;
    std::variant<std::string, std::size_t> value;  // a text, or the number of an array
  };
  struct Array {
    std::vector<std::size_t> entries;
    std::unordered_map<std::string, std::size_t> by_key;
    std::optional<std::int64_t> last_number;  // the highest so far
  };

  /// The entry of `key`, or a new one at the end for null. Nothing when the highest integer is taken already.
  std::optional<std::size_t> find_or_add(std::size_t array_number, const std::string* key) {
    Array& array = arrays_[array_number];
    if (key == nullptr) {
      if (array.last_number == std::numeric_limits<std::int64_t>::max()) return std::nullopt;
      return add(array, PhpKey(array.last_number ? *array.last_number + 1 : 0));
    }
    const auto found = array.by_key.find(*key);
    return found != array.by_key.end() ? found->second : add(array, PhpKey::from_text(*key));
  }

  std::size_t add(Array& array, PhpKey key) {
    if (key.is_number()) array.last_number = std::max(key.number(), array.last_number.value_or(key.number()));
    const std::size_t number = entries_.size();
    array.by_key.emplace(key.text(), number);  // a canonical integer's text is its own and no other key's
    array.entries.push_back(number);
    entries_.push_back({std::move(key), std::string()});
    return number;
  }

  /// The array in that entry; what else was there is replaced by an empty one.
  std::size_t array_of(std::size_t entry) {
    if (const auto* number = std::get_if<std::size_t>(&entries_[entry].value)) return *number;
    entries_[entry].value = arrays_.size();
    arrays_.emplace_back();
    return arrays_.size() - 1;
  }

  std::vector<Entry> entries_;
  std::vector<Array> arrays_;
};

}  // namespace

PhpArray parse_php_query(std::string_view text) {
  Builder builder;
  std::size_t variables = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view piece = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (piece.empty()) continue;
    if (++variables > kMaxQueryVariables) break;
    const std::size_t equals = std::min(piece.find('='), piece.size());
    const std::optional<Name> name = parse_name(url_decode(piece.substr(0, equals)));
    if (name) builder.set(*name, url_decode(piece.substr(std::min(equals + 1, piece.size()))));
  }
  return builder.take();
}

PhpArray parse_cookies(std::string_view text) {
  PhpArray out;
  while (!text.empty() && out.size() < kMaxQueryVariables) {
    const std::size_t end = std::min(text.find(';'), text.size());
    const std::string_view piece = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = piece.find('=');
    if (equals == std::string_view::npos) continue;
    out.set(PhpKey::from_text(trim_spaces(piece.substr(0, equals))), std::string(piece.substr(equals + 1)));
  }
  return out;
}

}  // namespace gatehouse::wire
