#include "wire/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/bytes.h"

namespace gatehouse::wire {
namespace {

constexpr std::string_view kLineStart = "PROXY ";
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kFixedSize = 16;  // of version 2: signature, version and command, family, length
constexpr std::size_t kAddresses4 = 12;
constexpr std::size_t kAddresses6 = 36;
constexpr std::size_t kAddressesUnix = 216;

ProxyHeader refused(ProxyStatus status, const char* reason) { return {.status = status, .reason = reason}; }

/// What both have of the shorter one's length.
bool begins_alike(std::string_view bytes, std::string_view start) {
  return bytes.substr(0, start.size()) == start.substr(0, bytes.size());
}

std::string_view next_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && (text.size() == 1 || text[0] != '0') ? std::optional(port) : std::nullopt;
}

/// "TCP4 192.0.2.1 198.51.100.1 56324 443", of which the second halves are the proxy's own side.
ProxyHeader parse_line(std::string_view line) {
  ProxyHeader header;
  const std::string_view family = next_word(line);
  if (family == "UNKNOWN") {
    header.status = ProxyStatus::complete;  // whatever follows
    return header;
  }
  if (family != "TCP4" && family != "TCP6") return refused(ProxyStatus::malformed, "PROXY line of an unknown family");
  // One blank between two of them, and none at the end.
  const bool blank_at_end = line.ends_with(' ');
  std::array<std::optional<IpBytes>, 2> addresses;
  for (auto& address : addresses) {
    const std::string_view text = next_word(line);
    const bool is_of_family = (text.find(':') == std::string_view::npos) == (family == "TCP4");
    if (is_of_family) address = parse_ip(text);
  }
  const auto port = parse_port(next_word(line));
  const auto other_port = parse_port(next_word(line));
  if (!addresses[0] || !addresses[1] || !port || !other_port || !line.empty() || blank_at_end)
    return refused(ProxyStatus::malformed, "PROXY line with something else than two addresses and two ports");
  header.status = ProxyStatus::complete;
  header.names_client = true;
  header.address = *addresses[0];
  header.port = *port;
  return header;
}

ProxyHeader parse_version_1(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, kMostProxyLine);
  const std::size_t end = line.find('\n');
  if (end == std::string_view::npos) {
    if (line.size() == kMostProxyLine) return refused(ProxyStatus::too_long, "PROXY line of more than 107 bytes");
    return {};
  }
  if (line[end - 1] != '\r') return refused(ProxyStatus::malformed, "PROXY line without a CR at its end");
  ProxyHeader header = parse_line(line.substr(kLineStart.size(), end - 1 - kLineStart.size()));
  if (header.status == ProxyStatus::complete) header.size = end + 1;
  return header;
}

/// Behind the fixed part: source address, destination address, source port, destination port. What proxies add behind it (TLVs)
/// is passed over.
ProxyHeader parse_addresses(std::uint8_t family, std::string_view bytes) {
  ProxyHeader header;
  header.status = ProxyStatus::complete;
  const auto too_short = [] { return refused(ProxyStatus::malformed, "PROXY header too short for its addresses"); };
  switch (family >> 4U) {
    case 0: return header;  // UNSPEC
    case 1:
      if (bytes.size() < kAddresses4) return too_short();
      header.address[10] = header.address[11] = 0xff;
      std::copy_n(bytes.begin(), 4, header.address.begin() + 12);
      header.port = load_be16(bytes.data() + 8);
      break;
    case 2:
      if (bytes.size() < kAddresses6) return too_short();
      std::copy_n(bytes.begin(), 16, header.address.begin());
      header.port = load_be16(bytes.data() + 32);
      break;
    default:  // a unix socket
      if (bytes.size() < kAddressesUnix) return too_short();
      return header;
  }
  header.names_client = true;
  return header;
}

ProxyHeader parse_version_2(std::string_view bytes) {
  if (bytes.size() <= 12) return {};
  const auto command = static_cast<std::uint8_t>(bytes[12]);
  if (command != 0x20 && command != 0x21) return refused(ProxyStatus::malformed, "PROXY header of an unknown version or command");
  if (bytes.size() <= 13) return {};
  const auto family = static_cast<std::uint8_t>(bytes[13]);
  // Addresses: none, IPv4, IPv6, unix; and how they are used: unspecified, stream, datagram.
  if (family >> 4U > 3 || (family & 0x0fU) > 2) return refused(ProxyStatus::malformed, "PROXY header of an unknown family");
  if (bytes.size() < kFixedSize) return {};
  const std::size_t size = kFixedSize + load_be16(bytes.data() + 14);
  if (size > kMostProxyHeader) return refused(ProxyStatus::too_long, "PROXY header of more than 4096 bytes");
  if (bytes.size() < size) return {};
  ProxyHeader header;
  header.status = ProxyStatus::complete;
  // LOCAL: whatever the family says, the connection is the proxy's own.
  if (command == 0x21) header = parse_addresses(family, bytes.substr(kFixedSize, size - kFixedSize));
  if (header.status == ProxyStatus::complete) header.size = size;
  return header;
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (bytes.front() == kLineStart.front() && begins_alike(bytes, kLineStart))
    return bytes.size() < kLineStart.size() ? ProxyHeader{} : parse_version_1(bytes);
  if (begins_alike(bytes, kSignature)) return parse_version_2(bytes);
  return refused(ProxyStatus::malformed, "no PROXY header");
}

}  // namespace gatehouse::wire
