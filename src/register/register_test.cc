#include "register/register.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <sys/resource.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "link/testing.h"
#include "wire/gateway_protocol.h"

namespace gatehouse {
namespace {

using link::testing::run_for;
using link::testing::run_until;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What connects to the register: keeps every line it is told.
class Peer final : public net::ConnectionHandler {
 public:
  Peer(net::Loop& loop, std::uint16_t port) : loop_(loop) {
    id_ = loop.dial(net::Endpoint::parse_numeric("127.0.0.1:" + std::to_string(port)).value(), *this);
    run_until(loop, [this] { return open_; });
  }
  ~Peer() override {
    close();
    run_until(loop_, [this] { return closed_; });
  }
  void say(std::string_view text) {
    if (net::Connection* connection = loop_.find(id_)) connection->send(text);
  }
  void close() {
    if (net::Connection* connection = loop_.find(id_)) connection->destroy();
  }
  [[nodiscard]] bool is_closed() const { return closed_; }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }
  bool hears(std::size_t count) {
    return run_until(loop_, [&] { return lines_.size() >= count; });
  }

 private:
  void on_open(net::Connection& /*connection*/) override { open_ = true; }
  std::size_t on_data(net::Connection& /*connection*/, std::span<char> bytes, std::size_t /*seen*/) override {
    const std::string_view text(bytes.data(), bytes.size());
    std::size_t done = 0;
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', done)) {
      lines_.emplace_back(text.substr(done, end - done));
      done = end + 1;
    }
    return done;
  }
  void on_close(net::Connection& /*connection*/, net::CloseCause /*cause*/, int /*error*/) override { closed_ = true; }

  net::Loop& loop_;
  net::ConnectionId id_;
  std::vector<std::string> lines_;
  bool open_ = false;
  bool closed_ = false;
};

class RegisterTest : public ::testing::Test {
 protected:
  RegisterTest() {
    auto socket = net::listen_tcp(net::Endpoint::parse_numeric("127.0.0.1:0").value()).value();
    port_ = net::local_address(socket.fd()).port();
    register_.emplace(loop_, "s3cret");
    register_->serve(std::move(socket));
  }
  bool closes(Peer& peer) {
    return run_until(loop_, [&] { return peer.is_closed(); });
  }

  static std::string gateway_line(const std::string& address) { return wire::gateway_connect_line(address, "s3cret"); }
  static std::string worker_line() { return wire::worker_connect_line("s3cret"); }
  static std::string list_of(const std::vector<std::string>& addresses) {
    std::string line = wire::broadcast_addresses_line(addresses);
    line.pop_back();
    return line;
  }

  net::Loop loop_{Log("register test")};
  std::uint16_t port_ = 0;
  std::optional<Register> register_;
};

TEST_F(RegisterTest, TellsAWorkerTheListAtOnceAndAtEveryChange) {
  Peer worker(loop_, port_);
  worker.say(worker_line());
  ASSERT_TRUE(worker.hears(1));
  EXPECT_EQ(worker.lines()[0], R"({"event":"broadcast_addresses","addresses":[]})");
  {
    Peer first(loop_, port_);
    first.say(gateway_line("127.0.0.1:2300"));
    ASSERT_TRUE(worker.hears(2));
    Peer second(loop_, port_);
    second.say(gateway_line("127.0.0.1:2301"));
    ASSERT_TRUE(worker.hears(3));
    EXPECT_EQ(worker.lines()[1], list_of({"127.0.0.1:2300"}));
    EXPECT_EQ(worker.lines()[2], list_of({"127.0.0.1:2300", "127.0.0.1:2301"}));
  }
  ASSERT_TRUE(worker.hears(5));
  EXPECT_EQ(worker.lines()[3], list_of({"127.0.0.1:2300"}));
  EXPECT_EQ(worker.lines()[4], list_of({}));
}

TEST_F(RegisterTest, SeveralLinesInOnePieceAndOneLineInSeveral) {
  Peer worker(loop_, port_);
  worker.say(worker_line() + wire::ping_line() + worker_line());
  ASSERT_TRUE(worker.hears(2));
  const std::string line = worker_line();
  worker.say(line.substr(0, 10));
  run_for(loop_, 5);
  worker.say(line.substr(10));
  EXPECT_TRUE(worker.hears(3));
}

