#include "wire/php_serialize.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "wire/ascii.h"

namespace gatehouse::wire {
namespace {

// "i:0;N;": no array element is shorter, so a count that the rest of the text cannot hold is refused at once.
constexpr std::size_t kSmallestElement = 6;
constexpr std::size_t kCopiedValue = 16;  // what a value counts for that a reference has copied, besides the bytes of a string

/// Reads one value from the front of a text.
class Reader {
 public:
  /// `follow`: references are followed, for which the place of every value is kept. Otherwise they are PhpStatus::reference.
  Reader(std::string_view text, const PhpLimits& limits, bool follow)
      : begin_(text.data()),
        at_(text.data()),
        end_(text.data() + text.size()),
        limits_(limits),
        elements_left_(limits.elements),
        copied_left_(limits.copied_bytes),
        follow_(follow) {}

  /// `out` may be null: nothing is made then.
  PhpStatus value(PhpValue* out, std::uint32_t depth);
  [[nodiscard]] bool at_end() const { return at_ == end_; }

 private:
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  [[nodiscard]] bool starts_with(char c) const { return at_ != end_ && *at_ == c; }
  bool take(char c) {
    if (!starts_with(c)) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view token) {
    if (!std::string_view(at_, left()).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  const char* skip_digits(const char* from) const { return std::find_if_not(from, end_, is_digit); }
  bool count(std::size_t& out);
  bool integer(std::int64_t& out);
  bool real(double& out);
  bool string(std::string_view& out);
  PhpStatus array(PhpValue* out, std::uint32_t depth);
  bool key(PhpKey* out);
  PhpStatus reference(PhpValue* out, std::uint32_t depth);
  bool count_copied(std::size_t bytes) {
    if (!copying_) return true;
    const bool fits = bytes <= copied_left_;
    copied_left_ -= fits ? bytes : copied_left_;
    return fits;
  }

  /// The text from `start` to here, beyond what counts for every value: keys and numbers may be of any length, too.
  bool count_text(const char* start) {
    const auto size = static_cast<std::size_t>(at_ - start);
    return size <= kCopiedValue || count_copied(size - kCopiedValue);
  }

  const char* const begin_;
  const char* at_;
  const char* const end_;
  const PhpLimits& limits_;
  std::uint32_t elements_left_;
  std::size_t copied_left_;
  const bool follow_;
  bool copying_ = false;
  std::vector<std::size_t> places_;  // where each value begins, in the order in which references count them
  std::vector<std::size_t> open_;    // of these, the arrays that are being read
};

// Unsigned digits and a ':'. No number that is larger than the rest of the text counts anything in it.
bool Reader::count(std::size_t& out) {
  const std::size_t most = left();
  std::size_t number = 0;
  const char* p = at_;
  for (; p != end_ && is_digit(*p); ++p) {
    number = number * 10 + static_cast<std::size_t>(*p - '0');
    if (number > most) return false;
  }
  if (p == at_) return false;
  at_ = p;
  out = number;
  return take(':');
}

// Behind "i:", up to and with the ';'.
bool Reader::integer(std::int64_t& out) {
  const bool negative = starts_with('-');
  const char* const digits = at_ + (negative || starts_with('+') ? 1 : 0);
  const char* const end = skip_digits(digits);
  if (end == digits) return false;
  if (std::from_chars(negative ? at_ : digits, end, out).ec == std::errc::result_out_of_range) {
    out = negative ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  }
  at_ = end;
  return take(';');
}

// Behind "d:", up to and with the ';'.
bool Reader::real(double& out) {
  if (take("NAN;")) {
    out = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  const bool negative = starts_with('-');
  if (take("INF;") || take("-INF;")) {
    out = negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    return true;
  }
  const char* const whole = at_ + (negative || starts_with('+') ? 1 : 0);
  const char* end = skip_digits(whole);
  std::ptrdiff_t digits = end - whole;
  if (end != end_ && *end == '.') {
    const char* const fraction = end + 1;
    end = skip_digits(fraction);
    digits += end - fraction;
  }
  if (digits == 0) return false;
  if (end != end_ && (*end == 'e' || *end == 'E')) {
    ++end;
    if (end != end_ && (*end == '-' || *end == '+')) ++end;
    const char* const exponent = end;
    end = skip_digits(exponent);
    if (end == exponent) return false;
  }
  // Past the range of a double (PHP: INF or 0) is nothing that serialize() writes: refused like any other malformed text.
  if (std::from_chars(negative ? at_ : whole, end, out).ec != std::errc()) return false;
  at_ = end;
  return take(';');
}

// Behind "s:", up to and with the ';'.
bool Reader::string(std::string_view& out) {
  std::size_t size = 0;
  if (!count(size) || !take('"') || size >= left()) return false;
  out = {at_, size};
  at_ += size;
  return take('"') && take(';');
}

bool Reader::key(PhpKey* out) {
  if (take("i:")) {
    std::int64_t number = 0;
    if (!integer(number)) return false;
    if (out != nullptr) *out = number;
    return true;
  }
  std::string_view text;
  if (!take("s:") || !string(text)) return false;
  if (out != nullptr) *out = PhpKey::from_text(text);
  return true;
}

PhpStatus Reader::array(PhpValue* out, std::uint32_t depth) {
  std::size_t elements = 0;
  if (!count(elements) || !take('{') || elements > left() / kSmallestElement) return PhpStatus::malformed;
  if (depth >= limits_.depth) return PhpStatus::too_deep;
  if (elements > elements_left_) return PhpStatus::too_many;
  elements_left_ -= static_cast<std::uint32_t>(elements);
  const bool is_counted = follow_ && !copying_;
  if (is_counted) open_.push_back(places_.size() - 1);

  PhpArray array;
  for (std::size_t i = 0; i < elements; ++i) {
    const char* const start = at_;
    if (out == nullptr) {
      if (!key(nullptr)) return PhpStatus::malformed;
      if (!count_text(start)) return PhpStatus::too_many;
      if (const PhpStatus status = value(nullptr, depth + 1); status != PhpStatus::ok) return status;
      continue;
    }
    PhpKey name(0);
    PhpValue element;
    if (!key(&name)) return PhpStatus::malformed;
    if (!count_text(start)) return PhpStatus::too_many;
    if (const PhpStatus status = value(&element, depth + 1); status != PhpStatus::ok) return status;
    array.set(std::move(name), std::move(element));
  }
  if (!take('}')) return PhpStatus::malformed;
  if (is_counted) open_.pop_back();
  if (out != nullptr) *out = std::move(array);
  return PhpStatus::ok;
}

/// Behind "R:". PHP numbers values from 1 on in the order in which they begin, without the references themselves
/// (ext/standard/var.c, php_add_var_hash). What is named is read once more where it stands: two PhpValues share nothing, and a
/// number outlives the moves of what has been read. A reference inside it names something in front of it, so this comes to an
/// end.
PhpStatus Reader::reference(PhpValue* out, std::uint32_t depth) {
  std::int64_t number = 0;
  if (!integer(number)) return PhpStatus::malformed;
  if (!follow_) return PhpStatus::reference;
  if (number < 1 || static_cast<std::uint64_t>(number) > places_.size()) return PhpStatus::malformed;
  const std::size_t named = static_cast<std::size_t>(number) - 1;
  if (std::find(open_.begin(), open_.end(), named) != open_.end()) return PhpStatus::reference;  // an array inside itself
  const char* const behind = std::exchange(at_, begin_ + places_[named]);
  const bool was_copying = std::exchange(copying_, true);
  const PhpStatus status = value(out, depth);
  copying_ = was_copying;
  at_ = behind;
  return status;
}

PhpStatus Reader::value(PhpValue* out, std::uint32_t depth) {
  if (follow_ && !copying_ && !starts_with('R')) places_.push_back(static_cast<std::size_t>(at_ - begin_));
  if (!count_copied(kCopiedValue)) return PhpStatus::too_many;
  const auto give = [out](auto made) {
    if (out != nullptr) *out = std::move(made);
  };
  const auto checked = [](bool read) { return read ? PhpStatus::ok : PhpStatus::malformed; };
  if (take("N;")) {
    give(nullptr);
    return PhpStatus::ok;
  }
  if (left() < 2 || at_[1] != ':') return PhpStatus::malformed;
  const char* const start = at_;
  const char type = at_[0];
  at_ += 2;
  switch (type) {
    case 'b': give(starts_with('1')); return checked(take("0;") || take("1;"));
    case 'i': {
      std::int64_t number = 0;
      const bool read = integer(number);
      if (!count_text(start)) return PhpStatus::too_many;
      give(number);
      return checked(read);
    }
    case 'd': {
      double number = 0;
      const bool read = real(number);
      if (!count_text(start)) return PhpStatus::too_many;
      give(number);
      return checked(read);
    }
    case 's': {
      std::string_view text;
      if (!string(text)) return PhpStatus::malformed;
      if (!count_copied(text.size())) return PhpStatus::too_many;
      if (out != nullptr) *out = std::string(text);
      return PhpStatus::ok;
    }
    case 'a': return array(out, depth);
    case 'O':
    case 'C':
    case 'E': return PhpStatus::object;
    case 'r': return PhpStatus::reference;
    case 'R': return reference(out, depth);
    default: return PhpStatus::malformed;
  }
}

PhpStatus read(std::string_view text, PhpValue* out, const PhpLimits& limits, bool follow) {
  Reader reader(text, limits, follow);
  const PhpStatus status = reader.value(out, 0);
  return status == PhpStatus::ok && !reader.at_end() ? PhpStatus::malformed : status;
}

void write_json(PhpWriter& writer, const nlohmann::ordered_json& json, std::uint32_t depth) {
  if (json.is_structured() && depth >= kMaxPhpDepth) throw std::invalid_argument("JSON nested too deep for a PHP value");
  switch (json.type()) {
    case nlohmann::json::value_t::null: return writer.null();
    case nlohmann::json::value_t::boolean: return writer.boolean(json.get<bool>());
    case nlohmann::json::value_t::number_unsigned:
      if (json.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        throw std::invalid_argument("a JSON number is too large for a PHP integer");
      }
      [[fallthrough]];
    case nlohmann::json::value_t::number_integer: return writer.integer(json.get<std::int64_t>());
    case nlohmann::json::value_t::number_float: return writer.real(json.get<double>());
    case nlohmann::json::value_t::string: return writer.string(json.get_ref<const std::string&>());
    case nlohmann::json::value_t::array: {
      std::int64_t index = 0;
      writer.begin_array(json.size());
      for (const auto& element : json) {
        writer.key(index++);
        write_json(writer, element, depth + 1);
      }
      return writer.end_array();
    }
    case nlohmann::json::value_t::object:
      writer.begin_array(json.size());
      for (const auto& [key, element] : json.get_ref<const nlohmann::ordered_json::object_t&>()) {
        writer.key(key);
        write_json(writer, element, depth + 1);
      }
      return writer.end_array();
    case nlohmann::json::value_t::binary:
    case nlohmann::json::value_t::discarded: break;
  }
  throw std::invalid_argument("a JSON value of a kind that PHP does not have");
}

void write_value(PhpWriter& writer, const PhpValue& value) {
  struct Visitor {
    PhpWriter& writer;
    void operator()(std::nullptr_t) const { writer.null(); }
    void operator()(bool truth) const { writer.boolean(truth); }
    void operator()(std::int64_t number) const { writer.integer(number); }
    void operator()(double number) const { writer.real(number); }
    void operator()(const std::string& text) const { writer.string(text); }
    void operator()(const PhpArray& array) const {
      writer.begin_array(array.size());
      for (const auto& [key, element] : array.entries()) {
        if (key.is_number()) {
          writer.key(key.number());
        } else {
          writer.string(key.text());
        }
        write_value(writer, element);
      }
      writer.end_array();
    }
  };
  std::visit(Visitor{writer}, value.get());
}

/// `kind` and `number`, then `end`: in one piece, because a handshake has dozens of them.
template <typename Integer>
void append_head(std::string& out, char kind, Integer number, std::string_view end) {
  char text[32] = {kind, ':'};
  char* at = std::to_chars(text + 2, text + sizeof text - end.size(), number).ptr;
  at = std::copy(end.begin(), end.end(), at);
  out.append(text, static_cast<std::size_t>(at - text));
}

}  // namespace

const char* describe(PhpStatus status) {
  switch (status) {
    case PhpStatus::ok: return "a PHP value";
    case PhpStatus::malformed: return "not a serialized PHP value";
    case PhpStatus::too_deep: return "PHP arrays nested too deep";
    case PhpStatus::too_many: return "too many elements in PHP arrays";
    case PhpStatus::object: return "a serialized PHP object or enum, which is never built";
    case PhpStatus::reference: return "a reference in a serialized PHP value to what holds it, or to an object";
  }
  return "";
}

PhpStatus unserialize(std::string_view text, PhpValue& out, const PhpLimits& limits) {
  PhpValue value;
  PhpStatus status = read(text, &value, limits, false);
  // Rare, so that only then the places of values are kept.
  if (status == PhpStatus::reference) status = read(text, &value, limits, true);
  if (status == PhpStatus::ok) out = std::move(value);
  return status;
}

bool is_serialized_array(std::string_view text, const PhpLimits& limits) {
  if (!text.starts_with("a:")) return false;
  PhpStatus status = read(text, nullptr, limits, false);
  if (status == PhpStatus::reference) status = read(text, nullptr, limits, true);
  return status == PhpStatus::ok;
}

void serialize(const PhpValue& value, std::string& out) {
  PhpWriter writer(out);
  write_value(writer, value);
}

std::string serialize(const PhpValue& value) {
  std::string out;
  serialize(value, out);
  return out;
}

std::string serialize_json(const nlohmann::ordered_json& json) {
  std::string out;
  PhpWriter writer(out);
  write_json(writer, json, 0);
  return out;
}

void PhpWriter::null() { out_ += "N;"; }
void PhpWriter::boolean(bool value) { out_ += value ? "b:1;" : "b:0;"; }

void PhpWriter::integer(std::int64_t value) { append_head(out_, 'i', value, ";"); }

void PhpWriter::real(double value) {
  out_ += "d:";
  append_double(out_, value);
  out_ += ';';
}

void PhpWriter::string(std::string_view value) {
  append_head(out_, 's', value.size(), ":\"");
  out_.append(value);
  out_.append("\";", 2);
}

void PhpWriter::begin_array(std::size_t elements) { append_head(out_, 'a', elements, ":{"); }

void PhpWriter::end_array() { out_ += '}'; }
void PhpWriter::key(std::int64_t number) { integer(number); }
void PhpWriter::key(std::string_view text) { key_as_value(text); }

void PhpWriter::key_as_value(std::string_view text) {
  // Most keys begin with a letter: no PhpKey for those.
  const bool may_be_number = !text.empty() && (text[0] == '-' || is_digit(text[0]));
  const PhpKey key = may_be_number ? PhpKey::from_text(text) : PhpKey(0);
  if (may_be_number && key.is_number()) {
    integer(key.number());
  } else {
    string(text);
  }
}

}  // namespace gatehouse::wire
