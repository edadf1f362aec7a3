#include "application/access_log_files.h"

#include <cstddef>

#include "base/log_file.h"
#include "net/socket.h"

namespace gatehouse {

std::optional<OptionProblem> make_access_logs(const Program& program, const std::optional<master::Identity>& identity) {
  for (std::size_t number = 0; number < program.gateways.size(); ++number) {
    const std::string& path = program.gateways[number].access_log;
    if (path.empty()) continue;
    const auto problem = [&](const std::string& message) {
      return OptionProblem{RoleKind::gateway, number, "access_log", message};
    };
    const Result<int> fd = open_log_file(path);
    if (!fd) return problem(fd.error().message);
    const net::Socket file(*fd);
    if (!identity) continue;
    if (const auto given = master::give_file(path, *identity); !given) return problem(given.error().message);
  }
  return std::nullopt;
}

}  // namespace gatehouse