// Workers connect to an address once, so that all clients of one of the two would have no worker.
TEST_F(RegisterTest, ASecondGatewayOfOneAddressIsRefusedAndBothAreTold) {
  Peer worker(loop_, port_);
  worker.say(worker_line());
  ASSERT_TRUE(worker.hears(1));
  const std::string address = "10.0.0.1:2300";
  {
    Peer first(loop_, port_);
    first.say(gateway_line(address));
    ASSERT_TRUE(worker.hears(2));
    Peer second(loop_, port_);
    second.say(gateway_line(address));
    ASSERT_TRUE(closes(second) && first.hears(1));
    ASSERT_EQ(second.lines().size(), 1U);
    const wire::RegisterLine to_second = wire::parse_register_line(second.lines()[0]);
    const wire::RegisterLine to_first = wire::parse_register_line(first.lines()[0]);
    EXPECT_EQ(to_second.event, wire::RegisterLine::Event::address_taken);
    EXPECT_EQ(to_second.address, address);
    EXPECT_FALSE(to_second.is_kept);
    EXPECT_TRUE(to_first.is_kept);
    EXPECT_THAT(to_first.other, ::testing::StartsWith("127.0.0.1:"));
    EXPECT_EQ(register_->status().limits, (std::map<std::string, std::uint64_t>{{"address_taken", 1}}));
    EXPECT_FALSE(first.is_closed());
    // To say it again is no second gateway.
    first.say(gateway_line(address));
    ASSERT_TRUE(worker.hears(3));
    EXPECT_EQ(worker.lines()[2], list_of({address}));
  }
  ASSERT_TRUE(worker.hears(4));
  Peer third(loop_, port_);
  third.say(gateway_line(address));
  ASSERT_TRUE(worker.hears(5));
  EXPECT_EQ(worker.lines()[4], list_of({address})) << "free again";
}

TEST_F(RegisterTest, AGatewayThatComesBackIsNoSecondOne) {
  Peer worker(loop_, port_);
  worker.say(worker_line());
  ASSERT_TRUE(worker.hears(1));
  const net::Endpoint endpoint = net::Endpoint::parse_numeric("127.0.0.1:" + std::to_string(port_)).value();
  const std::string line = gateway_line("10.0.0.1:2300");
  const auto announce = [&] {
    net::Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket.fd(), endpoint.address(), endpoint.length()), 0);
    EXPECT_EQ(::send(socket.fd(), line.data(), line.size(), MSG_NOSIGNAL), static_cast<ssize_t>(line.size()));
    return socket;
  };
  net::Socket gateway = announce();
  ASSERT_TRUE(worker.hears(2));
  // Both its end and its return are there when the register looks the next time.
  {
    const net::Socket ended = std::move(gateway);
  }
  gateway = announce();
  ASSERT_TRUE(run_until(loop_, [&] { return register_->status().connections == 2 && register_->status().messages_in == 3; }));
  run_for(loop_, 20);
  EXPECT_EQ(worker.lines().back(), list_of({"10.0.0.1:2300"}));
  EXPECT_EQ(register_->status().limits.count("address_taken"), 0U);
}

TEST_F(RegisterTest, WhoSpeaksAnotherProtocolIsToldAndCounted) {
  std::string frame;
  wire::append_gateway_frame(frame, {.command = wire::Command::worker_connect}, {}, "{}");
  for (const std::string& bytes : {std::string("\x16\x03\x01\x02\x00\x01\x00", 7), frame}) {
    Peer peer(loop_, port_);
    peer.say(bytes);
    ASSERT_TRUE(closes(peer)) << "not only after 10 s";
    EXPECT_THAT(peer.lines(), ElementsAre("This is a register that speaks lines of text."));
  }
  EXPECT_EQ(register_->status().limits, (std::map<std::string, std::uint64_t>{{"refused", 2}}));
}

