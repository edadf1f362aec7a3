#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"

namespace gatehouse {

/// The secret that peers have to show: one, and for a time after it has been changed also the one before, so that the roles of a
/// cluster can be changed one after the other.
class SecretKeys {
 public:
  explicit SecretKeys(std::string key) : key_(std::move(key)) {}

  /// `old` is accepted until `old_until_ms`, in the time of the loop; 0: it is not.
  void change(std::string key, std::string old, std::uint64_t old_until_ms) {
    key_ = std::move(key);
    old_ = std::move(old);
    old_until_ms_ = old_until_ms;
  }
  /// Takes as long for a wrong secret as for a right one.
  [[nodiscard]] bool accepts(std::string_view shown, std::uint64_t now_ms) const {
    const bool is_new = equal_constant_time(shown, key_);
    const bool is_old = equal_constant_time(shown, old_);
    return is_new || (is_old && now_ms < old_until_ms_);
  }
  /// Whether nobody has to show one.
  [[nodiscard]] bool is_open(std::uint64_t now_ms) const { return key_.empty() || (old_.empty() && now_ms < old_until_ms_); }
  [[nodiscard]] const std::string& key() const { return key_; }

 private:
  std::string key_;
  std::string old_;
  std::uint64_t old_until_ms_ = 0;
};

}  // namespace gatehouse
