#include "master/service_notifier.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "net/socket.h"

namespace gatehouse::master {
namespace {

std::string take_from_environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread exists
  std::string copy = value != nullptr ? value : "";
  unsetenv(name);
  return copy;
}

std::optional<long long> to_integer(const std::string& text) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A value ends with its line.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

}  // namespace

ServiceNotifier ServiceNotifier::from_environment() {
  ServiceNotifier notifier;
  notifier.socket_ = take_from_environment("NOTIFY_SOCKET");
  const auto usec = to_integer(take_from_environment("WATCHDOG_USEC"));
  const auto pid = to_integer(take_from_environment("WATCHDOG_PID"));
  // sd_watchdog_enabled(3): meant for this process, or for whoever reads it when no pid is named.
  if (usec && *usec > 0 && (!pid || *pid == getpid())) notifier.watchdog_timeout_ = std::chrono::microseconds(*usec);
  return notifier;
}

void ServiceNotifier::ready(int pid, const std::string& status) const {
  send("READY=1\nMAINPID=" + std::to_string(pid) + "\nSTATUS=" + one_line(status) + "\n");
}

void ServiceNotifier::reloading() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const long long usec = static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
  // systemd 253 and later want the time with it (Type=notify-reload); older ones ignore that line.
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(usec) + "\n");
}

void ServiceNotifier::stopping() const { send("STOPPING=1\n"); }

void ServiceNotifier::status(const std::string& status) const { send("STATUS=" + one_line(status) + "\n"); }

void ServiceNotifier::alive() const {
  if (watchdog_timeout_) send("WATCHDOG=1\n");
}

void ServiceNotifier::send(const std::string& message) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // a name without a file (unix(7), abstract)
  const net::Socket socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);  // NOLINT: the C API
  (void)::sendto(socket.fd(), message.data(), message.size(), MSG_NOSIGNAL, generic, length);
}

}  // namespace gatehouse::master
