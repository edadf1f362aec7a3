#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

namespace gatehouse::wire {

class PhpValue;

/// Arrays nested deeper than this are neither read nor made: reading, writing and freeing them recurses.
inline constexpr std::uint32_t kMaxPhpDepth = 128;

/// A key of a PHP array: an integer, or a string that is not the canonical form of one ("7" becomes 7; "07", "-0", "1.5" stay).
class PhpKey {
 public:
  PhpKey(std::int64_t number) : key_(number) {}  // NOLINT(google-explicit-constructor)
  /// As PHP does it: a canonical decimal integer that fits 64 bits becomes a number.
  static PhpKey from_text(std::string_view text);

  [[nodiscard]] bool is_number() const { return std::holds_alternative<std::int64_t>(key_); }
  [[nodiscard]] std::int64_t number() const { return std::get<std::int64_t>(key_); }
  /// The key as text, whichever it is.
  [[nodiscard]] std::string text() const;
  friend bool operator==(const PhpKey&, const PhpKey&) = default;
  /// Numbers before texts; for look-ups only.
  friend std::strong_ordering operator<=>(const PhpKey&, const PhpKey&) = default;

 private:
  explicit PhpKey(std::string text) : key_(std::move(text)) {}
  std::variant<std::int64_t, std::string> key_;
};

/// An ordered PHP array. Kept as pairs in order; look-ups are linear up to a few entries and indexed above (see php_value.cc).
class PhpArray {
 public:
  using Entry = std::pair<PhpKey, PhpValue>;

  PhpArray();
  PhpArray(const PhpArray& other);
  PhpArray(PhpArray&& other) noexcept;
  PhpArray& operator=(const PhpArray& other);
  PhpArray& operator=(PhpArray&& other) noexcept;
  ~PhpArray();

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] std::size_t size() const;
  /// Sets the value of `key`, in its old place if there is one, else at the end.
  void set(PhpKey key, PhpValue value);
  /// Appends under the next free integer, as `$a[] =`. Does nothing when the largest integer is taken (PHP raises an error).
  void push_back(PhpValue value);
  [[nodiscard]] const PhpValue* find(const PhpKey& key) const;
  /// Keys 0, 1, 2 … in this order.
  [[nodiscard]] bool is_list() const;

  friend bool operator==(const PhpArray& a, const PhpArray& b);

 private:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  struct Index;

  friend PhpArray replace_recursive(PhpArray base, const PhpArray& changes);

  [[nodiscard]] std::size_t position(const PhpKey& key) const;
  void append(PhpKey key, PhpValue value);

  std::vector<Entry> entries_;
  std::unique_ptr<Index> index_;  // only when `ascending_` is false and there are more than a few entries
  std::int64_t largest_ = 0;      // of the integer keys, when has_number_
  bool has_number_ = false;
  bool ascending_ = true;  // every key is an integer larger than the one before it
};

/// A value of PHP as serialize() knows it, without objects and references.
class PhpValue {
 public:
  PhpValue() = default;                                              // null
  PhpValue(std::nullptr_t) {}                                        // NOLINT(google-explicit-constructor)
  PhpValue(bool value) : value_(value) {}                            // NOLINT(google-explicit-constructor)
  PhpValue(std::int64_t value) : value_(value) {}                    // NOLINT(google-explicit-constructor)
  PhpValue(int value) : value_(static_cast<std::int64_t>(value)) {}  // NOLINT(google-explicit-constructor)
  PhpValue(double value) : value_(value) {}                          // NOLINT(google-explicit-constructor)
  PhpValue(std::string value) : value_(std::move(value)) {}          // NOLINT(google-explicit-constructor)
  PhpValue(const char* value) : value_(std::string(value)) {}        // NOLINT(google-explicit-constructor)
  PhpValue(PhpArray value) : value_(std::move(value)) {}             // NOLINT(google-explicit-constructor)

  using Variant = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, PhpArray>;
  [[nodiscard]] const Variant& get() const { return value_; }
  [[nodiscard]] PhpArray* array() { return std::get_if<PhpArray>(&value_); }
  [[nodiscard]] const PhpArray* array() const { return std::get_if<PhpArray>(&value_); }
  [[nodiscard]] const std::string* string() const { return std::get_if<std::string>(&value_); }
  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
  friend bool operator==(const PhpValue&, const PhpValue&) = default;

 private:
  Variant value_ = nullptr;
};

// Behind PhpValue, because a vector of an incomplete type may be named but not counted.
inline std::size_t PhpArray::size() const { return entries_.size(); }

/// A double as PHP's serialize() and string conversion write it with serialize_precision -1, PHP's default: the fewest digits
/// that read back as the same double ("0.1", "1.0E+25", "INF").
void append_double(std::string& out, double value);

/// PHP's array_replace_recursive(base, changes): arrays of both sides merge key by key, anything else is replaced.
PhpArray replace_recursive(PhpArray base, const PhpArray& changes);

/// Top is true for a session: an empty array there is an object. See gatehouse::Value for the rules.
nlohmann::ordered_json to_json(const PhpValue& value, bool top = false);
/// Throws std::invalid_argument for what PHP has no value for (a number over 63 bits, a binary or discarded JSON value) and for
/// JSON nested deeper than kMaxPhpDepth, which could not be read back.
PhpValue from_json(const nlohmann::ordered_json& json);

}  // namespace gatehouse::wire
