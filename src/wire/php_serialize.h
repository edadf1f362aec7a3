#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "wire/php_value.h"

namespace gatehouse::wire {

enum class PhpStatus {
  ok,
  malformed,  // not what serialize() writes (S: included), or cut short, or followed by more
  too_deep,   // nested deeper than the limit
  too_many,   // more elements than the limit
  object,     // O:, C: or E: an object or a case of an enum, never built
  reference,  // R: to an array that holds it, or r:, to an object
};
const char* describe(PhpStatus status);

struct PhpLimits {
  std::uint32_t depth = kMaxPhpDepth;  // PHP's own unserialize_max_depth is 4096; recursion here is bounded well below the stack
  std::uint32_t elements = 1'000'000;  // array elements in all; memory is only ever taken for elements that are there
  std::size_t copied_bytes = 32 * 1024 * 1024;  // of what references (R:) name, 16 for each value and those of its strings
};

/// PHP's unserialize() for values without objects. A reference, which PHP writes for a variable that two places of an array
/// share, is read as a copy of what it names; it counts against the limits each time. With what PHP takes beyond its own output:
/// "i:+5;", "i:007;", integers too large for 64 bits (saturated). `out` is set only for PhpStatus::ok. The whole of `text` must
/// be one value.
PhpStatus unserialize(std::string_view text, PhpValue& out, const PhpLimits& limits = {});

/// Whether `text` is one array that unserialize() would read, without reading it: a fraction of the time, and no memory (but for
/// the places of values, when there are references).
bool is_serialized_array(std::string_view text, const PhpLimits& limits = {});

/// PHP's serialize(), byte for byte, with its default serialize_precision of -1.
void serialize(const PhpValue& value, std::string& out);
std::string serialize(const PhpValue& value);

/// The same for a JSON value of a user, without a PhpValue between: serialize(from_json(json)), and the same exceptions.
std::string serialize_json(const nlohmann::ordered_json& json);

/// Writes a serialized value piece by piece, for answers that are made straight from tables.
///   PhpWriter w(out); w.begin_array(2); w.key("a"); w.integer(1); w.key(7); w.null(); w.end_array();
class PhpWriter {
 public:
  explicit PhpWriter(std::string& out) : out_(out) {}
  void null();
  void boolean(bool value);
  void integer(std::int64_t value);
  void real(double value);
  void string(std::string_view value);
  void begin_array(std::size_t elements);
  void end_array();
  void key(std::int64_t number);
  /// Becomes an integer key when it looks like one.
  void key(std::string_view text);
  /// A value that is an integer when it looks like one, a string otherwise (array_keys() of a table with such keys).
  void key_as_value(std::string_view text);

 private:
  std::string& out_;
};

}  // namespace gatehouse::wire
