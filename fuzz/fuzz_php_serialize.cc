// What unserialize() accepts, serialize() writes so that it is read as the same value. What it refuses costs nothing but the
// refusal.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/php_serialize.h"

using namespace gatehouse::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  PhpValue value;
  if (unserialize(text, value) != PhpStatus::ok) return 0;
  const std::string written = serialize(value);
  PhpValue again;
  if (unserialize(written, again) != PhpStatus::ok) std::abort();
  // By bytes as well: NAN is not equal to itself.
  if (serialize(again) != written) std::abort();
  if (written.find("NAN") == std::string::npos && !(again == value)) std::abort();

  // A session goes through JSON on its way to a native worker and back. Empty arrays and lists come back as they were.
  if (serialize_json(to_json(value)) != written) std::abort();
  if (serialize(from_json(to_json(value))) != written) std::abort();

  // Merging a value into itself changes nothing.
  if (const PhpArray* const array = value.array(); array != nullptr && serialize(replace_recursive(*array, *array)) != written)
    std::abort();
  return 0;
}
