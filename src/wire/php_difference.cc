#include "wire/php_difference.h"

#include <utility>

namespace gatehouse::wire {

PhpDifference difference(const PhpArray& before, const PhpArray& after) {
  PhpDifference out;
  for (const auto& [key, value] : after.entries()) {
    const PhpValue* const old = before.find(key);
    if (old == nullptr) {
      out.update.set(key, value);
    } else if (old->array() != nullptr && value.array() != nullptr) {
      PhpDifference inner = difference(*old->array(), *value.array());
      if (inner.removed.size() > 0) out.removed.set(key, std::move(inner.removed));
      if (inner.update.size() > 0) out.update.set(key, std::move(inner.update));
    } else if (!(*old == value)) {
      out.update.set(key, value);
    }
  }
  for (const auto& [key, value] : before.entries()) {
    if (after.find(key) == nullptr) out.removed.set(key, true);
  }
  return out;
}

PhpArray remove_recursive(const PhpArray& base, const PhpArray& removed) {
  if (removed.size() == 0) return base;
  PhpArray out;
  for (const auto& [key, value] : base.entries()) {
    const PhpValue* const gone = removed.find(key);
    if (gone == nullptr) {
      out.set(key, value);
    } else if (gone->array() != nullptr) {
      out.set(key, value.array() == nullptr ? value : PhpValue(remove_recursive(*value.array(), *gone->array())));
    }
  }
  return out;
}

}  // namespace gatehouse::wire
