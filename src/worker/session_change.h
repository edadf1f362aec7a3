#pragma once

#include <string>
#include <string_view>

#include "wire/gateway_protocol.h"

namespace gatehouse {

/// How a session that a handler has changed is written back: as the change alone wherever that can be said, so that what others
/// have written since the event was sent (Cluster::update_session, another handler) is not lost.
struct SessionChange {
  wire::Command command = wire::Command::set_session;  // or update_session, or merge_session
  std::string ext;
};

/// `before` is the session that the handler was given and `now` what it left, both serialized. `native` says that the gateway
/// knows merge_session; towards one of PHP a change that takes keys away is written as a whole.
SessionChange session_change(std::string_view before, std::string_view now, bool native);

}  // namespace gatehouse
