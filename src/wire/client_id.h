#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::wire {

/// Where a client is: its gateway's LAN address and inner port, and its connection there.
struct ClientId {
  std::uint32_t local_ip = 0;
  std::uint16_t local_port = 0;
  std::uint32_t connection_id = 0;
  friend bool operator==(const ClientId&, const ClientId&) = default;
};

/// 20 lower-case hexadecimal digits.
std::string format_client_id(const ClientId& id);
/// Takes upper case as well; anything but exactly 20 hexadecimal digits is nothing.
std::optional<ClientId> parse_client_id(std::string_view text);

}  // namespace gatehouse::wire
