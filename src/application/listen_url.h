#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/endpoint.h"

namespace gatehouse {

/// "websocket://0.0.0.0:8282" in its parts.
struct ListenUrl {
  std::string scheme;
  net::Endpoint endpoint;

  /// Fails with a sentence that names `text`. Looks the host up when it is a name. The scheme is any word.
  static Result<ListenUrl> parse(std::string_view text);
};

/// The port of "HOST:PORT", 1 to 65535, without looking the host up: whether it exists may change while the program runs.
Result<int> parse_host_and_port(std::string_view text);

}  // namespace gatehouse
