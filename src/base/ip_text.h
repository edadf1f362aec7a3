#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gatehouse {

/// An IP address; IPv4 as IPv4-mapped IPv6 (::ffff:1.2.3.4).
using IpBytes = std::array<std::uint8_t, 16>;

/// The address that `text` is, whole: four decimal numbers without leading zeros, or any form of RFC 4291, 2.2, without a zone.
/// "::ffff:1.2.3.4" is the same as "1.2.3.4".
std::optional<IpBytes> parse_ip(std::string_view text);

}  // namespace gatehouse
