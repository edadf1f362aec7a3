#include "net/endpoint.h"

#include <arpa/inet.h>
#include <fmt/compile.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/bytes.h"

namespace gatehouse::net {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct HostPort {
  std::string host;
  std::string port;
};

Result<HostPort> split(std::string_view text) {
  const auto bad = [&](const char* why) {
    return failure(fmt::format("'{}' is not an address: {}; write HOST:PORT, such as 127.0.0.1:1236 or [::1]:1236", text, why));
  };
  HostPort out;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("the port is missing");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return bad("only an IPv6 address stands in brackets");
  } else if (host.find(':') != std::string_view::npos) {
    return bad("an IPv6 address stands in brackets");
  }
  if (host.empty()) return bad("the host is missing");
  // getaddrinfo() reads up to a NUL and would take what stands in front of it.
  if (host.find('\0') != std::string_view::npos) return bad("a NUL stands in it");
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number > 65535)
    return bad("the port is a number from 0 to 65535");
  out.host = host;
  out.port = port;
  return out;
}

Result<addrinfo*> look_up(std::string_view text, int flags) {
  auto parts = split(text);
  if (!parts) return tl::unexpected(parts.error());
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int status = getaddrinfo(parts->host.c_str(), parts->port.c_str(), &hints, &found);
  if (status != 0) return failure(fmt::format("cannot look up '{}': {}", text, gai_strerror(status)));
  return found;
}

}  // namespace

Address Address::from_sockaddr(const sockaddr_storage& storage) {
  Address address;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 in6{};
    std::memcpy(&in6, &storage, sizeof in6);
    std::memcpy(address.bytes_.data(), &in6.sin6_addr, 16);
    address.port_ = ntohs(in6.sin6_port);
  } else if (storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &storage, sizeof in);
    return from_ipv4(ntohl(in.sin_addr.s_addr), ntohs(in.sin_port));
  }
  return address;
}

Address Address::from_ipv4(std::uint32_t host_order, std::uint16_t port) {
  Address address;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes_.begin());
  char quad[4];
  store_be32(quad, host_order);
  std::memcpy(address.bytes_.data() + 12, quad, 4);
  address.port_ = port;
  return address;
}

Address Address::from_bytes(const char* sixteen_bytes, std::uint16_t port) {
  Address address;
  std::memcpy(address.bytes_.data(), sixteen_bytes, 16);
  address.port_ = port;
  return address;
}

Address Address::from_bytes(const IpBytes& bytes, std::uint16_t port) {
  Address address;
  address.bytes_ = bytes;
  address.port_ = port;
  return address;
}

bool Address::is_loopback() const {
  if (is_ipv4()) return bytes_[12] == 127;
  return std::all_of(bytes_.begin(), bytes_.begin() + 15, [](std::uint8_t b) { return b == 0; }) && bytes_[15] == 1;
}

std::string Address::ip() const {
  if (is_ipv4()) return fmt::format(FMT_COMPILE("{}.{}.{}.{}"), bytes_[12], bytes_[13], bytes_[14], bytes_[15]);
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

std::string Address::to_string() const {
  return is_ipv4() ? fmt::format("{}:{}", ip(), port_) : fmt::format("[{}]:{}", ip(), port_);
}

Result<Endpoint> Endpoint::resolve(std::string_view text) {
  auto found = look_up(text, AI_ADDRCONFIG);
  // AI_ADDRCONFIG leaves out loopback-only families; a machine without a network still has a loopback.
  if (!found) found = look_up(text, 0);
  if (!found) return tl::unexpected(found.error());
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(*found, &freeaddrinfo);
  // IPv4 first where a name has both: client ids carry IPv4 addresses, and so do upstream's roles.
  const addrinfo* chosen = owner.get();
  for (const addrinfo* each = owner.get(); each != nullptr; each = each->ai_next) {
    if (each->ai_family == AF_INET) {
      chosen = each;
      break;
    }
  }
  Endpoint endpoint;
  std::memcpy(&endpoint.storage_, chosen->ai_addr, chosen->ai_addrlen);
  endpoint.length_ = chosen->ai_addrlen;
  return endpoint;
}

Result<Endpoint> Endpoint::parse_numeric(std::string_view text) {
  auto found = look_up(text, AI_NUMERICHOST);
  if (!found) return tl::unexpected(found.error());
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(*found, &freeaddrinfo);
  Endpoint endpoint;
  std::memcpy(&endpoint.storage_, owner->ai_addr, owner->ai_addrlen);
  endpoint.length_ = owner->ai_addrlen;
  // "127.1", "0x7f000001" and "1" are IPv4 addresses to getaddrinfo(); a peer that means well writes four decimal numbers.
  if (endpoint.family() == AF_INET && endpoint.to_address().ip() != text.substr(0, text.rfind(':'))) {
    return failure(fmt::format("'{}' is not a plain IPv4 address", text));
  }
  return endpoint;
}

}  // namespace gatehouse::net
