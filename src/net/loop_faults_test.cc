// The loop under a kernel that fails: recv, send, sendmsg and accept4 of this test program are the ones below, which fail as told
// and else hand on to the system's.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <random>

#include "net/loop.h"
#include "net/loop_test_support.h"

namespace {

/// What the next calls do: an errno to fail with, or 0 and the number of bytes that at most are moved.
struct Fault {
  int error = 0;
  std::size_t most = SIZE_MAX;
};

struct Faults {
  std::deque<Fault> recv;
  std::deque<Fault> send;  // and sendmsg
  std::deque<Fault> accept;
  int only_fd = -1;  // the connection that is hit, for recv, send and sendmsg
  int calls = 0;     // of these three on it
};

Faults faults;  // NOLINT: a replaced system call has no other way to be told

bool next(std::deque<Fault>& list, Fault& fault) {
  if (list.empty()) return false;
  fault = list.front();
  list.pop_front();
  return true;
}

template <class Function>
Function* system_function(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));  // NOLINT: what dlsym is for
}

}  // namespace

extern "C" ssize_t recv(int fd, void* buffer, size_t size, int flags) {
  static auto* const real = system_function<ssize_t(int, void*, size_t, int)>("recv");
  Fault fault;
  if (fd == faults.only_fd) {
    ++faults.calls;
    if (next(faults.recv, fault) && fault.error != 0) {
      errno = fault.error;
      return -1;
    }
  }
  return real(fd, buffer, std::min(size, fault.most), flags);
}

extern "C" ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static auto* const real = system_function<ssize_t(int, const msghdr*, int)>("sendmsg");
  Fault fault;
  if (fd != faults.only_fd) return real(fd, message, flags);
  ++faults.calls;
  if (!next(faults.send, fault)) return real(fd, message, flags);
  if (fault.error != 0) {
    errno = fault.error;
    return -1;
  }
  std::vector<iovec> cut(message->msg_iov, message->msg_iov + message->msg_iovlen);
  for (iovec& each : cut) {
    each.iov_len = std::min(each.iov_len, fault.most);
    fault.most -= each.iov_len;
  }
  msghdr shorter = *message;
  shorter.msg_iov = cut.data();
  return real(fd, &shorter, flags);
}

extern "C" ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  static auto* const real = system_function<ssize_t(int, const void*, size_t, int)>("send");
  Fault fault;
  if (fd != faults.only_fd) return real(fd, bytes, size, flags);
  ++faults.calls;
  if (next(faults.send, fault) && fault.error != 0) {
    errno = fault.error;
    return -1;
  }
  return real(fd, bytes, std::min(size, fault.most), flags);
}

extern "C" int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  static auto* const real = system_function<int(int, sockaddr*, socklen_t*, int)>("accept4");
  Fault fault;
  if (next(faults.accept, fault)) {
    errno = fault.error;
    return -1;
  }
  return real(fd, address, length, flags);
}

namespace gatehouse::net {
namespace {

using testing::AcceptedPair;
using testing::LocalListener;
using testing::milliseconds;
using testing::pattern;
using testing::RawPeer;
using testing::Recorder;
using testing::run_for;
using testing::run_until;

class LoopFaults : public ::testing::Test {
 protected:
  void SetUp() override { faults = Faults{}; }
  void TearDown() override { faults = Faults{}; }

