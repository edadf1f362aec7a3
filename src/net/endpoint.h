#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/ip_text.h"
#include "base/result.h"

namespace gatehouse::net {

/// An address and port of a peer or of a listener, IPv4 as IPv4-mapped IPv6, so that it is 18 bytes and never allocates.
class Address {
 public:
  Address() = default;
  static Address from_sockaddr(const sockaddr_storage& storage);
  static Address from_ipv4(std::uint32_t host_order, std::uint16_t port);
  static Address from_bytes(const char* sixteen_bytes, std::uint16_t port);
  static Address from_bytes(const IpBytes& bytes, std::uint16_t port);

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] bool is_ipv4() const {
    return load_be64(first_bytes()) == 0 && load_be32(first_bytes() + 8) == 0xffff;  // ::ffff:0:0/96
  }
  [[nodiscard]] bool is_loopback() const;
  /// In host order; 0 for an IPv6 address, which is what upstream's 4-byte field carries for one.
  [[nodiscard]] std::uint32_t ipv4() const { return is_ipv4() ? load_be32(first_bytes() + 12) : 0; }
  [[nodiscard]] const IpBytes& bytes() const { return bytes_; }
  /// "192.168.1.9" or "2001:db8::1", without the port.
  [[nodiscard]] std::string ip() const;
  /// "192.168.1.9:54321" or "[2001:db8::1]:54321".
  [[nodiscard]] std::string to_string() const;

 private:
  [[nodiscard]] const char* first_bytes() const { return reinterpret_cast<const char*>(bytes_.data()); }  // NOLINT: as characters

  IpBytes bytes_{};
  std::uint16_t port_ = 0;
};

/// Where to listen or to dial: an IPv4 or IPv6 address with a port. Made from text once, at start; names are resolved then.
class Endpoint {
 public:
  Endpoint() = default;
  /// "127.0.0.1:1236", "[::1]:80", "localhost:80", "register.internal:1236". Blocks while a name is looked up.
  static Result<Endpoint> resolve(std::string_view text);
  /// The same without the look-up of names: for addresses that a peer sent.
  static Result<Endpoint> parse_numeric(std::string_view text);

  [[nodiscard]] const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&storage_); }  // NOLINT: the C API
  [[nodiscard]] socklen_t length() const { return length_; }
  [[nodiscard]] int family() const { return storage_.ss_family; }
  [[nodiscard]] bool is_loopback() const { return Address::from_sockaddr(storage_).is_loopback(); }
  [[nodiscard]] Address to_address() const { return Address::from_sockaddr(storage_); }
  [[nodiscard]] std::string to_string() const { return to_address().to_string(); }

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

}  // namespace gatehouse::net