TEST_F(RegisterTest, AGatewayMayAnnounceAnotherAddress) {
  Peer worker(loop_, port_);
  worker.say(worker_line());
  Peer gateway(loop_, port_);
  gateway.say(gateway_line("10.0.0.1:2300"));
  ASSERT_TRUE(worker.hears(2));
  gateway.say(gateway_line("10.0.0.1:2400"));
  ASSERT_TRUE(worker.hears(3));
  EXPECT_EQ(worker.lines()[2], list_of({"10.0.0.1:2400"}));
}

TEST_F(RegisterTest, AWrongSecretIsClosedAndAnnouncesNothing) {
  Peer worker(loop_, port_);
  worker.say(worker_line());
  ASSERT_TRUE(worker.hears(1));
  for (const std::string secret : {"", "s3cre", "s3cret!", "S3cret"}) {
    Peer gateway(loop_, port_);
    gateway.say(wire::gateway_connect_line("127.0.0.1:2300", secret));
    EXPECT_TRUE(closes(gateway));
    EXPECT_THAT(gateway.lines(), IsEmpty());
    Peer stranger(loop_, port_);
    stranger.say(wire::worker_connect_line(secret));
    EXPECT_TRUE(closes(stranger));
    EXPECT_THAT(stranger.lines(), IsEmpty());
  }
  EXPECT_EQ(worker.lines().size(), 1U);
}

TEST_F(RegisterTest, TheSenderOfALineWithoutEventIsTold) {
  for (const std::string text : {"hello\n", "[]\n", "{}\n", "\n", "{\"event\":\"\"}\n", "GET / HTTP/1.1\r\n"}) {
    Peer peer(loop_, port_);
    peer.say(text);
    EXPECT_TRUE(closes(peer)) << text;
    EXPECT_THAT(peer.lines(), ElementsAre(HasSubstr("Bad request for Register service"))) << text;
  }
}

TEST_F(RegisterTest, AnUnknownEventIsClosed) {
  Peer peer(loop_, port_);
  peer.say("{\"event\":\"dance\",\"secret_key\":\"s3cret\"}\n");
  EXPECT_TRUE(closes(peer));
  EXPECT_THAT(peer.lines(), IsEmpty());
}

TEST_F(RegisterTest, AGatewayNeedsAnAddress) {
  for (const std::string& address : {std::string(), std::string("a b:1"), std::string("x\x01:1"), std::string(300, 'a')}) {
    Peer peer(loop_, port_);
    peer.say(gateway_line(address));
    EXPECT_TRUE(closes(peer)) << address;
  }
}

TEST_F(RegisterTest, AFirstLineAtTheLimitIsReadAndOnePastItRefused) {
  const std::string start = R"({"event":"ping","x":")";
  const std::string end = "\"}";
  const std::string fits = start + std::string(Register::kMaxFirstLineSize - start.size() - end.size(), 'x') + end;
  Peer good(loop_, port_);
  good.say(fits + "\n" + worker_line());
  EXPECT_TRUE(good.hears(1));
  Peer bad(loop_, port_);
  bad.say(fits + " \n");
  EXPECT_TRUE(closes(bad));
  Peer endless(loop_, port_);
  endless.say(std::string(Register::kMaxFirstLineSize + 1, '{'));
  EXPECT_TRUE(closes(endless));
}

TEST_F(RegisterTest, WrongSecretsAreCountedAndALineEachTenSeconds) {
  std::vector<std::string> lines;
  net::Loop loop(Log::to_function([&](LogLevel, std::string_view message) { lines.emplace_back(message); }));
  auto socket = net::listen_tcp(net::Endpoint::parse_numeric("127.0.0.1:0").value()).value();
  const std::uint16_t port = net::local_address(socket.fd()).port();
  Register server(loop, "s3cret");
  server.serve(std::move(socket));
  for (int i = 0; i < 30; ++i) {
    Peer peer(loop, port);
    peer.say(wire::worker_connect_line("guess"));
    ASSERT_TRUE(run_until(loop, [&] { return peer.is_closed(); }));
  }
  EXPECT_THAT(lines, ElementsAre(HasSubstr("showed a wrong secret_key")));
  EXPECT_EQ(server.status().limits.at("refused"), 30U);
}

