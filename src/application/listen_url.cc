#include "application/listen_url.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

namespace gatehouse {

Result<ListenUrl> ListenUrl::parse(std::string_view text) {
  const std::size_t separator = text.find("://");
  if (separator == std::string_view::npos || separator == 0) {
    return failure(fmt::format(
        "\"{}\" is not of the form SCHEME://IP:PORT, such as websocket://0.0.0.0:8282 or text://127.0.0.1:1236", text));
  }
  const std::string_view address = text.substr(separator + 3);
  const Result<int> port = parse_host_and_port(address);
  if (!port) return failure(fmt::format("\"{}\": {}", text, port.error().message));
  const Result<net::Endpoint> endpoint = net::Endpoint::resolve(address);
  if (!endpoint) return failure(fmt::format("\"{}\": {}", text, endpoint.error().message));
  // RFC 3986, 3.1: schemes are written without regard to case.
  std::string scheme(text.substr(0, separator));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ListenUrl{.scheme = std::move(scheme), .endpoint = *endpoint};
}

Result<int> parse_host_and_port(std::string_view text) {
  if (const std::size_t separator = text.find("://"); separator != std::string_view::npos) {
    return failure(fmt::format("\"{}\": a scheme is not wanted here, just \"{}\"", text, text.substr(separator + 3)));
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || text.ends_with(']')) {
    return failure(fmt::format("\"{}\" is not of the form IP:PORT, such as 127.0.0.1:1236", text));
  }
  const std::string_view host = text.substr(0, colon);
  if (host.find(':') != std::string_view::npos && !(host.starts_with('[') && host.ends_with(']'))) {
    return failure(fmt::format("\"{}\": an IPv6 address is written in brackets, such as [::1]:8282", text));
  }
  int port = 0;
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port < 1 || port > 65535) {
    return failure(fmt::format("the port \"{}\" is not a number from 1 to 65535", digits));
  }
  return port;
}

}  // namespace gatehouse
