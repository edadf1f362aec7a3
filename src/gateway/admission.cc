#include "gateway/admission.h"

#include <malloc.h>

#include <algorithm>
#include <string_view>

namespace gatehouse::gateway {

std::size_t heap_in_use() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

std::size_t Admission::Hash::operator()(const IpBytes& key) const {
  // libstdc++ seeds it the same in every process: whoever can choose addresses freely cannot connect from them.
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(key.data()), key.size()});  // NOLINT: bytes as characters
}

IpBytes Admission::key_of(const net::Address& address) const {
  return address.is_ipv4() ? address.bytes() : net::prefix_of(address.bytes(), settings_.ipv6_prefix_bits);
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
  if (is_short_of_memory()) return Limit::memory;
  if (settings_.connections != 0 && size_ >= settings_.connections) return Limit::connections;
  if (!enter_address(address)) return Limit::connections_per_address;
  if (settings_.new_per_s != 0 && !take_token(now_ms)) {
    leave_address(address);
    return Limit::new_connections;
  }
  ++size_;
  ++entered_since_;
  return std::nullopt;
}

bool Admission::is_short_of_memory() {
  if (settings_.memory_bytes == 0) return false;
  if (!is_measured_) measure();
  const std::size_t promised = settings_.memory_promised ? settings_.memory_promised() : 0;
  return in_use_ + entered_since_ * kNewClientBytes + promised > settings_.memory_bytes;
}

std::optional<Limit> Admission::move(const net::Address& old, const net::Address& address) {
  leave_address(old);
  if (enter_address(address)) return std::nullopt;
  --size_;
  return Limit::connections_per_address;
}

void Admission::leave(const net::Address& address) {
  --size_;
  leave_address(address);
}

bool Admission::enter_address(const net::Address& address) {
  if (!counts(address)) return true;
  std::uint32_t& here = by_address_[key_of(address)];  // none is left at 0, for the limit is 1 or more
  if (here >= settings_.per_address) return false;
  ++here;
  return true;
}

void Admission::leave_address(const net::Address& address) {
  if (!counts(address)) return;
  const auto found = by_address_.find(key_of(address));
  if (found != by_address_.end() && --found->second == 0) by_address_.erase(found);
}

void Admission::change(Settings settings, const std::vector<net::Address>& admitted) {
  settings_ = std::move(settings);
  by_address_.clear();
  for (const net::Address& address : admitted) {
    // Those over a limit that is lower now stay.
    if (counts(address)) ++by_address_[key_of(address)];
  }
  measure();
}

void Admission::measure() {
  if (settings_.memory_bytes == 0) return;
  in_use_ = settings_.memory_in_use();
  entered_since_ = 0;
  is_measured_ = true;
}

}  // namespace gatehouse::gateway
