#include "gateway/deny_list.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string_view>

namespace gatehouse::gateway {

std::size_t DenyList::Hash::operator()(const IpBytes& key) const {
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(key.data()), key.size()});  // NOLINT: bytes as characters
}

void DenyList::add(const net::AddressRange& range, std::uint64_t until_ms) { by_bits_[range.bits][range.first] = until_ms; }

bool DenyList::remove(const net::AddressRange& range) {
  const auto found = by_bits_.find(range.bits);
  if (found == by_bits_.end() || found->second.erase(range.first) == 0) return false;
  if (found->second.empty()) by_bits_.erase(found);
  return true;
}

bool DenyList::contains(const net::Address& address, std::uint64_t now_ms) const {
  return std::any_of(by_bits_.begin(), by_bits_.end(), [&](const auto& entry) {
    const auto found = entry.second.find(net::prefix_of(address.bytes(), entry.first));
    return found != entry.second.end() && now_ms < found->second;
  });
}

void DenyList::forget_expired(std::uint64_t now_ms) {
  for (auto it = by_bits_.begin(); it != by_bits_.end();) {
    std::erase_if(it->second, [now_ms](const auto& entry) { return entry.second <= now_ms; });
    it = it->second.empty() ? by_bits_.erase(it) : std::next(it);
  }
}

std::size_t DenyList::size() const {
  std::size_t size = 0;
  for (const auto& [bits, ranges] : by_bits_) size += ranges.size();
  return size;
}

}  // namespace gatehouse::gateway
