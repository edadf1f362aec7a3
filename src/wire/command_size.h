#pragma once

#include <cstddef>

#include "wire/gateway_protocol.h"

namespace gatehouse::wire {

/// What one command or question may carry: its body, and what stands in its ext_data. Whoever sends counts before
/// (link/arguments.h).
inline constexpr std::size_t kMostCarried = std::size_t{32} * 1024 * 1024;
/// The longest frame that carries it: with the header, a key, and the JSON around names and ids. A gateway reads no longer one.
inline constexpr std::size_t kMostCommandFrame = kMostCarried + std::size_t{64} * 1024;
/// The longest that a gateway of PHP reads before it closes the connection: Workerman's TcpConnection::$defaultMaxPackageSize.
inline constexpr std::size_t kMostUpstreamFrame = 10'485'760;

/// Whether it is answered on its connection, in the order of the asking.
constexpr bool is_question(Command command) {
  switch (command) {
    case Command::get_all_client_sessions:
    case Command::is_online:
    case Command::get_client_id_by_uid:
    case Command::batch_get_client_id_by_uid:
    case Command::get_client_sessions_by_group:
    case Command::get_client_count_by_group:
    case Command::select:
    case Command::get_group_id_list:
    case Command::batch_get_client_count_by_group:
    case Command::get_session_by_client_id: return true;
    default: return false;
  }
}

}  // namespace gatehouse::wire
