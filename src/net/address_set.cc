#include "net/address_set.h"

#include <algorithm>

namespace gatehouse::net {

Result<AddressSet> AddressSet::parse(const std::vector<std::string>& texts) {
  AddressSet set;
  for (const std::string& text : texts) {
    const Result<AddressRange> range = AddressRange::parse(text);
    if (!range) return tl::unexpected(range.error());
    set.ranges_.push_back(*range);
  }
  return set;
}

bool AddressSet::contains(const Address& address) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const AddressRange& range) { return range.contains(address); });
}

}  // namespace gatehouse::net
