#pragma once

#include <string>
#include <string_view>

#include "wire/http_head.h"

namespace gatehouse::gateway {

/// Whether a load balancer asks with it how the gateway is: GET or HEAD of exactly `path`, whatever stands behind a '?', and no
/// handshake of a WebSocket. Nothing is when `path` is empty.
bool is_health_request(const wire::HttpHead& head, std::string_view path);

enum class Health {
  well,
  no_workers,
  draining,  // lets nobody in any more
};
/// The whole HTTP response, 200 or 503, "Connection: close". To a HEAD without the body that a GET would have.
std::string health_answer(Health health, bool is_head);

}  // namespace gatehouse::gateway
