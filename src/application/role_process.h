#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "application/program.h"
#include "base/role_status.h"
#include "master/child_environment.h"
#include "net/loop.h"

namespace gatehouse {

/// One role inside its process, as whoever runs the process sees it.
///
/// Thread rule: the loop's thread.
class RoleProcess {
 public:
  RoleProcess() = default;
  RoleProcess(const RoleProcess&) = delete;
  RoleProcess& operator=(const RoleProcess&) = delete;
  virtual ~RoleProcess() = default;

  /// Begins to serve. `failed` is called, now or later, when the process is to end with an error.
  virtual void start(std::function<void()> failed) = 0;
  /// Ends in order, then calls `stopped`.
  virtual void stop(std::function<void()> stopped) = 0;
  [[nodiscard]] virtual RoleStatus status() const = 0;
};

/// What `child` is to be: a register, gateway or worker of `program`, with the listening sockets that it inherited. Null when the
/// program has no such role, or the sockets are not those that it needs.
std::unique_ptr<RoleProcess> make_role_process(const Program& program, const master::ChildEnvironment& child, net::Loop& loop);

}  // namespace gatehouse