// Strangers without number could each make it keep 64 KB for ten seconds.
TEST_F(RegisterTest, StrangersBeyondTheirNumberMakeWayInTheOrderInWhichTheyCame) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  constexpr rlim_t kNeeded = 2 * Register::kMostStrangers + 200;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, kNeeded));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur < kNeeded) GTEST_SKIP() << "only " << limit.rlim_cur << " descriptors are allowed";
  Peer worker(loop_, port_);
  worker.say(worker_line());
  ASSERT_TRUE(worker.hears(1));
  const net::Endpoint endpoint = net::Endpoint::parse_numeric("127.0.0.1:" + std::to_string(port_)).value();
  std::vector<net::Socket> strangers;
  const auto add = [&] {
    strangers.push_back(net::start_connect(endpoint).value());
    return run_until(loop_, [&] { return register_->status().connections == 1 + strangers.size(); });
  };
  while (strangers.size() < Register::kMostStrangers) ASSERT_TRUE(add());
  EXPECT_TRUE(register_->status().limits.empty());
  strangers.push_back(net::start_connect(endpoint).value());
  EXPECT_TRUE(run_until(loop_, [&] { return register_->status().limits.contains("strangers"); }));
  char byte = 0;
  EXPECT_TRUE(run_until(loop_, [&] { return ::recv(strangers.front().fd(), &byte, 1, MSG_DONTWAIT) == 0; }));
  EXPECT_EQ(register_->status().limits.at("strangers"), 1U);
  // Who shows the key is let in however many strangers there are, and stays.
  Peer late(loop_, port_);
  late.say(worker_line());
  EXPECT_TRUE(late.hears(1));
  EXPECT_FALSE(worker.is_closed());
}

TEST_F(RegisterTest, ALineAtTheLimitIsReadAndOnePastItRefused) {
  const std::string start = R"({"event":"ping","x":")";
  const std::string end = "\"}";
  const std::string fits = start + std::string(Register::kMaxLineSize - start.size() - end.size(), 'x') + end;
  Peer good(loop_, port_);
  good.say(worker_line() + fits + "\n" + worker_line());
  EXPECT_TRUE(good.hears(2)) << "of one that has shown the key";
  Peer bad(loop_, port_);
  bad.say(worker_line() + fits + " \n");
  EXPECT_TRUE(closes(bad));
  Peer endless(loop_, port_);
  endless.say(worker_line() + std::string(Register::kMaxLineSize + 1, '{'));
  EXPECT_TRUE(closes(endless));
}

// upstream-behaviour 5c.17: upstream's timer is disarmed by a ping without a key.
TEST_F(RegisterTest, OnlyAShownKeyEndsTheDeadline) {
  Peer silent(loop_, port_);
  Peer pinging(loop_, port_);
  Peer worker(loop_, port_);
  pinging.say(wire::ping_line());
  worker.say(worker_line());
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(run_until(loop_, [&] { return silent.is_closed() && pinging.is_closed(); }, Register::kFirstLineTimeoutMs + 2000));
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(Register::kFirstLineTimeoutMs - 100));
  EXPECT_FALSE(worker.is_closed());
}

TEST_F(RegisterTest, CountsForTheStatus) {
  Peer worker(loop_, port_);
  worker.say(worker_line());
  ASSERT_TRUE(worker.hears(1));
  const RoleStatus status = register_->status();
  EXPECT_EQ(status.listening, "text://127.0.0.1:" + std::to_string(port_));
  EXPECT_EQ(status.connections, 1U);
  EXPECT_EQ(status.messages_in, 1U);
  EXPECT_EQ(status.messages_out, 1U);
}

TEST_F(RegisterTest, StopsAndMayBeGoneWhileItsLoopRunsOn) {
  Peer worker(loop_, port_);
  worker.say(worker_line());
  ASSERT_TRUE(worker.hears(1));
  register_.reset();
  EXPECT_TRUE(closes(worker));
  run_for(loop_, 5);
}

}  // namespace
}  // namespace gatehouse
