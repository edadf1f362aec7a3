#include "gateway/inner_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "gateway/gateway_test_support.h"
#include "gateway/parts_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using wire::Command;
namespace flag = wire::flag;
using Strings = std::vector<std::string>;

GatewayOptions with_secret() {
  GatewayOptions options = TestGateway::options();
  options.secret_key = "s3cret";
  return options;
}

TEST(InnerPort, AnswersInTheOrderAsked) {
  TestGateway test;
  const auto worker = test.worker();
  const auto client = test.client();
  const std::uint32_t id = worker->events(Command::on_connect).at(0).header.connection_id;
  const auto commander = test.commander();
  for (int i = 0; i < 100; ++i) {
    commander->send(Command::set_session, id, "a:1:{i:0;i:" + std::to_string(i) + ";}", {});
    commander->send(Command::get_session_by_client_id, id, {}, {});
    commander->send(Command::is_online, id, {}, {});
  }
  ASSERT_TRUE(test.until([&] { return commander->answers().size() == 200; }));
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(commander->answers()[2 * i], "a:1:{i:0;i:" + std::to_string(i) + ";}");
    EXPECT_EQ(commander->answers()[2 * i + 1], "i:1;");
  }
}

TEST(InnerPort, FramesMayBeCutAnywhere) {
  TestGateway test;
  InnerPeer peer(test.inner_endpoint);
  std::string bytes;
  for (int i = 0; i < 3; ++i)
    wire::append_gateway_frame(bytes, {.command = Command::get_client_count_by_group}, "group", "ignored");
  for (const char byte : bytes) {
    peer.write({&byte, 1});
    test.loop.post([&] { test.loop.stop(); });
    test.loop.run();
  }
  ASSERT_TRUE(test.until([&] { return peer.answers() == Strings(3, "i:0;"); }));
}

TEST(InnerPort, TheSecretIsShownFirst) {
  TestGateway test(with_secret());
  test.secret = "s3cret";
  for (const char* secret : {"", "s3cre", "s3creT", "s3cret ", "s3cret\xff"}) {
    InnerPeer wrong(test.inner_endpoint);
    wrong.connect_as_worker("w:0", secret);
    ASSERT_TRUE(test.until([&] { return wrong.ended(); })) << secret;
    InnerPeer client(test.inner_endpoint);
    client.connect_as_client(secret);
    ASSERT_TRUE(test.until([&] { return client.ended(); })) << secret;
  }
  for (const Command command : {Command::ping, Command::send_to_all, Command::get_client_count_by_group, Command{99}}) {
    InnerPeer early(test.inner_endpoint);
    early.send(command, 0, {}, {});
    ASSERT_TRUE(test.until([&] { return early.ended(); }));
    EXPECT_EQ(early.socket.received, "");
  }
  // Nobody but the right one has become a worker.
  const auto worker = test.worker();
  const auto client = test.client();
  ASSERT_TRUE(test.until([&] { return worker->count(Command::on_websocket_connect) == 1; }));
  const auto commander = test.commander();
  commander->send(Command::get_client_count_by_group, 0, {}, {});
  ASSERT_TRUE(test.until([&] { return commander->answers() == Strings({"i:1;"}); }));
}

TEST(InnerPort, ASecretThatNobodyAskedForIsWrongToo) {
  TestGateway test;
  InnerPeer peer(test.inner_endpoint);
  peer.connect_as_client("s3cret");
  ASSERT_TRUE(test.until([&] { return peer.ended(); }));
}

// Strangers could make a gateway keep 64 KB for each of them.
TEST(InnerPort, LittleIsTakenFromStrangers) {
  TestGateway test(with_secret());
  const auto say_length = [&](std::size_t size) {
    auto peer = std::make_unique<InnerPeer>(test.inner_endpoint);
    char length[4];
    store_be32(length, static_cast<std::uint32_t>(size));
    peer->write({length, 4});
    return peer;
  };
  const auto at_the_limit = say_length(InnerPort::kMostBeforeSecret);
  const auto past_it = say_length(InnerPort::kMostBeforeSecret + 1);
  ASSERT_TRUE(test.until([&] { return past_it->ended(); }));
  EXPECT_FALSE(at_the_limit->ended());
}

TEST(InnerPort, ALongSecretFitsIntoAConnect) {
  GatewayOptions options = with_secret();
  options.secret_key = std::string(5000, '"');  // each of them two bytes in JSON
  TestGateway test(options);
  test.secret = options.secret_key;
  const auto worker = test.worker();
  EXPECT_FALSE(worker->ended());
}

