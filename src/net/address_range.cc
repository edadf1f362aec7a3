#include "net/address_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace gatehouse::net {

IpBytes prefix_of(const IpBytes& address, std::uint32_t bits) {
  IpBytes out = address;
  for (std::uint32_t i = 0; i < 16; ++i) {
    const std::uint32_t kept = std::clamp(bits, i * 8, i * 8 + 8) - i * 8;
    out[i] = static_cast<std::uint8_t>(out[i] & (0xff00U >> kept));
  }
  return out;
}

Result<AddressRange> AddressRange::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view ip = text.substr(0, slash);
  const auto bytes = parse_ip(ip);
  if (!bytes) {
    return failure(
        fmt::format("\"{}\" is neither an IP address nor a range of them; such as 10.0.0.0/8, 192.168.1.9 or "
                    "2001:db8::/32",
                    text));
  }
  AddressRange range{*bytes, 128};
  if (slash == std::string_view::npos) return range;
  const std::string_view prefix = text.substr(slash + 1);
  const std::uint32_t most = ip.find(':') == std::string_view::npos ? 32 : 128;
  std::uint32_t bits = 0;
  const auto [end, error] = std::from_chars(prefix.data(), prefix.data() + prefix.size(), bits);
  if (error != std::errc() || end != prefix.data() + prefix.size() || bits > most)
    return failure(fmt::format("\"{}\": what stands behind the slash is a number of bits, from 0 to {}", text, most));
  range.bits = 128 - most + bits;
  if (const IpBytes first = prefix_of(*bytes, range.bits); first != *bytes) {
    return failure(fmt::format("\"{}\" has bits behind its prefix, so it may be a slip; the range is {}/{}, the address {}", text,
                               Address::from_bytes(first, 0).ip(), bits, ip));
  }
  return range;
}

bool AddressRange::contains(const Address& address) const { return prefix_of(address.bytes(), bits) == first; }

std::string AddressRange::to_string() const {
  const Address address = Address::from_bytes(first, 0);
  if (bits == 128) return address.ip();
  // Some of ::ffff:0:0/96 is IPv4; a shorter prefix has more in it than that.
  if (address.is_ipv4() && bits >= 96) return fmt::format("{}/{}", address.ip(), bits - 96);
  return fmt::format("{}/{}", address.ip(), bits);
}

}  // namespace gatehouse::net
