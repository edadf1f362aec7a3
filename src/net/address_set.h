#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_text.h"
#include "base/result.h"
#include "net/endpoint.h"

namespace gatehouse::net {

/// Ranges of addresses, such as 10.0.0.0/8 and 2001:db8::/32. An IPv4 address is the same as its IPv4-mapped IPv6 one.
class AddressSet {
 public:
  /// Each of `texts` an address, or one with a prefix behind a slash. Fails with a sentence that names the one that is neither.
  static Result<AddressSet> parse(const std::vector<std::string>& texts);

  [[nodiscard]] bool contains(const Address& address) const;
  [[nodiscard]] bool empty() const { return ranges_.empty(); }

 private:
  struct Range {
    IpBytes first{};
    std::uint32_t bits = 128;  // of them, those in front that all addresses of the range have
  };
  static Result<Range> parse_range(std::string_view text);

  std::vector<Range> ranges_;
};

/// `address` with all bits behind the first `bits` cleared.
IpBytes prefix_of(const IpBytes& address, std::uint32_t bits);

}  // namespace gatehouse::net
