#include <gatehouse/gateway_client.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>

#include "gateway/gateway.h"
#include "net/loop.h"
#include "register/register.h"
#include "wire/client_id.h"
#include "wire/register_line.h"
#include "wire/stream_protocols.h"

namespace gatehouse {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using Strings = std::vector<std::string>;

net::Socket listen_on(std::uint16_t port = 0) {
  return net::listen_tcp(net::Endpoint::parse_numeric("127.0.0.1:" + std::to_string(port)).value()).value();
}

std::string address_of(const net::Socket& socket) { return net::local_address(socket.fd()).to_string(); }

/// A plain blocking socket. Gives up after some seconds, so that a test fails instead of hanging.
class Peer {
 public:
  explicit Peer(const std::string& address) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const net::Endpoint endpoint = net::Endpoint::parse_numeric(address).value();
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_EQ(::connect(socket_.fd(), endpoint.address(), endpoint.length()), 0) << address;
  }
  void write(const std::string& bytes) {
    EXPECT_EQ(::send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  /// The next line; "(closed)" at the end, "(nothing)" when none comes.
  std::string line() {
    std::size_t end = 0;
    while ((end = buffer_.find('\n')) == std::string::npos) {
      char bytes[4096];
      const ssize_t got = ::recv(socket_.fd(), bytes, sizeof bytes, 0);
      if (got <= 0) return got == 0 || errno == ECONNRESET ? "(closed)" : "(nothing)";
      buffer_.append(bytes, static_cast<std::size_t>(got));
    }
    const std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return line;
  }

 private:
  net::Socket socket_;
  std::string buffer_;
};

/// A role on a thread and loop of its own. Its end is sudden, as that of a process that is killed.
class RoleThread {
 public:
  RoleThread() = default;
  virtual ~RoleThread() = default;

 protected:
  void run() {
    thread_ = std::thread([this] { loop_.run(); });
  }
  void end() {
    loop_.stop_from_any_thread();
    thread_.join();
  }
  net::Loop loop_{Log::silent()};

 private:
  std::thread thread_;
};

class RegisterThread : public RoleThread {
 public:
  explicit RegisterThread(const std::string& secret = "s3") : register_(loop_, secret) {
    net::Socket socket = listen_on();
    address = address_of(socket);
    register_.serve(std::move(socket));
    run();
  }
  ~RegisterThread() override { end(); }
  std::string address;

 private:
  Register register_;
};

class GatewayThread : public RoleThread {
 public:
  explicit GatewayThread(const std::string& register_address, std::uint16_t inner_port = 0)
      : gateway_(loop_,
                 GatewayOptions{.listen = "text://127.0.0.1:0", .register_addresses = {register_address}, .secret_key = "s3"}, 0,
                 wire::make_stream_protocol("text")) {
    net::Socket clients = listen_on();
    net::Socket inner = listen_on(inner_port);
    address = address_of(clients);
    inner_address = address_of(inner);
    port = net::local_address(inner.fd()).port();
    gateway_.serve(std::move(clients), std::move(inner));
    run();
  }
  ~GatewayThread() override { end(); }
  std::string address;        // for clients
  std::string inner_address;  // as the cluster knows it
  std::uint16_t port = 0;     // of inner_address

 private:
  Gateway gateway_;
};

template <class Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

class GatewayClientTest : public ::testing::Test {
 protected:
  GatewayClientOptions options() const {
    return {.register_addresses = {register_.address}, .secret_key = "s3", .question_timeout = 5s};
  }
  /// A client of a gateway, and its id: the one that has come.
  std::pair<std::unique_ptr<Peer>, std::string> join(GatewayClient& client, const GatewayThread& gateway) {
    const Strings before = client.client_ids();
    auto peer = std::make_unique<Peer>(gateway.address);
    std::string id;
    EXPECT_TRUE(eventually([&] {
      for (const std::string& each : client.client_ids()) {
        if (std::find(before.begin(), before.end(), each) == before.end()) id = each;
      }
      return !id.empty();
    }));
    return {std::move(peer), id};
  }
  RegisterThread register_;
  GatewayThread first_{register_.address};
  GatewayThread second_{register_.address};
};

TEST_F(GatewayClientTest, EveryCommandAndQuestion) {
  GatewayClient client(options());
  auto [a, id_a] = join(client, first_);
  auto [b, id_b] = join(client, second_);
  auto [c, id_c] = join(client, second_);
  EXPECT_EQ(client.client_count(), 3U);
  EXPECT_THAT(client.client_ids(), UnorderedElementsAre(id_a, id_b, id_c));
  EXPECT_TRUE(client.is_online(id_a));
  EXPECT_FALSE(client.is_online("7f00000108fc00000001"));

  client.bind_uid(id_a, "u1");
  client.bind_uid(id_b, "u1");
  client.bind_uid(id_c, "7");
  EXPECT_EQ(client.uid_by_client_id(id_c), "7");
  EXPECT_TRUE(client.is_uid_online("u1"));
  EXPECT_THAT(client.client_ids_by_uid("u1"), UnorderedElementsAre(id_a, id_b));
  EXPECT_THAT(client.are_uids_online({"u1", "7", "nobody"}),
              UnorderedElementsAre(Pair("u1", true), Pair("7", true), Pair("nobody", false)));
  EXPECT_THAT(client.client_ids_by_uids({"7", "nobody"}),
              UnorderedElementsAre(Pair("7", ElementsAre(id_c)), Pair("nobody", IsEmpty())));
  EXPECT_THAT(client.uids(), UnorderedElementsAre("u1", "7"));
  EXPECT_EQ(client.uid_count(), 2U);
  client.unbind_uid(id_c);
  EXPECT_EQ(client.uid_by_client_id(id_c), std::nullopt);

  client.join_group(id_a, "room");
  client.join_group(id_b, "room");
  client.join_group(id_c, "room");
  client.join_group(id_c, "7");
  EXPECT_THAT(client.groups_by_client_id(id_c), UnorderedElementsAre("room", "7"));
  EXPECT_EQ(client.client_count_by_group("room"), 3U);
  EXPECT_THAT(client.client_counts_by_groups({"room", "7", "none"}),
              UnorderedElementsAre(Pair("room", 3U), Pair("7", 1U), Pair("none", 0U)));
  EXPECT_THAT(client.client_ids_by_group("7"), ElementsAre(id_c));
  EXPECT_THAT(client.uids_by_group("room"), ElementsAre("u1"));
  EXPECT_EQ(client.uid_count_by_group("room"), 1U);
  EXPECT_THAT(client.group_ids(), UnorderedElementsAre("room", "7"));
  EXPECT_THAT(client.clients_by_all_groups(),
              UnorderedElementsAre(Pair("room", UnorderedElementsAre(id_a, id_b, id_c)), Pair("7", ElementsAre(id_c))));
  EXPECT_THAT(client.uids_by_all_groups(), ElementsAre(Pair("room", ElementsAre("u1"))));
  EXPECT_THAT(client.client_counts_by_all_groups(), UnorderedElementsAre(Pair("room", 3U), Pair("7", 1U)));
  EXPECT_THAT(client.uid_counts_by_all_groups(), ElementsAre(Pair("room", 1U)));

  client.set_session(id_a, {{"name", "Tom"}, {"n", 1}});
  client.update_session(id_a, {{"n", 2}});
  EXPECT_EQ(client.session(id_a), (Value{{"name", "Tom"}, {"n", 2}}));
  EXPECT_EQ(client.session(id_b), Value::object());
  EXPECT_TRUE(client.session("7f00000108fc00000001").is_null());
  EXPECT_THAT(client.sessions(), AllOf(SizeIs(3), Contains(Pair(id_a, (Value{{"name", "Tom"}, {"n", 2}})))));
  EXPECT_THAT(client.sessions_by_group("7"), ElementsAre(Pair(id_c, Value::object())));

  client.send_to_all("1 to all");
  client.send_to_all("2 to all but b", {.except = {id_b}});
  client.send_to_clients({id_a, id_b}, "3 to a and b");
  client.send_to_client(id_c, "4 to c");
  client.send_to_uid("u1", "5 to a and b");
  client.send_to_uid({"u1", "nobody"}, "6 to b", {.except = {id_a}});
  client.send_to_group("room", "7 to a and c", {.except = {id_b}});
  client.send_to_all("8 raw\n", {.raw = true});
  const auto expect = [](Peer& peer, const Strings& lines) {
    for (const std::string& line : lines) EXPECT_EQ(peer.line(), line);
  };
  expect(*a, {"1 to all", "2 to all but b", "3 to a and b", "5 to a and b", "7 to a and c", "8 raw"});
  expect(*b, {"1 to all", "3 to a and b", "5 to a and b", "6 to b", "8 raw"});
  expect(*c, {"1 to all", "2 to all but b", "4 to c", "7 to a and c", "8 raw"});

  client.leave_group(id_a, "room");
  EXPECT_EQ(client.client_count_by_group("room"), 2U);
  client.ungroup("room");
  EXPECT_EQ(client.client_count_by_group("room"), 0U);

  client.close_uid("u1", "bye");
  expect(*a, {"bye", "(closed)"});
  expect(*b, {"bye", "(closed)"});
  auto [d, id_d] = join(client, first_);
  client.close_client(id_c, "last words");
  expect(*c, {"last words", "(closed)"});
  client.destroy_client(id_d);
  expect(*d, {"(closed)"});
  EXPECT_EQ(client.client_count(), 0U);
}

TEST_F(GatewayClientTest, BadArgumentsThrowBeforeAnythingIsSent) {
  GatewayClient client(options());
  const std::string id = "7f00000108fc00000001";
  EXPECT_THROW(client.send_to_client("zz", "x"), std::invalid_argument);
  EXPECT_THROW(client.send_to_clients({id, "zz"}, "x"), std::invalid_argument);
  EXPECT_THROW(client.send_to_all("x", {.except = {"zz"}}), std::invalid_argument);
  EXPECT_THROW(client.send_to_uid("", "x"), std::invalid_argument);
  EXPECT_THROW(client.send_to_uid("u", "x", {.except = {"zz"}}), std::invalid_argument);
  EXPECT_THROW(client.send_to_group("0", "x"), std::invalid_argument);
  EXPECT_THROW(client.close_uid("\xff"), std::invalid_argument);
  EXPECT_THROW(client.close_client("", "x"), std::invalid_argument);
  EXPECT_THROW(client.destroy_client("zz"), std::invalid_argument);
  EXPECT_THROW(client.set_ping_interval("zz", std::nullopt), std::invalid_argument);
  EXPECT_THROW(client.set_ping_interval(id, std::chrono::seconds(-1)), std::invalid_argument);
  EXPECT_THROW(client.bind_uid(id, "0"), std::invalid_argument);
  EXPECT_THROW(client.unbind_uid("zz"), std::invalid_argument);
  EXPECT_THROW(client.join_group(id, "\xff"), std::invalid_argument);
  EXPECT_THROW(client.leave_group(id, ""), std::invalid_argument);
  EXPECT_THROW(client.ungroup("0"), std::invalid_argument);
  EXPECT_THROW(client.set_session(id, "text"), std::invalid_argument);
  EXPECT_THROW(client.set_session(id, {{"n", 0xffffffffffffffffULL}}), std::invalid_argument);
  Value deep = 1;
  for (int i = 0; i < 200; ++i) deep = Value{{"x", deep}};
  EXPECT_THROW(client.update_session(id, deep), std::invalid_argument);
  EXPECT_THROW(client.is_online("zz"), std::invalid_argument);
  EXPECT_THROW(client.are_uids_online(Strings{}), std::invalid_argument);
  EXPECT_THROW(client.client_counts_by_groups({"g", ""}), std::invalid_argument);
  EXPECT_THROW(client.sessions_by_group("0"), std::invalid_argument);
  EXPECT_THROW(GatewayClient({.register_addresses = {}}), std::invalid_argument);
}

// The caller hears of it, not a log on a thread of its own.
TEST_F(GatewayClientTest, ACallThatCarriesTooMuchThrowsInTheCaller) {
  GatewayClient client(options());
  const std::string id = "7f00000108fc00000001";
  const std::string over(32 * 1024 * 1024 + 1, 'x');
  const std::string half(over, over.size() / 2);
  const std::vector<std::function<void()>> all = {
      [&] { client.send_to_all(over); },
      [&] { client.send_to_clients({id}, over); },
      [&] { client.send_to_client(id, over); },
      [&] { client.send_to_uid("u", over); },
      [&] { client.send_to_group({half, half}, "x"); },
      [&] { client.close_client(id, over); },
      [&] { client.close_uid("u", over); },
      [&] { client.bind_uid(id, over); },
      [&] { client.join_group(id, over); },
      [&] { client.leave_group(id, over); },
      [&] { client.ungroup(over); },
      [&] { client.set_session(id, {{"s", over}}); },
      [&] { client.update_session(id, {{"s", over}}); },
      [&] { client.is_uid_online(over); },
      [&] { client.client_ids_by_uids({half, half}); },
      [&] { client.client_counts_by_groups({half, half}); },
      [&] { client.client_ids_by_group(over); },
      [&] { client.sessions_by_group(over); },
  };
  for (const auto& call : all) {
    EXPECT_THAT(call, ::testing::ThrowsMessage<std::invalid_argument>(HasSubstr("one call carries at most 33554432")));
  }
  EXPECT_NO_THROW(client.flush());
}

// In a child there is no thread that could answer, and its calls waited for ever.
TEST_F(GatewayClientTest, AChildOfForkIsToldAtOnceAndTheParentGoesOn) {
  auto client = std::make_unique<GatewayClient>(options());
  EXPECT_EQ(client->client_count(), 0U);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto is_told = [](auto call) {
      try {
        call();
      } catch (const std::logic_error& error) {
        return std::string_view(error.what()).find("made before fork()") != std::string_view::npos;
      }
      return false;
    };
    bool well = is_told([&] { client->send_to_all("x"); }) && is_told([&] { client->client_count(); });
    well = well && is_told([&] { client->flush(); });
    client.reset();
    _exit(well ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(client->client_count(), 0U);
  EXPECT_NO_THROW(client->flush());
}

TEST_F(GatewayClientTest, ManyThreadsAtOnce) {
  GatewayClient client(options());
  auto [a, id_a] = join(client, first_);
  auto [b, id_b] = join(client, second_);
  constexpr int kThreads = 8;
  constexpr int kRounds = 100;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t, &id = t % 2 == 0 ? id_a : id_b] {
      const std::string group = "group " + std::to_string(t);
      for (int i = 0; i < kRounds; ++i) {
        // Whatever the others do, a thread sees what it has commanded itself.
        client.join_group(id, group);
        if (client.client_count_by_group(group) != 1) ++wrong;
        client.leave_group(id, group);
        if (!client.client_ids_by_group(group).empty()) ++wrong;
        client.send_to_client(id_a, std::to_string(t) + " " + std::to_string(i));
      }
      client.flush();
    });
  }
  std::vector<int> next(kThreads, 0);
  for (int i = 0; i < kThreads * kRounds; ++i) {
    const std::string line = a->line();
    const auto t = static_cast<std::size_t>(line.at(0) - '0');
    ASSERT_LT(t, next.size()) << line;
    EXPECT_EQ(line, std::to_string(t) + " " + std::to_string(next[t]++)) << "the commands of a thread keep their order";
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(GatewayClientTest, SeveralClustersInOneProcess) {
  RegisterThread other_register;
  GatewayThread other_gateway(other_register.address);
  GatewayClient one(options());
  GatewayClient other({.register_addresses = {other_register.address}, .secret_key = "s3"});
  auto [a, id_a] = join(one, first_);
  EXPECT_TRUE(one.is_online(id_a));
  EXPECT_FALSE(other.is_online(id_a));
  EXPECT_EQ(other.client_count(), 0U);
}

TEST_F(GatewayClientTest, FlushTellsThatAllHasArrivedAndTheDestructorWaitsForIt) {
  std::unique_ptr<Peer> a;
  std::string id;
  {
    GatewayClient client(options());
    std::tie(a, id) = join(client, first_);
    for (int i = 0; i < 1000; ++i) client.send_to_client(id, "x");
    client.flush();
  }
  GatewayClient watching(options());
  {
    GatewayClient(options()).join_group(id, "made by one that was gone at once");
  }
  EXPECT_THAT(watching.groups_by_client_id(id), SizeIs(1));
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(a->line(), "x");
}

TEST_F(GatewayClientTest, AGatewayThatIsDownIsNamedAndTheOthersGoOn) {
  // It stands in the list, and nobody listens there.
  net::Socket unused = listen_on();
  const std::string dead = address_of(unused);
  unused = net::Socket();
  Peer announcing(register_.address);
  announcing.write(wire::gateway_connect_line(dead, "s3"));

  GatewayClientOptions its = options();
  its.question_timeout = 2s;
  GatewayClient client(its);
  Peer a(first_.address);
  Strings named;
  std::string what;
  ASSERT_TRUE(eventually([&] {
    try {
      client.client_count();
    } catch (const Error& error) {
      named = error.gateways();
      what = error.what();
    }
    return !named.empty();
  }));
  EXPECT_THAT(named, ElementsAre(dead));
  EXPECT_THAT(what, HasSubstr(dead));
  client.send_to_all("others get it");
  EXPECT_EQ(a.line(), "others get it");
  try {
    client.flush();
    ADD_FAILURE() << "flush did not tell that a gateway could not be written to";
  } catch (const Error& error) {
    EXPECT_THAT(error.gateways(), ElementsAre(dead));
  }
}

TEST_F(GatewayClientTest, AGatewayThatDoesNotAnswerIsNamedInTime) {
  const net::Socket silent = listen_on();  // the kernel accepts, nobody reads
  Peer announcing(register_.address);
  announcing.write(wire::gateway_connect_line(address_of(silent), "s3"));
  GatewayClientOptions its = options();
  its.question_timeout = 1s;  // enough for those that do answer, on any machine
  GatewayClient client(its);
  Strings named;
  ASSERT_TRUE(eventually([&] {
    try {
      client.client_count();
    } catch (const Error& error) {
      named = error.gateways();
    }
    return !named.empty();
  }));
  EXPECT_THAT(named, ElementsAre(address_of(silent)));
}

TEST_F(GatewayClientTest, GatewaysComeAndGo) {
  GatewayClient client(options());
  auto [a, id_a] = join(client, first_);
  auto third = std::make_unique<GatewayThread>(register_.address);
  auto [c, id_c] = join(client, *third);
  client.send_to_client(id_c, "hello");
  EXPECT_EQ(c->line(), "hello");
  const std::uint16_t port = third->port;
  third.reset();
  ASSERT_TRUE(eventually([&] {
    try {
      return client.client_count() == 1;
    } catch (const Error& error) {
      EXPECT_THAT(error.gateways(), ElementsAre("127.0.0.1:" + std::to_string(port)));
      return false;
    }
  })) << "the register does not list it any more";
  GatewayThread again(register_.address, port);
  auto [d, id_d] = join(client, again);
  client.send_to_client(id_d, "hello");
  EXPECT_EQ(d->line(), "hello");
}

TEST_F(GatewayClientTest, CommandsThatWereLostOnTheWayAreToldOnce) {
  // The kernel accepts, nobody reads; then it is gone, and no longer listed.
  net::Socket silent = listen_on();
  const std::string address = address_of(silent);
  auto announcing = std::make_unique<Peer>(register_.address);
  announcing->write(wire::gateway_connect_line(address, "s3"));
  GatewayClientOptions its = options();
  its.question_timeout = 300ms;
  GatewayClient client(its);
  const auto answered = [&] {
    try {
      return client.client_count() == 0;
    } catch (const Error&) {
      return false;
    }
  };
  ASSERT_TRUE(eventually([&] { return !answered(); }));
  client.send_to_all("lost");
  EXPECT_FALSE(answered());
  silent = net::Socket();
  announcing.reset();
  ASSERT_TRUE(eventually(answered));
  try {
    client.flush();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.gateways(), ElementsAre(address));
  }
  client.flush();
}

TEST(GatewayClientAlone, SaysThatNoRegisterCanBeReached) {
  net::Socket unused = listen_on();
  const std::string address = address_of(unused);
  unused = net::Socket();
  GatewayClient client({.register_addresses = {address}, .connect_timeout = 200ms});
  const auto start = std::chrono::steady_clock::now();
  for (const bool flush : {false, true}) {
    try {
      client.send_to_all("x");
      if (flush) client.flush();
      client.client_count();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("no register"), HasSubstr(address), HasSubstr("Connection refused")));
      EXPECT_THAT(error.gateways(), IsEmpty());
    }
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s);
}