TEST(InnerPort, StrangersBeyondTheirNumberMakeWayInTheOrderInWhichTheyCame) {
  Parts parts;
  InnerPort port(parts.loop, parts.workers, parts.forwarder, parts.commands, parts.questions, parts.limits,
                 {.secret_keys = SecretKeys("s"), .most_strangers = 3});
  net::Socket socket = net::listen_tcp(*net::Endpoint::parse_numeric("127.0.0.1:0")).value();
  const auto endpoint = *net::Endpoint::parse_numeric(net::local_address(socket.fd()).to_string());
  parts.loop.listen(std::move(socket), port);
  const auto until = [&](const std::function<bool()>& condition) { return run_until(parts.loop, condition); };
  std::vector<std::unique_ptr<InnerPeer>> members;
  for (int i = 0; i < 5; ++i) {
    members.push_back(std::make_unique<InnerPeer>(endpoint));
    members.back()->connect_as_client("s");
    ASSERT_TRUE(until([&] { return port.connections() == members.size() && port.strangers() == 0; }));
  }
  std::vector<std::unique_ptr<InnerPeer>> strangers;
  for (std::size_t i = 0; i < 3; ++i) {
    strangers.push_back(std::make_unique<InnerPeer>(endpoint));
    ASSERT_TRUE(until([&] { return port.strangers() == i + 1; }));
  }
  EXPECT_EQ(std::as_const(parts.limits).count(Limit::inner_strangers), 0U);
  strangers.push_back(std::make_unique<InnerPeer>(endpoint));
  ASSERT_TRUE(until([&] { return strangers[0]->ended(); }));
  EXPECT_EQ(std::as_const(parts.limits).count(Limit::inner_strangers), 1U);
  EXPECT_EQ(port.strangers(), 3U);
  // One that shows the secret is a stranger no more, and one that goes gives room.
  strangers[1]->connect_as_client("s");
  ASSERT_TRUE(until([&] { return port.strangers() == 2; }));
  strangers.push_back(std::make_unique<InnerPeer>(endpoint));
  ASSERT_TRUE(until([&] { return port.strangers() == 3; }));
  strangers.push_back(std::make_unique<InnerPeer>(endpoint));
  ASSERT_TRUE(until([&] { return strangers[2]->ended(); }));
  EXPECT_FALSE(strangers[1]->ended());
  for (const auto& each : members) EXPECT_FALSE(each->ended());
  EXPECT_EQ(std::as_const(parts.limits).count(Limit::inner_strangers), 2U);
}

TEST(InnerPort, GarbageIsRefusedAndOthersGoOn) {
  TestGateway test;
  const auto commander = test.commander();
  const auto length = [](std::uint32_t pack_len) {
    std::string bytes(4, '\0');
    store_be32(bytes.data(), pack_len);
    return bytes;
  };
  std::string ext_beyond = length(28) + std::string(24, '\0');
  store_be32(ext_beyond.data() + 24, 1);
  std::string unknown;
  wire::append_gateway_frame(unknown, {.command = Command{99}}, {}, {});
  std::string from_us;
  wire::append_gateway_frame(from_us, {.command = Command::on_message}, {}, {});
  std::string no_json;
  wire::append_gateway_frame(no_json, {.command = Command::worker_connect}, {}, "{");
  std::string no_key;
  wire::append_gateway_frame(no_key, {.command = Command::worker_connect}, {}, R"({"secret_key":""})");
  std::string number;
  wire::append_gateway_frame(number, {.command = Command::worker_connect}, {}, R"({"worker_key":7,"secret_key":""})");
  for (const std::string& bad :
       {std::string("GET / HTTP/1.1\r\n\r\n"), length(0), length(27), length(wire::kMostCommandFrame + 1), length(0xffffffffU),
        ext_beyond, unknown, from_us, no_json, no_key, number}) {
    InnerPeer peer(test.inner_endpoint);
    peer.write(bad);
    ASSERT_TRUE(test.until([&] { return peer.ended(); })) << wire::gateway_frame_size(0, 0) << ' ' << printable(bad);
  }
  commander->send(Command::is_online, 1, {}, {});
  ASSERT_TRUE(test.until([&] { return commander->answers() == Strings({"i:0;"}); }));
  EXPECT_LE(test.gateway->status().inner_connections, 2U);
}

