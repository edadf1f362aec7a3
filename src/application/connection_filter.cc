#include "application/connection_filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "net/endpoint.h"
#include "wire/client_id.h"

namespace gatehouse {
namespace {

/// Empty when it is none.
std::string tidy_address(const std::string& text) {
  const bool is_ipv6_alone = std::count(text.begin(), text.end(), ':') > 1 && !text.starts_with('[');
  const bool is_alone = is_ipv6_alone || text.find(':') == std::string::npos;
  const auto endpoint = net::Endpoint::parse_numeric(is_ipv6_alone ? "[" + text + "]:1" : is_alone ? text + ":1" : text);
  if (!endpoint) return "";
  return is_alone ? endpoint->to_address().ip() : endpoint->to_string();
}

}  // namespace

Result<ConnectionFilter> tidy_filter(ConnectionFilter filter) {
  if (!filter.client_id.empty()) {
    const auto id = wire::parse_client_id(filter.client_id);
    if (!id)
      return failure(fmt::format("--client: a client id has 20 hexadecimal digits, unlike \"{}\"", printable(filter.client_id)));
    filter.client_id = wire::format_client_id(*id);
  }
  if (!filter.address.empty()) {
    std::string address = tidy_address(filter.address);
    if (address.empty())
      return failure(fmt::format("--address: an IP or IP:PORT is wanted, as in 192.0.2.7 or [::1]:80, not \"{}\"",
                                 printable(filter.address)));
    filter.address = std::move(address);
  }
  return filter;
}

}  // namespace gatehouse