  /// Sends `size` bytes to the peer and returns whether all came.
  static bool sends_whole(AcceptedPair& pair, std::size_t size) {
    const std::string sent = pattern(size);
    pair.connection()->send(std::string_view(sent).substr(0, size / 3));
    pair.connection()->send(SharedBytes::copy_of(std::string_view(sent).substr(size / 3)));
    return run_until(pair.loop,
                     [&] {
                       pair.client().read();
                       return pair.client().received.size() >= size;
                     }) &&
           pair.client().received == sent;
  }
};

TEST_F(LoopFaults, ShortWritesOfEverySize) {
  AcceptedPair pair;
  faults.only_fd = pair.connection()->fd();
  for (std::size_t most = 1; most <= 300; ++most) faults.send.push_back({0, most});
  EXPECT_TRUE(sends_whole(pair, 100'000));
  EXPECT_TRUE(faults.send.empty());
}

TEST_F(LoopFaults, InterruptedWritesAndReadsAreTriedAgain) {
  AcceptedPair pair;
  faults.only_fd = pair.connection()->fd();
  faults.send = {{EINTR}, {EINTR}, {0, 7}, {EINTR}};
  faults.recv = {{EINTR}, {EINTR}};
  EXPECT_TRUE(sends_whole(pair, 1000));
  pair.client().write("x");
  EXPECT_TRUE(run_until(pair.loop, [&] { return pair.server.received == "x"; }));
  EXPECT_TRUE(faults.recv.empty());
}

TEST_F(LoopFaults, AKernelShortOfMemoryIsAskedAgainSoonAndNotAllTheTime) {
  for (const int error : {ENOBUFS, ENOMEM}) {
    AcceptedPair pair;
    faults = Faults{};
    faults.only_fd = pair.connection()->fd();
    for (int i = 0; i < 5; ++i) faults.send.push_back({error});
    EXPECT_TRUE(sends_whole(pair, 1000));
    EXPECT_TRUE(faults.send.empty());
    EXPECT_LE(faults.calls, 10);
  }
}

TEST_F(LoopFaults, AKernelShortOfMemoryDoesNotHoldUpClose) {
  AcceptedPair pair;
  faults.only_fd = pair.connection()->fd();
  faults.send = {{ENOBUFS}, {ENOBUFS}};
  pair.connection()->send("last words");
  pair.connection()->close();
  ASSERT_TRUE(run_until(pair.loop, [&] {
    pair.client().read();
    return pair.client().ended;
  }));
  EXPECT_EQ(pair.client().received, "last words");
}

TEST_F(LoopFaults, AFailedWriteEndsTheConnectionOnce) {
  for (const int error : {EPIPE, ECONNRESET, ETIMEDOUT, EHOSTUNREACH}) {
    AcceptedPair pair;
    faults = Faults{};
    faults.only_fd = pair.connection()->fd();
    faults.send = {{0, 3}, {error}};
    pair.connection()->send("never all of it");
    ASSERT_TRUE(pair.run_until_closed());
    run_for(pair.loop, milliseconds(5));
    ASSERT_EQ(pair.server.closed.size(), 1U);
    EXPECT_EQ(pair.server.closed[0].cause, CloseCause::connection_lost);
    EXPECT_EQ(pair.server.closed[0].error, error);
  }
}

TEST_F(LoopFaults, AFailedReadEndsTheConnectionOnce) {
  for (const int error : {ECONNRESET, ETIMEDOUT, ENOMEM}) {
    AcceptedPair pair;
    faults = Faults{};
    faults.only_fd = pair.connection()->fd();
    faults.recv = {{error}};
    pair.client().write("x");
    ASSERT_TRUE(pair.run_until_closed());
    EXPECT_EQ(pair.server.closed[0].cause, CloseCause::connection_lost);
    EXPECT_EQ(pair.server.closed[0].error, error);
    EXPECT_EQ(pair.server.closed.size(), 1U);
  }
}

TEST_F(LoopFaults, AWriteFailingInTheLastWordsLeavesTheCauseAsItIs) {
  AcceptedPair pair;
  pair.server.when_data = [&](Connection& connection, std::span<char> bytes, std::size_t) {
    connection.send("answer");
    return bytes.size();
  };
  faults.only_fd = pair.connection()->fd();
  faults.send = {{EPIPE}, {EPIPE}};
  pair.client().write("question");
  pair.client().close();
  ASSERT_TRUE(pair.run_until_closed());
  EXPECT_EQ(pair.server.closed.size(), 1U);
}

TEST_F(LoopFaults, AcceptGoesOnAfterErrorsOfOneConnection) {
  LocalListener listener;
  Recorder server;
  Loop loop(Log("test"));
  faults.accept = {{ECONNABORTED}, {EINTR}, {EPROTO}, {ENETDOWN}, {EPERM}};
  loop.listen(std::move(listener.socket), server);
  const RawPeer peer(listener.endpoint);
  EXPECT_TRUE(run_until(loop, [&] { return server.opened.size() == 1; }));
  EXPECT_TRUE(faults.accept.empty());
}

TEST_F(LoopFaults, AcceptRestsWhenTheSystemIsShortAndComesBack) {
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
    LocalListener listener;
    Recorder server;
    Loop loop(Log("test"));
    faults.accept.push_back({error});
    loop.listen(std::move(listener.socket), server);
    std::vector<RawPeer> peers;
    for (int i = 0; i < 4; ++i) peers.emplace_back(listener.endpoint);
    // Those who wait at a shortage are refused; who comes after it is let in.
    EXPECT_TRUE(run_until(loop, [&] { return loop.refused_connections() == 4; }));
    EXPECT_TRUE(server.opened.empty());
    peers.emplace_back(listener.endpoint);
    EXPECT_TRUE(run_until(loop, [&] { return server.opened.size() == 1; }));
    EXPECT_TRUE(faults.accept.empty());
  }
}

TEST_F(LoopFaults, RandomFaultsNeitherLoseNorSwapBytes) {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    AcceptedPair pair;
    faults = Faults{};
    faults.only_fd = pair.connection()->fd();
    pair.server.when_data = [](Connection& connection, std::span<char> bytes, std::size_t) {
      connection.send(std::string_view(bytes.data(), bytes.size()));
      return bytes.size();
    };
    std::mt19937 random(seed);
    const auto fault = [&](bool write) -> Fault {
      switch (random() % 5) {
        case 0: return {EINTR};
        case 1: return write ? Fault{ENOBUFS} : Fault{};
        case 2: return write ? Fault{0, 1 + random() % 5000} : Fault{};
        default: return {};
      }
    };
    const std::string sent = pattern(3'000'000, seed);
    std::size_t written = 0;
    ASSERT_TRUE(run_until(pair.loop, [&] {
      if (faults.recv.size() < 10) faults.recv.push_back(fault(false));
      if (faults.send.size() < 10) faults.send.push_back(fault(true));
      written += pair.client().write(std::string_view(sent).substr(written, random() % 100'000));
      pair.client().read();
      return pair.client().received.size() >= sent.size();
    }));
    EXPECT_TRUE(pair.client().received == sent);
  }
}

}  // namespace
}  // namespace gatehouse::net
