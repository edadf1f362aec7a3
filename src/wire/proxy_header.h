#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/ip_text.h"

namespace gatehouse::wire {

// What a proxy says in front of a connection that it passes on: the PROXY protocol, versions 1 and 2 (doc/proxy-protocol.txt of
// HAProxy). Whoever can send it can claim any address: it is read from trusted proxies only.

/// The longest version 1 has, with its CRLF.
inline constexpr std::size_t kMostProxyLine = 107;
/// Version 2 may have 64 KB by its format; the addresses, and what proxies say about TLS behind them, are some hundred bytes.
inline constexpr std::size_t kMostProxyHeader = 4096;

enum class ProxyStatus : std::uint8_t {
  complete,
  need_more,
  malformed,  // no PROXY header, or not a right one
  too_long,
};

struct ProxyHeader {
  ProxyStatus status = ProxyStatus::need_more;
  std::size_t size = 0;  // of the whole header, when complete
  /// Whether it says who the client is. It does not when the proxy speaks for itself (LOCAL: a health check), does not know
  /// (UNKNOWN), or has a client that is on no IP network: then the connection's own address is all there is.
  bool names_client = false;
  IpBytes address{};
  std::uint16_t port = 0;
  const char* reason = "";  // one phrase for the log when refused
};

/// Reads the header at the start of `bytes`. What cannot become one is refused from its first wrong byte on.
ProxyHeader parse_proxy_header(std::string_view bytes);

}  // namespace gatehouse::wire
