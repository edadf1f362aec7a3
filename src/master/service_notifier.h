#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace gatehouse::master {

/// Tells the service manager how the master is doing, as sd_notify(3) does: one datagram of NAME=VALUE lines to the socket that
/// NOTIFY_SOCKET names. Everything is a no-op when nobody wants to know.
class ServiceNotifier {
 public:
  /// Nobody wants to know.
  ServiceNotifier() = default;
  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and removes them, so that children do not answer in the master's place.
  static ServiceNotifier from_environment();

  [[nodiscard]] bool is_wanted() const { return !socket_.empty(); }
  /// Everything is up. `pid` is that of the master, which may be another process than the one that was started.
  void ready(int pid, const std::string& status) const;
  /// A reload begins; ready() tells of its end.
  void reloading() const;
  void stopping() const;
  /// One line for people, in `systemctl status`.
  void status(const std::string& status) const;
  /// A sign of life; the service is killed without one for watchdog_timeout().
  void alive() const;
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_timeout() const { return watchdog_timeout_; }

 private:
  void send(const std::string& message) const;

  std::string socket_;
  std::optional<std::chrono::microseconds> watchdog_timeout_;
};

}  // namespace gatehouse::master
