#include "base/ip_text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace gatehouse {

std::optional<IpBytes> parse_ip(std::string_view text) {
  // What is longer is no address, and inet_pton() would read up to a NUL and take what stands in front of it.
  char copy[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof copy || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::copy(text.begin(), text.end(), copy);
  IpBytes bytes{};
  if (text.find(':') != std::string_view::npos) {
    if (inet_pton(AF_INET6, copy, bytes.data()) != 1) return std::nullopt;
    return bytes;
  }
  bytes[10] = bytes[11] = 0xff;
  if (inet_pton(AF_INET, copy, bytes.data() + 12) != 1) return std::nullopt;
  return bytes;
}

}  // namespace gatehouse
