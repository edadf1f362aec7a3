#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <algorithm>

#include "net/loop.h"
#include "net/loop_test_support.h"

namespace gatehouse::net {
namespace {

using testing::AcceptedPair;
using testing::LocalListener;
using testing::milliseconds;
using testing::RawPeer;
using testing::Recorder;
using testing::run_for;
using testing::run_until;

TEST(LoopListen, AcceptsWithTagAndPeerAddress) {
  LocalListener listener;
  Recorder server;
  Loop loop(Log("test"));
  loop.listen(std::move(listener.socket), server, 42);
  const RawPeer peer(listener.endpoint);
  std::string address;
  server.when_open = [&](Connection& connection) {
    EXPECT_EQ(connection.tag, 42U);
    EXPECT_TRUE(connection.is_open());
    address = connection.peer().to_string();
    int no_delay = 0;
    socklen_t length = sizeof no_delay;
    getsockopt(connection.fd(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &length);
    EXPECT_NE(no_delay, 0);
    EXPECT_NE(fcntl(connection.fd(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_NE(fcntl(connection.fd(), F_GETFL) & O_NONBLOCK, 0);
  };
  ASSERT_TRUE(run_until(loop, [&] { return !server.opened.empty(); }));
  EXPECT_EQ(address, local_address(peer.fd()).to_string());
}

TEST(LoopListen, AnIpv6ListenerTakesIpv4ClientsToo) {
  auto socket = listen_tcp(*Endpoint::parse_numeric("[::]:0"));
  if (!socket) GTEST_SKIP() << "no IPv6 here: " << socket.error().message;
  const std::uint16_t port = local_address(socket->fd()).port();
  Recorder server;
  Loop loop(Log("test"));
  loop.listen(std::move(*socket), server);
  const RawPeer peer(*Endpoint::parse_numeric("127.0.0.1:" + std::to_string(port)));
  ASSERT_TRUE(run_until(loop, [&] { return !server.opened.empty(); }));
  EXPECT_EQ(loop.find(server.opened[0])->peer().ip(), "127.0.0.1");
}

TEST(LoopListen, APortInUseIsOneSentence) {
  const LocalListener listener;
  const auto second = listen_tcp(listener.endpoint);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().os_error, EADDRINUSE);
  EXPECT_NE(second.error().message.find(listener.endpoint.to_string()), std::string::npos);
}

TEST(LoopListen, AcceptsMoreThanOneBatch) {
  LocalListener listener;
  Recorder server;
  Loop loop(Log("test"));
  std::vector<RawPeer> peers;
  for (int i = 0; i < 3 * Loop::kAcceptBatch + 1; ++i) peers.emplace_back(listener.endpoint);
  loop.listen(std::move(listener.socket), server);
  EXPECT_TRUE(run_until(loop, [&] { return server.opened.size() == peers.size(); }));
}

TEST(LoopListen, PauseLeavesClientsWaitingAndResumeTakesThem) {
  LocalListener listener;
  Recorder server;
  Loop loop(Log("test"));
  const ListenerId id = loop.listen(std::move(listener.socket), server);
  loop.pause_listener(id);
  loop.pause_listener(id);
  const RawPeer peer(listener.endpoint);
  const std::uint64_t before = loop.iterations();
  run_for(loop, milliseconds(50));
  EXPECT_TRUE(server.opened.empty());
  EXPECT_LE(loop.iterations() - before, 5U);
  loop.resume_listener(id);
  loop.resume_listener(id);
  EXPECT_TRUE(run_until(loop, [&] { return server.opened.size() == 1; }));
}

TEST(LoopListen, AHandlerMayPauseCloseAndAddListenersInOnOpen) {
  LocalListener listener;
  LocalListener others[20];
  Recorder server;
  Recorder other_server;
  Loop loop(Log("test"));
  const ListenerId id = loop.listen(std::move(listener.socket), server);
  std::vector<RawPeer> peers;
  for (int i = 0; i < 3; ++i) peers.emplace_back(listener.endpoint);
  server.when_open = [&](Connection&) {
    if (server.opened.size() == 1) {
      loop.pause_listener(id);
      for (LocalListener& other : others) loop.listen(std::move(other.socket), other_server);  // moves the table of listeners
    } else {
      loop.close_listener(id);
    }
  };
  ASSERT_TRUE(run_until(loop, [&] { return server.opened.size() == 1; }));
  run_for(loop, milliseconds(10));
  EXPECT_EQ(server.opened.size(), 1U);
  loop.resume_listener(id);
  ASSERT_TRUE(run_until(loop, [&] { return server.opened.size() == 2; }));
  run_for(loop, milliseconds(10));
  EXPECT_EQ(server.opened.size(), 2U);
  loop.resume_listener(id);  // closed for good
  EXPECT_FALSE(RawPeer(listener.endpoint).connected());
  const RawPeer late(others[19].endpoint);
  EXPECT_TRUE(run_until(loop, [&] { return other_server.opened.size() == 1; }));
}

TEST(LoopListen, DialsAndTalks) {
  LocalListener listener;
  Recorder server;
  Recorder client;
  Loop loop(Log("test"));
  loop.listen(std::move(listener.socket), server);
  server.when_data = [](Connection& connection, std::span<char> bytes, std::size_t) {
    connection.send(std::string_view(bytes.data(), bytes.size()));
    return bytes.size();
  };
  const ConnectionId id = loop.dial(listener.endpoint, client, 5);
  EXPECT_TRUE(client.opened.empty());
  Connection* connection = loop.find(id);
  ASSERT_NE(connection, nullptr);
  EXPECT_FALSE(connection->is_open());
  EXPECT_EQ(connection->peer().to_string(), listener.endpoint.to_string());
  EXPECT_EQ(connection->tag, 5U);
  connection->send("queued before it is up");
  ASSERT_TRUE(run_until(loop, [&] { return client.received == "queued before it is up"; }));
  EXPECT_EQ(client.opened, std::vector<ConnectionId>{id});
  EXPECT_EQ(loop.dropped_sends(), 0U);
}

TEST(LoopListen, DialToAClosedPortIsReportedOnce) {
  Recorder client;
  Loop loop(Log("test"));
  Endpoint nobody;
  {
    const LocalListener gone;
    nobody = gone.endpoint;
  }
  const ConnectionId id = loop.dial(nobody, client);
  EXPECT_TRUE(client.closed.empty());
  ASSERT_TRUE(run_until(loop, [&] { return !client.closed.empty(); }));
  run_for(loop, milliseconds(5));
  ASSERT_EQ(client.closed.size(), 1U);
  EXPECT_EQ(client.closed[0].id, id);
  EXPECT_EQ(client.closed[0].cause, CloseCause::connect_failed);
  EXPECT_EQ(client.closed[0].error, ECONNREFUSED);
  EXPECT_TRUE(client.opened.empty());
  EXPECT_EQ(loop.find(id), nullptr);
  EXPECT_EQ(loop.connection_count(), 0U);
}

TEST(LoopListen, ADialThatFailsAtOnceIsStillReportedLater) {
  Recorder client;
  Loop loop(Log("test"));
  // Broadcast to TCP: connect() itself refuses it.
  const ConnectionId id = loop.dial(*Endpoint::parse_numeric("255.255.255.255:9"), client);
  EXPECT_TRUE(client.closed.empty());
  ASSERT_TRUE(run_until(loop, [&] { return client.closed.size() == 1; }));
  EXPECT_EQ(client.closed[0].id, id);
  EXPECT_EQ(client.closed[0].cause, CloseCause::connect_failed);
  EXPECT_NE(client.closed[0].error, 0);
}

TEST(LoopListen, DialingAgainInOnCloseDoesNotHoldTheLoop) {
  Recorder client;
  Loop loop(Log("test"));
  const Endpoint never = *Endpoint::parse_numeric("255.255.255.255:9");
  bool again = true;
  client.when_closed = [&](Connection&, CloseCause) {
    if (again) loop.dial(never, client);
  };
  loop.dial(never, client);
  bool timer = false;
  loop.after(milliseconds(5), [&] { timer = true; });
  EXPECT_TRUE(run_until(loop, [&] { return timer; }));
  again = false;
  EXPECT_TRUE(run_until(loop, [&] { return loop.connection_count() == 0; }));
}

TEST(LoopListen, CloseAndDestroyWhileConnecting) {
  for (const bool destroy : {false, true}) {
    LocalListener listener;
    Recorder client;
    Loop loop(Log("test"));
    const ConnectionId id = loop.dial(listener.endpoint, client);
    if (destroy) {
      loop.find(id)->destroy();
    } else {
      loop.find(id)->close();
    }
    ASSERT_TRUE(run_until(loop, [&] { return !client.closed.empty(); }));
    run_for(loop, milliseconds(5));
    EXPECT_EQ(client.times_closed(id), 1);
    EXPECT_EQ(client.closed[0].cause, CloseCause::closed_here);
    EXPECT_TRUE(client.opened.empty());
  }
}

TEST(LoopListen, AdoptsASocketWithBytesAlreadyInIt) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  RawPeer peer{Socket(ends[1])};
  peer.write("early");
  Recorder handler;
  Loop loop(Log("test"));
  const ConnectionId id = loop.adopt(Socket(ends[0]), handler, 3);
  ASSERT_NE(loop.find(id), nullptr);
  EXPECT_TRUE(loop.find(id)->is_open());
  EXPECT_EQ(loop.find(id)->tag, 3U);
  ASSERT_TRUE(run_until(loop, [&] { return handler.received == "early"; }));
  EXPECT_TRUE(handler.opened.empty());
  loop.find(id)->send("answer");
  ASSERT_TRUE(run_until(loop, [&] {
    peer.read();
    return peer.received == "answer";
  }));
  peer.close();
  EXPECT_TRUE(run_until(loop, [&] { return handler.closed.size() == 1; }));
}

TEST(LoopListen, AdoptingWhatCannotBeWatchedThrows) {
  Recorder handler;
  Loop loop(Log("test"));
  EXPECT_THROW(loop.adopt(Socket(::open("/dev/null", O_RDONLY | O_CLOEXEC)), handler), std::system_error);
  EXPECT_EQ(loop.connection_count(), 0U);
}

/// Lowers the limit of open files to what is open plus `more`, until the end of the test.
class FewDescriptors {
 public:
  explicit FewDescriptors(int more) {
    getrlimit(RLIMIT_NOFILE, &before_);
    // UndefinedBehaviorSanitizer takes a descriptor to look at an object of a type that it has not seen yet; the loop will log.
    Log("test").warning("{} more descriptors", more);
    // The lowest free numbers are what the next calls get, so holes below are filled first.
    int highest = 0;
    for (int fd = 0; fd < 1024; ++fd) {
      if (fcntl(fd, F_GETFD) >= 0) highest = fd;
    }
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) {
      if (fd > highest) {
        ::close(fd);
        break;
      }
      fillers_.emplace_back(fd);
    }
    rlimit lower = before_;
    lower.rlim_cur = static_cast<rlim_t>(highest + 1 + more);
    setrlimit(RLIMIT_NOFILE, &lower);
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;
  ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
  std::vector<Socket> fillers_;
};

TEST(LoopListen, OutOfDescriptorsRefusesStaysCalmAndRecovers) {
  LocalListener listener;
  Recorder server;
  Loop loop(Log("test"));
  loop.listen(std::move(listener.socket), server);
  std::vector<RawPeer> peers;
  for (int i = 0; i < 6; ++i) peers.emplace_back(listener.endpoint);
  {
    const FewDescriptors few(3);
    ASSERT_TRUE(run_until(loop, [&] { return server.opened.size() == 3; }));
    // The first one too many hears that it is not wanted, instead of waiting.
    int refused = 0;
    ASSERT_TRUE(run_until(loop, [&] {
      refused = 0;
      for (RawPeer& peer : peers) {
        peer.read();
        refused += peer.ended || peer.error != 0 ? 1 : 0;
      }
      return refused >= 1;
    }));
    EXPECT_EQ(server.opened.size(), 3U);
    EXPECT_GE(loop.refused_connections(), 1U);
    const std::uint64_t before = loop.iterations();
    run_for(loop, milliseconds(100));
    EXPECT_LE(loop.iterations() - before, 8U) << "clients are waiting, and the CPU is not to burn for them";
    // Those who are in are served all the while.
    server.received.clear();
    for (RawPeer& peer : peers) peer.write("x");
    EXPECT_TRUE(run_until(loop, [&] { return server.received == "xxx"; }));
  }
  RawPeer late(listener.endpoint);
  late.write("late");
  EXPECT_TRUE(run_until(loop, [&] { return server.received.find("late") != std::string::npos; }));
}

TEST(LoopListen, ThoseForWhomThereIsNoDescriptorHearWhy) {
  struct Refusing : Recorder {
    [[nodiscard]] std::string_view refusal() const override { return "no room"; }
  };
  LocalListener listener;
  Refusing server;
  Loop loop(Log("test"));
  loop.listen(std::move(listener.socket), server);
  // UndefinedBehaviorSanitizer takes a descriptor to look at an object of a type that it has not seen yet.
  const RawPeer first(listener.endpoint);
  ASSERT_TRUE(run_until(loop, [&] { return server.opened.size() == 1; }));
  constexpr int kPeers = 20;
  std::vector<RawPeer> peers;
  for (int i = 0; i < kPeers; ++i) {
    peers.emplace_back(listener.endpoint);
    if (i % 2 == 0) peers.back().write("hello");
  }
  const FewDescriptors few(2);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(run_until(loop, [&] {
    for (RawPeer& peer : peers) peer.read();
    return std::count_if(peers.begin(), peers.end(), [](const RawPeer& peer) { return peer.ended; }) == kPeers - 2;
  }));
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(kPeers / 2 * Loop::kListenerPauseMs))
      << "not one after another";
  EXPECT_EQ(loop.refused_connections(), kPeers - 2U);
  for (const RawPeer& peer : peers) {
    if (peer.ended) {
      EXPECT_EQ(peer.received, "no room");
    }
  }
}

TEST(LoopListen, NoLineSaysThatNobodyWasRefused) {
  std::vector<std::string> lines;
  LocalListener listener;
  Recorder server;
  Loop loop(Log::to_function([&](LogLevel, std::string_view line) { lines.emplace_back(line); }));
  loop.listen(std::move(listener.socket), server);
  std::vector<RawPeer> peers;
  peers.reserve(3);
  for (int i = 0; i < 2; ++i) peers.emplace_back(listener.endpoint);
  const int held = ::dup(0);  // for the third peer
  const FewDescriptors few(2);
  // The last descriptor goes to the last one who waits; the kernel says EMFILE before it looks whether there is another.
  ASSERT_TRUE(run_until(loop, [&] { return server.opened.size() == 2; }));
  run_for(loop, milliseconds(20));
  EXPECT_TRUE(lines.empty()) << lines[0];
  ::close(held);
  peers.emplace_back(listener.endpoint);
  ASSERT_TRUE(run_until(loop, [&] { return loop.refused_connections() == 1; }));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("with 2 connections: 1 new ones refused"), std::string::npos) << lines[0];
}

TEST(LoopListen, ListenersPausedOrClosedDuringAShortageStayIt) {
  for (const bool close : {false, true}) {
    LocalListener listener;
    Recorder server;
    Loop loop(Log("test"));
    const ListenerId id = loop.listen(std::move(listener.socket), server);
    std::vector<RawPeer> peers;
    for (int i = 0; i < 3; ++i) peers.emplace_back(listener.endpoint);
    {
      const FewDescriptors few(0);
      ASSERT_TRUE(run_until(loop, [&] {
        for (RawPeer& peer : peers) peer.read();
        return std::any_of(peers.begin(), peers.end(), [](const RawPeer& peer) { return peer.ended || peer.error != 0; });
      }));
      if (close) {
        loop.close_listener(id);
      } else {
        loop.pause_listener(id);
      }
    }
    run_for(loop, milliseconds(Loop::kListenerPauseMs + 50));
    EXPECT_TRUE(server.opened.empty());
  }
}

TEST(LoopListen, ADialWithoutADescriptorFailsInOrder) {
  const LocalListener listener;
  Recorder before;
  Recorder client;
  Loop loop(Log("test"));
  // UndefinedBehaviorSanitizer takes a descriptor to look at an object of a type it has not seen yet.
  loop.dial(listener.endpoint, before);
  ASSERT_TRUE(run_until(loop, [&] { return before.opened.size() == 1; }));
  {
    const FewDescriptors few(0);
    loop.dial(listener.endpoint, client);
    ASSERT_TRUE(run_until(loop, [&] { return client.closed.size() == 1; }));
    EXPECT_EQ(client.closed[0].cause, CloseCause::connect_failed);
    EXPECT_EQ(client.closed[0].error, EMFILE);
  }
  loop.dial(listener.endpoint, client);
  EXPECT_TRUE(run_until(loop, [&] { return client.opened.size() == 1; }));
}

}  // namespace
}  // namespace gatehouse::net
