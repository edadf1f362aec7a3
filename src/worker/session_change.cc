#include "worker/session_change.h"

#include <utility>

#include "wire/php_difference.h"
#include "wire/php_serialize.h"

namespace gatehouse {
namespace {

/// False when `session` is no array that could be read.
bool read(std::string_view session, wire::PhpArray& out) {
  if (session.empty()) return true;
  wire::PhpValue value;
  if (wire::unserialize(session, value) != wire::PhpStatus::ok || value.array() == nullptr) return false;
  out = std::move(*value.array());
  return true;
}

}  // namespace

SessionChange session_change(std::string_view before, std::string_view now, bool native) {
  SessionChange whole{wire::Command::set_session, std::string(now)};
  if (now.empty()) return whole;  // to clear it is to clear it of everything
  wire::PhpArray old;
  wire::PhpArray left;
  if (!read(before, old) || !read(now, left)) return whole;
  wire::PhpDifference change = wire::difference(old, left);
  const bool removes = change.removed.size() > 0;
  if (removes && !native) return whole;
  // A key that was taken away and set again, or another order of the same keys, is not what a difference says.
  if (wire::serialize(wire::replace_recursive(wire::remove_recursive(old, change.removed), change.update)) != now) return whole;
  if (!removes) return {wire::Command::update_session, wire::serialize(std::move(change.update))};
  wire::PhpArray both;
  both.push_back(std::move(change.removed));
  both.push_back(std::move(change.update));
  return {wire::Command::merge_session, wire::serialize(std::move(both))};
}

}  // namespace gatehouse