/// A gateway's log, from info up.
struct LoggedGateway {
  explicit LoggedGateway(GatewayOptions options = TestGateway::options()) : gateway(loop, options, 0, nullptr) {
    net::Socket clients = net::listen_tcp(*net::Endpoint::parse_numeric("127.0.0.1:0")).value();
    net::Socket inner = net::listen_tcp(*net::Endpoint::parse_numeric("127.0.0.1:0")).value();
    endpoint = *net::Endpoint::parse_numeric(net::local_address(inner.fd()).to_string());
    gateway.serve(std::move(clients), std::move(inner));
  }
  Strings lines;
  net::Loop loop{Log::to_function([this](LogLevel, std::string_view message) { lines.emplace_back(message); })};
  Gateway gateway;
  net::Endpoint endpoint;
};

TEST(InnerPort, HealthProbesAreAnsweredOrIgnoredAndNotLogged) {
  for (const bool secret : {false, true}) {
    LoggedGateway test(secret ? with_secret() : TestGateway::options());
    for (const char* request :
         {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD /health HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.1\r\n\r\n"}) {
      Peer probe(test.endpoint);
      probe.write(request);
      ASSERT_TRUE(run_until(test.loop, [&] { return probe.ended(); }));
      EXPECT_TRUE(probe.socket.received.starts_with("HTTP/1.1 400 Bad Request\r\n")) << probe.socket.received;
    }
    {
      Peer knocks(test.endpoint);
      ASSERT_TRUE(run_until(test.loop, [&] { return test.gateway.status().inner_connections == 1; }));
    }
    ASSERT_TRUE(run_until(test.loop, [&] { return test.gateway.status().inner_connections == 0; }));
    EXPECT_EQ(test.lines, Strings());
    Peer garbage(test.endpoint);
    garbage.write("GARBAGE!");
    ASSERT_TRUE(run_until(test.loop, [&] { return garbage.ended(); }));
    EXPECT_EQ(test.lines.size(), 1U) << "what is no probe is worth a line";
  }
}

// Ten lines a second, for as long as somebody likes.
TEST(InnerPort, WrongSecretsAreALineWithACountAndNotALineEach) {
  LoggedGateway test(with_secret());
  for (int i = 0; i < 30; ++i) {
    InnerPeer wrong(test.endpoint);
    wrong.connect_as_worker("w:0", i % 2 == 0 ? "guess" : "");
    ASSERT_TRUE(run_until(test.loop, [&] { return wrong.ended(); }));
  }
  EXPECT_EQ(test.gateway.status().limits.at("inner_refused"), 30U);
  ASSERT_EQ(test.lines.size(), 1U);
  EXPECT_NE(test.lines[0].find("wrong secret_key"), std::string::npos);
  // Another kind of mistake has a line of its own.
  InnerPeer without(test.endpoint);
  without.send(Command::is_online, 1, {}, {});
  ASSERT_TRUE(run_until(test.loop, [&] { return without.ended(); }));
  EXPECT_EQ(test.lines.size(), 2U);
}

TEST(InnerPort, WhoDoesNotShowTheSecretInTimeIsEnded) {
  for (const bool secret : {true, false}) {
    Parts parts;
    InnerPort port(parts.loop, parts.workers, parts.forwarder, parts.commands, parts.questions, parts.limits,
                   {.secret_keys = SecretKeys(secret ? "s" : ""), .secret_ms = 300});
    net::Socket socket = net::listen_tcp(*net::Endpoint::parse_numeric("127.0.0.1:0")).value();
    const auto endpoint = *net::Endpoint::parse_numeric(net::local_address(socket.fd()).to_string());
    parts.loop.listen(std::move(socket), port);
    InnerPeer silent(endpoint);
    InnerPeer shows(endpoint);
    shows.connect_as_client(secret ? "s" : "");
    const auto ended = [&](Peer& peer, int ms) {
      const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
      EXPECT_TRUE(run_until(parts.loop, [&] {
        port.end_strangers();
        return peer.ended() || std::chrono::steady_clock::now() > end;
      }));
      return peer.ended();
    };
    EXPECT_EQ(ended(silent, secret ? 5000 : 400), secret);
    EXPECT_FALSE(ended(shows, 80));
  }
}

TEST(InnerPort, ACommandThatCannotBeReadIsPassedOver) {
  TestGateway test;
  const auto commander = test.commander();
  commander->send(Command::send_to_group, 0, "{", "x");
  commander->send(Command::send_to_all, 0, {}, "a:1:{", 0);
  commander->send(Command::is_online, 1, {}, {});
  ASSERT_TRUE(test.until([&] { return commander->answers() == Strings({"i:0;"}); }));
}

TEST(InnerPort, ALargeFramePasses) {
  TestGateway test;
  const auto worker = test.worker();
  const auto client = test.client();
  const auto commander = test.commander();
  const std::string message(5'000'000, 'm');
  commander->send(Command::send_to_all, 0, {}, message);
  ASSERT_TRUE(test.until([&] {
    commander->pump();
    return client->texts().size() == 1;
  }));
  EXPECT_EQ(client->messages[0].text, message);
}

TEST(InnerPort, WhoIsAtAWrongPortIsToldApart) {
  LoggedGateway test;
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9);
  for (const auto& [bytes, words] :
       {std::pair(hello, "it speaks TLS; inner_tls is set there, and not here"),
        std::pair(std::string("{\"event\":\"worker_connect\"}\n"), "its register_addresses name a wrong port"),
        std::pair(std::string("\xff\xff\xff\xffsomething else"), "it began with")}) {
    Peer peer(test.endpoint);
    peer.write(bytes);
    ASSERT_TRUE(run_until(test.loop, [&] { return peer.ended(); }));
    EXPECT_THAT(test.lines, ::testing::Contains(::testing::HasSubstr(words)));
    EXPECT_EQ(peer.socket.received, bytes == hello ? "This is an inner port that speaks no TLS.\n" : "");
  }
  EXPECT_EQ(test.gateway.status().limits["inner_refused"], 3U);
}

