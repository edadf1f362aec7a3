#include "gateway/proxies.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/ip_text.h"
#include "wire/ascii.h"

namespace gatehouse::gateway {
namespace {

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(port) : std::nullopt;
}

/// "192.0.2.1", "2001:db8::1", and what some proxies write: "192.0.2.1:56324", "[2001:db8::1]", "[2001:db8::1]:56324". The port
/// is 0 where there is none.
std::optional<net::Address> parse_address(std::string_view text) {
  text = trim(text);
  if (const auto whole = parse_ip(text)) return net::Address::from_bytes(*whole, 0);
  const bool in_brackets = text.starts_with('[');
  const std::size_t end = text.find(in_brackets ? ']' : ':');
  if (end == std::string_view::npos) return std::nullopt;
  const auto bytes = parse_ip(in_brackets ? text.substr(1, end - 1) : text.substr(0, end));
  std::string_view behind = text.substr(in_brackets ? end + 1 : end);
  if (!bytes) return std::nullopt;
  if (behind.empty()) return net::Address::from_bytes(*bytes, 0);
  if (behind.front() != ':') return std::nullopt;
  const auto port = parse_port(behind.substr(1));
  return port ? std::optional(net::Address::from_bytes(*bytes, *port)) : std::nullopt;
}

/// The last element of a list, which is taken off.
std::string_view take_last(std::string_view& list) {
  const std::size_t comma = list.rfind(',');
  const std::string_view last = comma == std::string_view::npos ? list : list.substr(comma + 1);
  list = comma == std::string_view::npos ? std::string_view() : list.substr(0, comma);
  return last;
}

}  // namespace

net::Address Proxies::client_of(const wire::HttpHead& head, const net::Address& peer) const {
  if (settings_.header == RealIpHeader::x_real_ip) {
    std::size_t count = 0;
    const std::string_view value = head.field("X-Real-IP", &count);
    // A proxy that sets the field leaves no other there.
    const auto address = count == 1 ? parse_address(value) : std::nullopt;
    return address.value_or(peer);
  }
  // Each proxy adds whom it heard it from at the end: what stands in front of an address that is not trusted, or is none, may be
  // the client's invention.
  net::Address client = peer;
  for (auto field = head.fields.rbegin(); field != head.fields.rend(); ++field) {
    if (!wire::equal_ignoring_case(field->first, "X-Forwarded-For")) continue;
    std::string_view list = field->second;
    while (!list.empty()) {
      const auto address = parse_address(take_last(list));
      if (!address) return client;
      client = *address;
      if (!settings_.trusted.contains(client)) return client;
    }
  }
  return client;
}

}  // namespace gatehouse::gateway
