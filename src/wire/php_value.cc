#include "wire/php_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <system_error>

namespace gatehouse::wire {
namespace {

constexpr std::size_t kLinearEntries = 16;

void require_depth(std::uint32_t depth) {
  if (depth >= kMaxPhpDepth) throw std::invalid_argument("JSON nested too deep for a PHP value");
}

PhpValue from_json_at(const nlohmann::ordered_json& json, std::uint32_t depth) {
  switch (json.type()) {
    case nlohmann::json::value_t::null: return nullptr;
    case nlohmann::json::value_t::boolean: return json.get<bool>();
    case nlohmann::json::value_t::number_integer: return json.get<std::int64_t>();
    case nlohmann::json::value_t::number_unsigned: {
      const auto number = json.get<std::uint64_t>();
      if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        throw std::invalid_argument("a JSON number is too large for a PHP integer");
      }
      return static_cast<std::int64_t>(number);
    }
    case nlohmann::json::value_t::number_float: return json.get<double>();
    case nlohmann::json::value_t::string: return json.get_ref<const std::string&>();
    case nlohmann::json::value_t::array: {
      require_depth(depth);
      PhpArray array;
      for (const auto& element : json) array.push_back(from_json_at(element, depth + 1));
      return array;
    }
    case nlohmann::json::value_t::object: {
      require_depth(depth);
      PhpArray array;
      for (const auto& [key, element] : json.get_ref<const nlohmann::ordered_json::object_t&>()) {
        array.set(PhpKey::from_text(key), from_json_at(element, depth + 1));
      }
      return array;
    }
    case nlohmann::json::value_t::binary:
    case nlohmann::json::value_t::discarded: break;
  }
  throw std::invalid_argument("a JSON value of a kind that PHP does not have");
}

}  // namespace

PhpKey PhpKey::from_text(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  const bool canonical = digits == "0" ? digits.size() == text.size() : !digits.empty() && digits[0] >= '1' && digits[0] <= '9';
  if (canonical) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return PhpKey(number);
  }
  return PhpKey(std::string(text));
}

std::string PhpKey::text() const { return is_number() ? std::to_string(number()) : std::get<std::string>(key_); }

// A tree, not a hash table: keys may come from clients, and a tree has no collisions to aim at.
struct PhpArray::Index {
  std::map<PhpKey, std::size_t> positions;
};

PhpArray::PhpArray() = default;
PhpArray::PhpArray(const PhpArray& other)
    : entries_(other.entries_),
      index_(other.index_ ? std::make_unique<Index>(*other.index_) : nullptr),
      largest_(other.largest_),
      has_number_(other.has_number_),
      ascending_(other.ascending_) {}
PhpArray::PhpArray(PhpArray&& other) noexcept : PhpArray() { *this = std::move(other); }
PhpArray& PhpArray::operator=(const PhpArray& other) {
  if (this != &other) *this = PhpArray(other);
  return *this;
}
// By swapping, so that what was moved from is an array that agrees with itself.
PhpArray& PhpArray::operator=(PhpArray&& other) noexcept {
  entries_.swap(other.entries_);
  index_.swap(other.index_);
  std::swap(largest_, other.largest_);
  std::swap(has_number_, other.has_number_);
  std::swap(ascending_, other.ascending_);
  return *this;
}
PhpArray::~PhpArray() = default;

std::size_t PhpArray::position(const PhpKey& key) const {
  if (ascending_) {
    // Lists and tables by connection id end here; most look-ups are for a new key at the end.
    if (!key.is_number() || !has_number_ || key.number() > largest_) return kNowhere;
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), key.number(),
                                        [](const Entry& entry, std::int64_t number) { return entry.first.number() < number; });
    if (found == entries_.end() || found->first.number() != key.number()) return kNowhere;
    return static_cast<std::size_t>(found - entries_.begin());
  }
  if (index_) {
    const auto found = index_->positions.find(key);
    return found == index_->positions.end() ? kNowhere : found->second;
  }
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].first == key) return i;
  }
  return kNowhere;
}

void PhpArray::append(PhpKey key, PhpValue value) {
  if (key.is_number()) {
    if (has_number_ && key.number() <= largest_) {
      ascending_ = false;
    } else {
      largest_ = key.number();
      has_number_ = true;
    }
  } else {
    ascending_ = false;
  }
  entries_.emplace_back(std::move(key), std::move(value));
  if (ascending_ || entries_.size() <= kLinearEntries) return;
  if (index_) {
    index_->positions.emplace(entries_.back().first, entries_.size() - 1);
  } else {
    index_ = std::make_unique<Index>();
    for (std::size_t i = 0; i < entries_.size(); ++i) index_->positions.emplace(entries_[i].first, i);
  }
}