TEST(GatewayClientAlone, AWrongSecretIsSuspected) {
  RegisterThread guarded("another");
  GatewayClient client({.register_addresses = {guarded.address}, .secret_key = "s3", .connect_timeout = 1s});
  try {
    client.client_count();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("secret_key"));
  }
}

TEST(GatewayClientAlone, AnEmptyClusterHasNobody) {
  RegisterThread lonely;
  GatewayClient client({.register_addresses = {lonely.address}, .secret_key = "s3"});
  EXPECT_EQ(client.client_count(), 0U);
  client.send_to_all("x");
  client.flush();
}

TEST(GatewayClientAlone, LogsToWhomItIsToldTo) {
  RegisterThread register_thread;
  std::promise<std::string> promise;
  std::atomic<bool> told = false;
  GatewayClient client({.register_addresses = {register_thread.address},
                        .secret_key = "s3",
                        .log = [&](std::string_view level, std::string_view message) {
                          if (!told.exchange(true)) promise.set_value(std::string(level) + ": " + std::string(message));
                        }});
  EXPECT_EQ(client.client_count(), 0U);
  EXPECT_THAT(promise.get_future().get(), AllOf(HasSubstr("info: "), HasSubstr(register_thread.address)));
}

}  // namespace
}  // namespace gatehouse
