#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "net/address_range.h"
#include "net/endpoint.h"

namespace gatehouse::net {

/// Ranges of addresses that do not change.
class AddressSet {
 public:
  /// Each of `texts` as AddressRange::parse() takes it. Fails with a sentence that names the one that is no range.
  static Result<AddressSet> parse(const std::vector<std::string>& texts);

  [[nodiscard]] bool contains(const Address& address) const;
  [[nodiscard]] bool empty() const { return ranges_.empty(); }

 private:
  std::vector<AddressRange> ranges_;
};

}  // namespace gatehouse::net