// Two programs on one machine, or behind one address, took each other's place twice a second.
TEST(InnerPort, TwoProgramsWithWorkersOfOneNameAreTwoWorkers) {
  LoggedGateway test;
  InnerPeer first(test.endpoint);
  InnerPeer second(test.endpoint);
  first.connect_as_worker("chat:0@00000001", {}, true);
  second.connect_as_worker("chat:0@00000002", {}, true);
  const auto welcomed = [](InnerPeer& peer) {
    peer.poll();
    return !peer.frames.empty();
  };
  ASSERT_TRUE(run_until(test.loop, [&] { return welcomed(first) && welcomed(second); }));
  EXPECT_FALSE(first.ended() || second.ended());
  const auto told = ::testing::Contains(::testing::HasSubstr("is here from two programs"));
  EXPECT_THAT(test.lines, told.Times(1));
  EXPECT_THAT(test.lines, ::testing::Contains(::testing::HasSubstr("worker 127.0.0.1:chat:0 is here")));
  // A reload brings another of the same program, which is nothing to be told.
  InnerPeer reloaded(test.endpoint);
  reloaded.connect_as_worker("chat:1@00000002~1", {}, true);
  InnerPeer before(test.endpoint);
  before.connect_as_worker("chat:1@00000002", {}, true);
  ASSERT_TRUE(run_until(test.loop, [&] { return welcomed(reloaded) && welcomed(before); }));
  EXPECT_THAT(test.lines, told.Times(1));
}

