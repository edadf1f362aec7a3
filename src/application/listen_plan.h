#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "application/option_problem.h"
#include "application/program.h"
#include "net/endpoint.h"
#include "net/socket.h"

namespace gatehouse {

/// One listening socket that a program needs.
struct PlannedListener {
  static constexpr int kShared = -1;

  RoleKind kind = RoleKind::gateway;
  std::size_t number = 0;
  int index = kShared;  // of the process that it belongs to, or shared by all of the role
  const char* option = "listen";
  net::Endpoint endpoint;
  /// The process binds by itself, so here it is only seen whether it could.
  bool only_tried = false;
};

/// All sockets that the processes of a program inherit, register first; fails when two of them want the same port. The order
/// within a role is what its processes expect: the shared one, then its own. REQUIRES: each option alone is right
/// (option_check.h).
tl::expected<std::vector<PlannedListener>, OptionProblem> plan_listeners(const Program& program);

/// Opens them all, or none. The socket of one that is only tried is closed again.
tl::expected<std::vector<net::Socket>, OptionProblem> open_listeners(const std::vector<PlannedListener>& plan);

/// Where process `index` of a gateway waits for workers. Looks the host up when it is a name.
Result<net::Endpoint> inner_endpoint(const GatewayOptions& options, int index);

/// The IPv4 address that a gateway is announced at: options.lan_ip, looked up when it is a name. Fails with a sentence that names
/// it.
Result<std::string> announced_ip(const GatewayOptions& options);

}  // namespace gatehouse
