#pragma once

#include <gatehouse/options.h>
#include <gatehouse/protocol.h>

#include <string>
#include <utility>
#include <vector>

namespace gatehouse {

/// What main() described: everything that Application::add() and add_protocol() were given.
struct Program {
  std::string name;
  std::vector<RegisterOptions> registers = {};
  std::vector<GatewayOptions> gateways = {};
  std::vector<WorkerOptions> workers = {};
  std::vector<ProcessOptions> processes = {};
  std::vector<std::pair<std::string, ProtocolFactory>> protocols = {};  // by scheme
};

/// The schemes that a gateway can listen on: the built-in ones and the program's own.
std::vector<std::string> known_schemes(const Program& program);

}  // namespace gatehouse
