#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "net/endpoint.h"
#include "wire/client_id.h"

namespace gatehouse::link {

/// Names a gateway process: its LAN address and inner port, which are part of its clients' ids.
struct GatewayKey {
  std::uint32_t ip = 0;
  std::uint16_t port = 0;
  friend bool operator==(const GatewayKey&, const GatewayKey&) = default;

  static GatewayKey of(const wire::ClientId& client) { return {client.local_ip, client.local_port}; }
  /// "127.0.0.1:2300", as the register lists it.
  [[nodiscard]] std::string address() const { return net::Address::from_ipv4(ip, port).to_string(); }
};

}  // namespace gatehouse::link

template <>
struct std::hash<gatehouse::link::GatewayKey> {
  std::size_t operator()(const gatehouse::link::GatewayKey& key) const noexcept {
    // Neighbouring ports of one machine are the usual case; the multiplication (Knuth's) spreads them.
    return ((std::size_t{key.ip} << 16) | key.port) * 0x9e3779b97f4a7c15ULL;
  }
};