void PhpArray::set(PhpKey key, PhpValue value) {
  const std::size_t at = position(key);
  if (at == kNowhere) {
    append(std::move(key), std::move(value));
  } else {
    entries_[at].second = std::move(value);
  }
}

void PhpArray::push_back(PhpValue value) {
  if (!has_number_) {
    append(0, std::move(value));
  } else if (largest_ < std::numeric_limits<std::int64_t>::max()) {
    append(largest_ + 1, std::move(value));
  }
}

const PhpValue* PhpArray::find(const PhpKey& key) const {
  const std::size_t at = position(key);
  return at == kNowhere ? nullptr : &entries_[at].second;
}

bool PhpArray::is_list() const {
  if (entries_.empty()) return true;
  return ascending_ && entries_.front().first.number() == 0 &&
         entries_.back().first.number() == static_cast<std::int64_t>(size()) - 1;
}

bool operator==(const PhpArray& a, const PhpArray& b) { return a.entries_ == b.entries_; }

void append_double(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NAN";
    return;
  }
  if (std::isinf(value)) {
    out += value < 0 ? "-INF" : "INF";
    return;
  }
  if (std::signbit(value)) out += '-';
  if (value == 0) {
    out += '0';
    return;
  }
  // Digits and exponent from the standard library, laid out as PHP's php_gcvt() does with 17 digits.
  char buffer[32];
  const auto written = std::to_chars(buffer, buffer + sizeof buffer, std::fabs(value), std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<std::size_t>(written.ptr - buffer));
  const std::size_t mark = text.find('e');
  std::string digits(text.substr(0, 1));
  if (mark > 2) digits += text.substr(2, mark - 2);
  int exponent = 0;
  const std::size_t power = text[mark + 1] == '+' ? mark + 2 : mark + 1;  // from_chars takes no '+'
  std::from_chars(text.data() + power, text.data() + text.size(), exponent);

  if (exponent < -4 || exponent > 16) {
    out += digits[0];
    out += '.';
    out.append(digits.size() > 1 ? digits.substr(1) : "0");
    out += exponent < 0 ? "E-" : "E+";
    out += std::to_string(std::abs(exponent));
  } else if (exponent < 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-exponent - 1), '0');
    out += digits;
  } else {
    const auto whole = static_cast<std::size_t>(exponent) + 1;
    if (digits.size() <= whole) {
      out += digits;
      out.append(whole - digits.size(), '0');
    } else {
      out.append(digits, 0, whole);
      out += '.';
      out.append(digits, whole);
    }
  }
}

PhpArray replace_recursive(PhpArray base, const PhpArray& changes) {
  for (const auto& [key, change] : changes.entries()) {
    const std::size_t at = base.position(key);
    PhpArray* const old = at == PhpArray::kNowhere ? nullptr : base.entries_[at].second.array();
    if (old != nullptr && change.array() != nullptr) {
      *old = replace_recursive(std::move(*old), *change.array());
    } else {
      base.set(key, change);
    }
  }
  return base;
}

nlohmann::ordered_json to_json(const PhpValue& value, bool top) {
  const PhpArray* const array = value.array();
  if (array == nullptr) {
    return std::visit(
        [](const auto& plain) -> nlohmann::ordered_json {
          if constexpr (std::is_same_v<std::decay_t<decltype(plain)>, PhpArray>) {
            return nullptr;
          } else {
            return plain;
          }
        },
        value.get());
  }
  if (array->is_list() && !(top && array->size() == 0)) {
    nlohmann::ordered_json::array_t list;
    list.reserve(array->size());
    for (const auto& entry : array->entries()) list.push_back(to_json(entry.second));
    return list;
  }
  // The keys differ already: emplace_back, because the object's own insertion searches it from the start for each key.
  nlohmann::ordered_json::object_t object;
  object.reserve(array->size());
  for (const auto& [key, element] : array->entries()) object.emplace_back(key.text(), to_json(element));
  return object;
}

PhpValue from_json(const nlohmann::ordered_json& json) { return from_json_at(json, 0); }

}  // namespace gatehouse::wire
