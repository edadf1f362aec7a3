#include "application/program.h"

namespace gatehouse {

std::vector<std::string> known_schemes(const Program& program) {
  std::vector<std::string> schemes = {"websocket", "ws", "text", "frame", "tcp"};
  for (const auto& [scheme, factory] : program.protocols) schemes.push_back(scheme);
  return schemes;
}

}  // namespace gatehouse
