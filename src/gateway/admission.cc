#include "gateway/admission.h"

#include <malloc.h>

#include <algorithm>
#include <string_view>

namespace gatehouse::gateway {

std::size_t heap_in_use() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

std::size_t Admission::Hash::operator()(const Key& key) const {
  // libstdc++ seeds it the same in every process: whoever can choose addresses freely cannot connect from them.
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(key.data()), key.size()});  // NOLINT: bytes as characters
}

Admission::Key Admission::key_of(const net::Address& address) const {
  Key key = address.bytes();
  if (address.is_ipv4()) return key;
  for (std::uint32_t bit = settings_.ipv6_prefix_bits; bit < 128; ++bit) {
    key[bit / 8] = static_cast<std::uint8_t>(key[bit / 8] & ~(0x80U >> (bit % 8)));
  }
  return key;
}

/// A bucket of one second's connections, filled evenly.
bool Admission::take_token(std::uint64_t now_ms) {
  const std::uint64_t most = std::uint64_t{settings_.new_per_s} * 1000;
  if (!std::exchange(tokens_begun_, true)) {
    tokens_milli_ = most;
  } else {
    const std::uint64_t passed_ms = std::min<std::uint64_t>(now_ms - tokens_at_ms_, 1000);
    tokens_milli_ = std::min(most, tokens_milli_ + passed_ms * settings_.new_per_s);
  }
  tokens_at_ms_ = now_ms;
  if (tokens_milli_ < 1000) return false;
  tokens_milli_ -= 1000;
  return true;
}

std::optional<Limit> Admission::enter(const net::Address& address, std::uint64_t now_ms) {
  if (short_of_memory_) return Limit::memory;
  if (settings_.connections != 0 && size_ >= settings_.connections) return Limit::connections;
  std::uint32_t* here = nullptr;
  if (settings_.per_address != 0) {
    const auto found = by_address_.find(key_of(address));
    if (found != by_address_.end()) here = &found->second;
    if (here != nullptr && *here >= settings_.per_address) return Limit::connections_per_address;
  }
  if (settings_.new_per_s != 0 && !take_token(now_ms)) return Limit::new_connections;
  ++size_;
  if (here != nullptr) {
    ++*here;
  } else if (settings_.per_address != 0) {
    by_address_.emplace(key_of(address), 1);
  }
  return std::nullopt;
}

void Admission::leave(const net::Address& address) {
  --size_;
  const auto found = settings_.per_address == 0 ? by_address_.end() : by_address_.find(key_of(address));
  if (found != by_address_.end() && --found->second == 0) by_address_.erase(found);
}

void Admission::measure() {
  if (settings_.memory_bytes == 0) return;
  short_of_memory_ = settings_.memory_in_use() > settings_.memory_bytes;
}

}  // namespace gatehouse::gateway