// It cut the worker's link, and every client waited for its event to be redelivered.
TEST(InnerPort, ATooLongCommandIsLostAndNotItsLink) {
  LoggedGateway test;
  InnerPeer peer(test.endpoint);
  peer.connect_as_client("");
  const auto answers = [&](std::size_t count) { return run_until(test.loop, [&] { return peer.answers().size() == count; }); };
  const auto frame = [](Command command, std::size_t size) {
    std::string bytes(size, 'z');
    wire::write_gateway_header(bytes.data(), {.command = command}, 0, size - wire::GatewayHeader::kSize);
    return bytes;
  };
  const auto passed_over = [&] { return test.gateway.status().limits["command_size"]; };
  peer.write(frame(Command::send_to_all, wire::kMostCommandFrame));
  peer.send(Command::is_online, 1, {}, {});
  ASSERT_TRUE(answers(1));
  EXPECT_EQ(passed_over(), 0U);
  // One byte more, and what is behind it in the same read.
  peer.write(frame(Command::send_to_all, wire::kMostCommandFrame + 1));
  peer.send(Command::is_online, 1, {}, {});
  ASSERT_TRUE(answers(2));
  EXPECT_EQ(passed_over(), 1U);
  EXPECT_THAT(test.lines,
              ::testing::Contains(::testing::AllOf(::testing::HasSubstr("command 6 of 33619969 bytes from 127.0.0.1:"),
                                                   ::testing::HasSubstr("passed over; 33619968 are the most for one"))));
  // Its header alone comes in pieces.
  const std::string cut = frame(Command::update_session, wire::kMostCommandFrame + 5);
  for (std::size_t at = 0; at < 30; ++at) {
    peer.write(cut.substr(at, 1));
    test.loop.post([&] { test.loop.stop(); });
    test.loop.run();
  }
  peer.write(cut.substr(30));
  peer.send(Command::is_online, 1, {}, {});
  ASSERT_TRUE(answers(3));
  EXPECT_EQ(passed_over(), 2U);
  EXPECT_EQ(test.gateway.status().inner_connections, 1U);
  // Without its answer, no later one would belong to its question.
  peer.write(frame(Command::batch_get_client_id_by_uid, wire::kMostCommandFrame + 1).substr(0, 100));
  ASSERT_TRUE(run_until(test.loop, [&] { return peer.ended(); }));
}

TEST(InnerPort, ASecondWorkerOfTheSameNameReplacesTheFirst) {
  TestGateway test;
  const auto first = test.worker("chat:0");
  const auto client = test.client();
  client->say("one");
  ASSERT_TRUE(test.until([&] { return first->said() == Strings({"one"}); }));
  const auto second = test.worker("chat:0");
  ASSERT_TRUE(test.until([&] { return first->ended(); }));
  client->say("two");
  ASSERT_TRUE(test.until([&] { return second->said() == Strings({"two"}); }));
  first->socket.close();
  client->say("three");
  ASSERT_TRUE(test.until([&] { return second->said() == Strings({"two", "three"}); }));
}

TEST(InnerPort, AWorkerThatNamesItselfAgainStaysAndMayChangeItsName) {
  TestGateway test;
  const auto worker = test.worker("chat:0");
  worker->connect_as_worker("chat:0");
  worker->connect_as_worker("chat:1");
  const auto other = test.worker("chat:0");
  const auto a = test.client();
  const auto b = test.client();
  ASSERT_TRUE(test.until(
      [&] { return worker->count(Command::on_websocket_connect) == 1 && other->count(Command::on_websocket_connect) == 1; }));
  EXPECT_FALSE(worker->ended());
}

TEST(InnerPort, ClientsGoToTheWorkerWithTheFewest) {
  TestGateway test;
  const auto a = test.worker("a:0");
  const auto b = test.worker("b:0");
  std::vector<std::unique_ptr<WebSocketPeer>> clients;
  for (int i = 0; i < 6; ++i) clients.push_back(test.client());
  ASSERT_TRUE(test.until([&] { return a->count(Command::on_websocket_connect) + b->count(Command::on_websocket_connect) == 6; }));
  EXPECT_EQ(a->count(Command::on_connect), 3U);
  EXPECT_EQ(b->count(Command::on_connect), 3U);
  // All events of one client go to one worker.
  for (auto& client : clients) client->say("x");
  ASSERT_TRUE(test.until([&] { return a->said().size() == 3 && b->said().size() == 3; }));
  // Those of b leave; the next ones go to b.
  for (const auto& event : b->events(Command::on_connect)) b->send(Command::destroy, event.header.connection_id, {}, {});
  ASSERT_TRUE(test.until([&] { return b->count(Command::on_close) == 3; }));
  for (int i = 0; i < 3; ++i) clients.push_back(test.client());
  ASSERT_TRUE(test.until([&] { return b->count(Command::on_websocket_connect) == 6; }));
  EXPECT_EQ(a->count(Command::on_connect), 3U);
}

