#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ip_text.h"
#include "base/result.h"
#include "net/endpoint.h"

namespace gatehouse::net {

/// One address, or all that begin alike, such as 10.0.0.0/8 and 2001:db8::/32. An IPv4 address is the same as its IPv4-mapped
/// IPv6 one.
struct AddressRange {
  IpBytes first{};
  std::uint32_t bits = 128;  // of it, those in front that all addresses of the range have; of IPv4 96 more than are written

  /// An address, or one with a prefix behind a slash. Fails with a sentence that names what is wrong with `text`.
  static Result<AddressRange> parse(std::string_view text);

  [[nodiscard]] bool contains(const Address& address) const;
  /// "10.0.0.0/8"; a single address without its prefix.
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const AddressRange&, const AddressRange&) = default;
};

/// `address` with all bits behind the first `bits` cleared.
IpBytes prefix_of(const IpBytes& address, std::uint32_t bits);

}  // namespace gatehouse::net
