#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <unordered_map>

#include "net/address_range.h"

namespace gatehouse::gateway {

/// The addresses that an operator has denied (`gatehouse deny`), each until some time. A look-up costs as much as there are
/// different lengths of prefixes, however many ranges have them.
class DenyList {
 public:
  static constexpr std::uint64_t kForEver = std::numeric_limits<std::uint64_t>::max();

  /// Denies `range` until the loop's time `until_ms`; one that is there gets the new time.
  void add(const net::AddressRange& range, std::uint64_t until_ms);
  /// False when exactly this range is not there.
  bool remove(const net::AddressRange& range);
  [[nodiscard]] bool contains(const net::Address& address, std::uint64_t now_ms) const;
  /// Those whose time is over. Called about once a second.
  void forget_expired(std::uint64_t now_ms);

  [[nodiscard]] bool empty() const { return by_bits_.empty(); }
  [[nodiscard]] std::size_t size() const;

 private:
  struct Hash {
    std::size_t operator()(const IpBytes& key) const;
  };
  using Until = std::unordered_map<IpBytes, std::uint64_t, Hash>;

  std::map<std::uint32_t, Until> by_bits_;  // of the prefix; none of them empty
};

}  // namespace gatehouse::gateway