TEST(InnerPort, TheExtensionIsSpokenOnlyToWhomAnnouncedIt) {
  TestGateway test(TestGateway::options(), nullptr, "[::]");
  const auto native = test.worker("native:0", true);
  const auto hello = native->events(Command::hello);
  ASSERT_EQ(hello.size(), 1U);
  wire::Hello said;
  EXPECT_TRUE(wire::parse_hello_body(hello[0].body, said));
  EXPECT_EQ(said.link, 0U) << "it did not say that it acknowledges events";
  EXPECT_EQ(hello[0].header.local_port, test.inner_port);
  EXPECT_EQ(hello[0].header.gateway_port, test.client_port);

  const auto session_then_binary = [&](InnerPeer& worker) {
    const auto client = test.client();
    EXPECT_TRUE(test.until([&] { return worker.count(Command::on_websocket_connect) == 1; }));
    const std::uint32_t id = worker.events(Command::on_connect)[0].header.connection_id;
    worker.send(Command::set_session, id, "a:0:{}", {});
    test.settle();
    client->say("bin\xff", wire::Opcode::binary);
    EXPECT_TRUE(test.until([&] { return worker.count(Command::on_message) == 1; }));
    client->write(WebSocketPeer::frame(std::string("\x0f\xa0why", 5), wire::Opcode::close));
    EXPECT_TRUE(test.until([&] { return worker.count(Command::on_close) == 1; }));
    return net::local_address(client->socket.fd()).port();
  };
  session_then_binary(*native);
  const std::string address = std::string(15, '\0') + '\x01';  // ::1
  const auto message = native->events(Command::on_message)[0];
  EXPECT_EQ(message.header.flags, flag::kScalar | flag::kBinary | flag::kAddress);
  EXPECT_EQ(message.ext_data, address + "a:0:{}");
  EXPECT_EQ(message.header.client_ip, 0U);
  const auto closed = native->events(Command::on_close)[0];
  EXPECT_EQ(closed.header.flags, flag::kScalar | flag::kCloseReason | flag::kAddress);
  EXPECT_EQ(closed.body, std::string("\x01\x0f\xa0why", 6));
  native->socket.close();
  test.settle();

  const auto php = test.worker("php:0");
  const std::uint16_t port = session_then_binary(*php);
  EXPECT_EQ(php->count(Command::hello), 0U);
  const std::uint32_t id = php->frames[0].header.connection_id;
  const auto expected = [&](Command command, std::uint8_t flags, std::string_view ext_data, std::string_view body) {
    std::string bytes;
    wire::append_gateway_frame(bytes,
                               {.command = command,
                                .flags = flags,
                                .local_ip = 0x7f000001U,
                                .local_port = test.inner_port,
                                .client_ip = 0,
                                .client_port = port,
                                .connection_id = id,
                                .gateway_port = test.client_port},
                               ext_data, body);
    return bytes;
  };
  ASSERT_EQ(php->frames.size(), 4U);
  EXPECT_EQ(php->frames[0].bytes, expected(Command::on_connect, 1, {}, {}));
  EXPECT_EQ(php->frames[1].bytes, expected(Command::on_websocket_connect, 0, {}, php->frames[1].body));
  EXPECT_EQ(php->frames[2].bytes, expected(Command::on_message, 1, "a:0:{}", "bin\xff"));
  EXPECT_EQ(php->frames[3].bytes, expected(Command::on_close, 1, "a:0:{}", {}));
}

TEST(InnerPort, WhoAsksAndDoesNotReadIsNotReadFrom) {
  TestGateway test;
  const auto worker = test.worker();
  const auto client = test.client();
  const auto commander = test.commander();
  const std::uint32_t id = worker->events(Command::on_connect).at(0).header.connection_id;
  const std::string session = "a:1:{i:0;s:100000:\"" + std::string(100'000, 's') + "\";}";
  commander->send(Command::set_session, id, session, {});
  commander->reading = false;
  std::uint64_t most = 0;
  constexpr std::size_t kQuestions = 10'000;
  for (std::size_t i = 0; i < kQuestions; ++i) commander->send(Command::is_online, id, {}, {});
  for (std::size_t i = 0; i < 400; ++i) commander->send(Command::get_session_by_client_id, id, {}, {});
  for (int i = 0; i < 50; ++i) {
    test.settle();
    commander->pump();
    most = std::max(most, test.gateway->status().queued_bytes);
  }
  EXPECT_GT(most, 1'000'000U);
  EXPECT_LT(most, 6'000'000U);
  commander->reading = true;
  ASSERT_TRUE(test.until([&] { return commander->answers().size() == kQuestions + 400; }));
  for (std::size_t i = 0; i < kQuestions; ++i) ASSERT_EQ(commander->answers()[i], "i:1;");
  for (std::size_t i = kQuestions; i < kQuestions + 400; ++i) ASSERT_EQ(commander->answers()[i], session);
}

}  // namespace
}  // namespace gatehouse::gateway
