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

constexpr int kBacklog = 16;

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

std::string path_of(int fd) {
  sockaddr_un address{};
  socklen_t length = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return "";  // NOLINT: the C API
  return {address.sun_path, strnlen(address.sun_path, sizeof address.sun_path)};
}

/// Whether the peer has closed its end, whatever it has sent before that is still to be read.
bool has_left(int fd) {
  pollfd peer{.fd = fd, .events = 0, .revents = 0};
  return poll(&peer, 1, 0) == 1 && (peer.revents & (POLLHUP | POLLERR)) != 0;
}

const char* kind_of(mode_t mode) {
  if (S_ISREG(mode)) return "a file";
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISLNK(mode)) return "a symbolic link";
  return "no socket";
}

std::string in_words(int timeout_ms) {
  const std::string fraction = timeout_ms % 1000 == 0 ? "" : "." + std::to_string(timeout_ms % 1000 + 1000).substr(1);
  return std::to_string(timeout_ms / 1000) + fraction + " s";
}

/// How long connect() and send() may take on a socket that nobody accepts from: a master that is suspended has a queue, too.
void limit_sending(int fd, int timeout_ms) {
  const timeval time{.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

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
    if (ready == 0) return failure("it has not answered within " + in_words(timeout_ms));
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
  struct stat there{};
  if (lstat(path.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode)) {
      return failure("cannot make the control socket " + path + ": " + kind_of(there.st_mode) +
                     " has that name and is left alone; remove it, or choose another name with --control-socket");
    }
    if (const auto pid = owner(path)) {
      return failure("cannot make the control socket " + path + ": a program listens there (pid " + std::to_string(*pid) +
                     "); choose another name with --control-socket");
    }
    unlink(path.c_str());
  }
  const mode_t before = umask(0177);
  const int bound = bind(socket.fd(), generic(*address), sizeof *address);
  const int error = errno;
  umask(before);
  if (bound != 0) return os_failure("cannot make the control socket " + path, error);
  if (::listen(socket.fd(), kBacklog) != 0) return os_failure("cannot make the control socket " + path, errno);
  return socket;
}

std::optional<pid_t> ControlSocket::owner(const std::string& path) {
  const auto address = unix_address(path);
  const net::Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!address || !socket.valid()) return std::nullopt;
  // EAGAIN: somebody listens, and does not accept any more.
  if (connect(socket.fd(), generic(*address), sizeof *address) != 0)
    return errno == EAGAIN ? std::optional<pid_t>(0) : std::nullopt;
  ucred peer{};
  socklen_t length = sizeof peer;
  if (getsockopt(socket.fd(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return 0;
  return peer.pid;
}

std::optional<ControlSocket::FileId> ControlSocket::file_at(const std::string& path) {
  struct stat file{};
  if (lstat(path.c_str(), &file) != 0) return std::nullopt;
  return FileId{file.st_dev, file.st_ino};
}

ControlSocket::ControlSocket(net::Loop& loop, net::Socket listener, OnQuestion on_question)
    : loop_(loop),
      path_(path_of(listener.fd())),
      on_question_(std::move(on_question)),
      lines_([this](net::Connection& connection, const nlohmann::json& message) { on_message(connection, message); },
             [](net::Connection&) {}) {
  listen(std::move(listener));
}

ControlSocket::~ControlSocket() { close(); }

void ControlSocket::listen(net::Socket listener) {
  listener_ = std::move(listener);
  // Once more: it is the process that has called listen() that SO_PEERCRED names, and a daemon's has forked since.
  (void)::listen(listener_.fd(), kBacklog);
  file_ = file_at(path_);
  watch_ = loop_.watch(listener_.fd(), {.readable = true}, [this](net::Readiness) { accept_all(); });
}

Result<bool> ControlSocket::restore() {
  if (!listener_.valid() || file_at(path_) == file_) return false;
  auto again = open(path_);
  if (!again) return tl::unexpected(again.error());
  loop_.unwatch(watch_);
  listen(std::move(*again));
  return true;
}

void ControlSocket::close() {
  if (!listener_.valid()) return;
  loop_.unwatch(watch_);
  if (file_ && file_at(path_) == file_) unlink(path_.c_str());
  listener_ = net::Socket();
}

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
  // A master that stood still may find questions that were given up long ago, such as a reload.
  if (has_left(connection.fd())) return connection.destroy();
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
  limit_sending(socket.fd(), timeout_ms);
  if (connect(socket.fd(), generic(*address), sizeof *address) != 0) {
    if (errno == EAGAIN) return failure("it has not answered within " + in_words(timeout_ms));
    return os_failure("cannot connect to " + path, errno);
  }
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
