#include "master/control_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace gatehouse::master {
namespace {

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return failure("the path " + path + " is too long for a socket (" + std::to_string(sizeof address.sun_path - 1) +
                   " bytes at most); choose a shorter --run-dir");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }  // NOLINT: the C API

/// Reads up to the first line end, or fails.
Result<std::string> read_line(int fd, int timeout_ms) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  std::string line;
  std::array<char, 4096> piece{};
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = left > 0 ? poll(&waiting, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return failure("it does not answer");
    const ssize_t got = read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return failure("it ended without an answer");
    line.append(piece.data(), static_cast<std::size_t>(got));
    if (line.ends_with('\n')) return line;
  }
}

}  // namespace

Result<net::Socket> ControlSocket::open(const std::string& path) {
  const auto address = unix_address(path);
  if (!address) return tl::unexpected(address.error());
  net::Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return os_failure("cannot make the control socket", errno);
  unlink(path.c_str());
  const mode_t before = umask(0177);
  const int bound = bind(socket.fd(), generic(*address), sizeof *address);
  const int error = errno;
  umask(before);
  if (bound != 0) return os_failure("cannot make the control socket " + path, error);
  if (listen(socket.fd(), 16) != 0) return os_failure("cannot make the control socket " + path, errno);
  return socket;
}

ControlSocket::ControlSocket(net::Loop& loop, net::Socket listener, OnQuestion on_question)
    : loop_(loop),
      listener_(std::move(listener)),
      on_question_(std::move(on_question)),
      lines_([this](net::Connection& connection, const nlohmann::json& message) { on_message(connection, message); },
             [](net::Connection&) {}),
      watch_(loop.watch(listener_.fd(), {.readable = true}, [this](net::Readiness) { accept_all(); })) {}

ControlSocket::~ControlSocket() { loop_.unwatch(watch_); }

void ControlSocket::accept_all() {
  while (true) {
    net::Socket socket(accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.valid()) return;
    loop_.adopt(std::move(socket), lines_);
  }
}

void ControlSocket::on_message(net::Connection& connection, const nlohmann::json& message) {
  const auto ask = message.find("ask");
  if (ask == message.end() || !ask->is_string()) return connection.destroy();
  const net::ConnectionId asker = connection.id();
  on_question_(ask->get<std::string>(), message, [&loop = loop_, asker](const nlohmann::ordered_json& answer) {
    net::Connection* found = loop.find(asker);
    if (found == nullptr) return;
    JsonLines::send(found, answer);
    found->close();
  });
}

Result<nlohmann::ordered_json> ask_master(const std::string& path, const std::string& question, int timeout_ms,
                                          const nlohmann::ordered_json& details) {
  const auto address = unix_address(path);
  if (!address) return tl::unexpected(address.error());
  const net::Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return os_failure("cannot make a socket", errno);
  if (connect(socket.fd(), generic(*address), sizeof *address) != 0) return os_failure("cannot connect to " + path, errno);
  nlohmann::ordered_json message = {{"ask", question}};
  message.update(details);
  const std::string line = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (send(socket.fd(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
    return os_failure("cannot write to " + path, errno);
  }
  const Result<std::string> answer = read_line(socket.fd(), timeout_ms);
  if (!answer) return tl::unexpected(answer.error());
  auto parsed = nlohmann::ordered_json::parse(*answer, nullptr, false);
  if (!parsed.is_object()) return failure("its answer is not understood");
  return parsed;
}

}  // namespace gatehouse::master
