#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace gatehouse {

/// What this worker knows of one client's session at the gateway. An event carries the session as it was when the gateway sent
/// the event, so an event that was under way while a handler wrote the session carries an old one. Only known once this worker
/// has written it, or fetched it because of that.
class SessionRecord {
 public:
  using Hash = std::uint64_t;

  /// Of a serialized session. One that is empty and one that was never set are the same.
  static Hash hash_of(std::string_view session) {
    if (session == "a:0:{}") session = {};
    return std::hash<std::string_view>{}(session);
  }

  [[nodiscard]] bool is_known() const { return known_; }
  /// True when an event carries another session than is known: either is newer.
  [[nodiscard]] bool differs(std::string_view session) const { return known_ && hash_of(session) != hash_; }

  /// The handler of an event that came with `before` has written `now`.
  void wrote(std::string_view before, std::string_view now) {
    before_ = hash_of(before);
    fetched(now);
    unconfirmed_ = std::make_unique<std::string>(now);
  }
  void fetched(std::string_view session) {
    known_ = true;
    hash_ = hash_of(session);
    unconfirmed_.reset();
  }
  /// An event has come that carries what is known.
  void confirmed() { unconfirmed_.reset(); }

  /// What this worker wrote last, when an event with `session` was under way meanwhile; null when it was not. For on_close, when
  /// nobody can be asked any more.
  [[nodiscard]] const std::string* newer_than(std::string_view session) const {
    return unconfirmed_ && hash_of(session) == before_ ? unconfirmed_.get() : nullptr;
  }

  void forget() {
    known_ = false;
    unconfirmed_.reset();
  }

 private:
  Hash hash_ = 0;
  Hash before_ = 0;
  std::unique_ptr<std::string> unconfirmed_;  // written, and not yet seen in an event
  bool known_ = false;
};

}  // namespace gatehouse
