#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "application/live_settings.h"
#include "application/program.h"
#include "base/black_box.h"
#include "base/log.h"
#include "base/role_status.h"
#include "master/child_environment.h"
#include "net/address_range.h"
#include "net/loop.h"
#include "net/tls_context.h"

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

  struct Callbacks {
    std::function<void(const std::string& why)> failed;  // the process is to end with an error
    std::function<void()> ready;
  };
  /// Begins to serve; one of `callbacks` is called, now or later.
  virtual void start(Callbacks callbacks) = 0;
  /// The same in two steps, for one that is to replace another: first everything that can fail, then, with serve(), the rest.
  virtual void prepare(Callbacks callbacks) { start(std::move(callbacks)); }
  virtual void serve(std::function<void()> serving) { serving(); }
  /// Takes over settings, for what comes from now on; says what is wrong with them, and then nothing has changed. May be called
  /// before start().
  [[nodiscard]] virtual std::string configure(const LiveSettings& /*live*/) { return {}; }
  /// From now on user code is noted in `box`, which outlives this. To be called before start().
  virtual void record_in(BlackBox& /*box*/) {}
  /// What its connections are encrypted with; their files are to be watched.
  [[nodiscard]] virtual std::vector<net::TlsContext*> tls_contexts() const { return {}; }
  /// Ends in order, then calls `stopped`.
  virtual void stop(std::function<void()> stopped) = 0;
  /// The same, when what is there is done. stop() may follow; only one of the two calls back.
  virtual void stop_gracefully(std::function<void()> stopped) { stop(std::move(stopped)); }
  /// stop_gracefully() follows: it takes nothing new. `has_siblings`: others of its kind serve the same port.
  virtual void leave(bool /*has_siblings*/) {}
  /// Denies clients of these addresses for a time, or without one for good: how many of those that are there are disconnected for
  /// it. Also before it has started.
  virtual std::size_t deny(const net::AddressRange& /*range*/, std::optional<std::chrono::milliseconds> /*time*/) { return 0; }
  virtual void allow(const net::AddressRange& /*range*/) {}
  /// Opens its own log files again, for whoever has moved them away. `log` is told what goes wrong.
  virtual void reopen_logs(const Log& /*log*/) {}
  [[nodiscard]] virtual RoleStatus status() const = 0;
  /// The counters of status() that rates are made of; cheap enough to be asked for every second.
  [[nodiscard]] virtual MessageCounts message_counts() const = 0;
};

/// What `child` is to be: a register, gateway or worker of `program`, with the listening sockets that it inherited. Null when the
/// program has no such role, or the sockets are not those that it needs.
/// `tickets` are for sessions of TLS clients, `instance` names the master's run among those of the cluster (instance_name.h),
/// `format` is that of the access log.
std::unique_ptr<RoleProcess> make_role_process(const Program& program, const master::ChildEnvironment& child, net::Loop& loop,
                                               const std::shared_ptr<net::TlsTickets>& tickets, const std::string& instance,
                                               LogFormat format);

}  // namespace gatehouse
