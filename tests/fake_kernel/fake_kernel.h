#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::testing {

/// The replaced system calls that can be made to fail.
enum class Call : std::uint8_t {
  accept4,
  accept,
  recv,
  sendmsg,
  socket,
  connect,
  shutdown,
  epoll_ctl,
  epoll_wait,
  read,
  write,
  open,
  getsockopt,
  setsockopt,
  getsockname,
};
inline constexpr std::size_t kCalls = 15;
const char* name_of(Call call);

/// TCP over IPv4, epoll and the clock of one process, in memory: what a loop does is decided by the test alone, byte by byte and
/// call by call, and an hour takes no time. As long as one lives, the calls that CMakeLists.txt names go to it; those for
/// descriptors that it has not made go on to the system.
///
/// Not modelled: options of sockets, the order of arrival between connections, IPv6. One thread.
class FakeKernel {
 public:
  FakeKernel();
  FakeKernel(const FakeKernel&) = delete;
  FakeKernel& operator=(const FakeKernel&) = delete;
  ~FakeKernel();
  static FakeKernel* current();

  /// A listening socket for the loop.
  int listen_here(std::uint16_t port);

  // The world outside. Its ends of connections are descriptors as well, but no fault hits them.
  int listen(std::uint16_t port);
  /// A connection from `ip` (host order) and a port of its own to a listener; -1 when nobody listens there.
  int dial(std::uint16_t port, std::uint32_t ip = 0xc0a80001U);
  /// The next connection that was made to a listener of the world's; -1 when there is none.
  int take_connection(int listener);
  /// How many bytes there was room for.
  std::size_t put(int end, std::string_view bytes);
  /// At most `most` bytes of what has arrived.
  std::string take(int end, std::size_t most = SIZE_MAX);
  void finish(int end);  // FIN
  void reset(int end);   // RST; the descriptor is gone
  void hang_up(int end);
  [[nodiscard]] bool has_ended(int end) const;  // there is nothing more to take, ever
  [[nodiscard]] bool is_open(int end) const { return files_.count(end) != 0; }
  /// What the world's end holds unread, from now on: how far a slow reader lets its peer write.
  void set_room(int end, std::size_t bytes);
  /// Whether a connection from the world is still to be accepted.
  [[nodiscard]] bool is_anyone_waiting() const;
  [[nodiscard]] int peer_of(int end) const;  // -1 when it has none

  // Time.
  [[nodiscard]] std::uint64_t now_ms() const { return now_ns_ / 1'000'000; }
  void pass(std::uint64_t ms) { now_ns_ += ms * 1'000'000; }

  // What a test may want to decide or to know.
  /// Called at every epoll_wait before it looks; may do anything of the world's.
  std::function<void(int timeout_ms)> on_wait;
  /// Asked at every call, with its descriptor, or -1; not 0 is the errno that it fails with.
  std::function<int(Call call, int fd)> fault;
  /// Asked how much of `bytes` a recv or sendmsg moves.
  std::function<std::size_t(Call call, std::size_t bytes)> most;
  /// Descriptors that the process may have; EMFILE beyond. The world's ends do not count.
  std::size_t descriptor_limit = SIZE_MAX;
  [[nodiscard]] std::size_t descriptors() const;
  [[nodiscard]] std::uint64_t waits() const { return waits_; }  // epoll_wait calls so far
  [[nodiscard]] std::uint64_t calls() const { return calls_; }  // all calls so far

  // The system calls. -1 with errno where the system's are.
  static bool owns(int fd) { return fd >= kFirst; }
  int epoll_create();
  int epoll_ctl(int epoll, int operation, int fd, const epoll_event* event);
  int epoll_wait(int epoll, epoll_event* events, int most_events, int timeout_ms);
  int event();
  ssize_t read(int fd, void* buffer, std::size_t size);
  ssize_t write(int fd, const void* buffer, std::size_t size);
  int open_null();
  int close(int fd);
  int accept(int listener, sockaddr* address, socklen_t* length, Call call);
  int socket();
  int connect(int fd, const sockaddr* address);
  int shutdown(int fd);
  ssize_t recv(int fd, void* buffer, std::size_t size);
  ssize_t sendmsg(int fd, const msghdr* message);
  int getsockopt(int fd, int option, void* value, socklen_t* length);
  int setsockopt(int fd);
  int getsockname(int fd, sockaddr* address, socklen_t* length);
  int clock(timespec* time);

  static constexpr int kFirst = 1 << 20;

 private:
  enum class Kind : std::uint8_t { epoll, event, null, listener, stream };
  struct File {
    Kind kind = Kind::null;
    bool outside = false;
    // of a stream
    int peer = -1;                 // the other end; -1 when there is none, or none any more
    std::string in;                // arrived and not read
    std::size_t room = 64 * 1024;  // bytes of it at most
    bool connecting = false;
    bool connected = false;
    bool ended = false;    // the peer's FIN has come
    bool shut = false;     // this end's FIN has gone
    bool blocked = false;  // a write found no room
    int error = 0;         // reset, or a refused connect; told once
    bool broken = false;   // it was reset
    sockaddr_storage address{};
    // of a listener
    std::uint16_t port = 0;
    std::deque<int> backlog;
    // of an event
    std::uint64_t count = 0;
    // in an epoll set
    int epoll = -1;
    std::uint32_t interest = 0;
    std::uint64_t data = 0;
    bool news = false;  // edge-triggered: something has happened since it was last told
  };

  int add(Kind kind, bool outside = false);
  File* find(int fd, Kind kind);
  int failing(Call call, int fd);
  void break_off(int fd);
  void happens(int fd);
  [[nodiscard]] std::uint32_t state_of(const File& file) const;
  std::size_t move(File& from, File& to, std::string_view bytes);
  std::pair<int, int> connect_ends(int listener, int dialler);
  static sockaddr_storage address_of(std::uint32_t ip, std::uint16_t port);

  std::map<int, std::unique_ptr<File>> files_;
  std::uint64_t now_ns_ = 1'000'000'000;
  int next_outside_ = kFirst + (1 << 18);
  std::uint16_t next_port_ = 20'000;
  std::uint64_t waits_ = 0;
  std::uint64_t calls_ = 0;
};

}  // namespace gatehouse::testing
