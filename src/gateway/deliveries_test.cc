#include "gateway/deliveries.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "gateway/acking_worker_test_support.h"
#include "wire/http_head.h"
#include "wire/websocket_handshake.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using wire::Command;
namespace flag = wire::flag;
using Strings = std::vector<std::string>;

GatewayOptions in_turn() {
  GatewayOptions options = TestGateway::options();
  options.router = route_in_turn();
  return options;
}

/// A handshake goes from a worker that dies to one of each other kind, which all know it in their own form.
void expect_each_in_its_words(const char* listen, const char* address) {
  TestGateway test(TestGateway::options(), nullptr, listen);
  auto native = std::make_unique<AckingWorker>(test, "native:0");
  const std::string request = WebSocketPeer::request("/chat?a=b", "X-A: 1\r\n");
  WebSocketPeer client(test.client_endpoint);
  client.write(request);
  ASSERT_TRUE(test.until([&] { return native->events->count(Command::on_websocket_connect) == 1; }));
  const auto first = native->events->events(Command::on_websocket_connect).at(0);
  const auto is_six = static_cast<std::uint8_t>(first.header.flags & flag::kAddress);
  EXPECT_EQ(is_six != 0, std::string_view(address) == "::1");
  EXPECT_EQ(first.header.flags, flag::kScalar | is_six);
  EXPECT_EQ(first.body, request);
  native->finish(0, 1);
  test.commander()->send(Command::set_session, first.header.connection_id, "a:0:{}", {});
  test.settle();

  wire::HttpHead head;
  ASSERT_EQ(wire::parse_http_head(request, 0, head).status, wire::HttpStatus::complete);
  const std::string array = wire::handshake_body(head, address, net::local_address(client.socket.fd()).port(), test.client_port);
  const auto take_over = [&](std::unique_ptr<AckingWorker> next) {
    native->die();
    EXPECT_TRUE(test.until([&] { return next->events->count(Command::on_websocket_connect) == 1; }));
    native = std::move(next);
    return native->events->events(Command::on_websocket_connect).at(0);
  };
  const auto again = take_over(std::make_unique<AckingWorker>(test, "native:1"));
  EXPECT_EQ(again.header.flags, flag::kScalar | flag::kRedelivered | is_six);
  EXPECT_EQ(again.body, request);
  const auto older = take_over(std::make_unique<AckingWorker>(test, "older:0", wire::Delivery::at_least_once, '1'));
  EXPECT_EQ(older.header.flags, flag::kRedelivered | is_six) << "that version knows the array alone";
  EXPECT_EQ(older.body, array);
  EXPECT_TRUE(older.ext_data.ends_with("a:0:{}"));
  // What was an array stays one.
  test.settle();
  const auto php = test.worker("php:0");
  native->die();
  ASSERT_TRUE(test.until([&] { return php->count(Command::on_websocket_connect) == 1; }));
  const auto told = php->events(Command::on_websocket_connect).at(0);
  EXPECT_EQ(told.header.flags, 0);
  EXPECT_EQ(told.ext_data, "a:0:{}");
  EXPECT_EQ(told.body, array);
  EXPECT_EQ(php->count(Command::on_connect), 0U) << "finished";
}

TEST(Deliveries, AHandshakeIsToldToEachWorkerInItsWords) { expect_each_in_its_words("127.0.0.1", "127.0.0.1"); }

TEST(Deliveries, AHandshakeOfAnIPv6ClientIsToldToEachWorkerInItsWords) { expect_each_in_its_words("[::]", "::1"); }

TEST(Deliveries, WhereEachEventIsRoutedTheNextWaitsUntilTheLastIsFinished) {
  TestGateway test(in_turn());
  AckingWorker a(test, "w:0");
  AckingWorker b(test, "w:1");
  // The two events of its coming, one after the other.
  WebSocketPeer client(test.client_endpoint);
  client.write(WebSocketPeer::request() + WebSocketPeer::frame("1") + WebSocketPeer::frame("2") + WebSocketPeer::frame("3"));
  ASSERT_TRUE(test.until([&] { return a.events->count(Command::on_connect) == 1; }));
  test.settle();
  EXPECT_EQ(b.events->frames.size(), 1U) << "the hello";
  a.finish(0, 1);
  ASSERT_TRUE(test.until([&] { return b.events->count(Command::on_websocket_connect) == 1; }));
  b.finish(0, 1);
  ASSERT_TRUE(test.until([&] { return a.said() == Strings{"1"}; }));
  // What its handler writes is there for the next.
  const std::uint32_t id = a.events->frames.back().header.connection_id;
  const auto commander = test.commander();
  commander->send(Command::set_session, id, "a:1:{s:1:\"n\";i:1;}", {});
  test.settle();
  EXPECT_EQ(b.said(), Strings());
  a.finish(1, 1);
  ASSERT_TRUE(test.until([&] { return b.said() == Strings{"2"}; }));
  EXPECT_EQ(b.events->frames.back().ext_data, "a:1:{s:1:\"n\";i:1;}");
  b.finish(1, 1);
  ASSERT_TRUE(test.until([&] { return a.said() == Strings({"1", "3"}); }));
  a.finish(2, 1);
  client.socket.close();
  ASSERT_TRUE(test.until([&] { return b.events->count(Command::on_close) == 1; }));
  EXPECT_EQ(a.events->count(Command::on_close), 0U);
}

TEST(Deliveries, WhereEachEventIsRoutedAClientThatIsDestroyedIsHeardOfByTheWorkerThatHasItsLastEvent) {
  TestGateway test(in_turn());
  AckingWorker a(test, "w:0");
  AckingWorker b(test, "w:1");
  WebSocketPeer client(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return a.events->count(Command::on_connect) == 1; }));
  const auto commander = test.commander();
  commander->send(Command::destroy, a.events->frames.back().header.connection_id, {}, {});
  ASSERT_TRUE(test.until([&] { return a.events->count(Command::on_close) == 1; }));
  EXPECT_EQ(b.events->count(Command::on_close), 0U);
  a.finish_all();
  test.settle();
  const auto next = std::make_unique<WebSocketPeer>(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return b.events->count(Command::on_connect) + a.events->count(Command::on_connect) == 2; }));
}

TEST(Deliveries, WhereEachEventIsRoutedADeadWorkersEventComesBeforeTheNext) {
  TestGateway test(in_turn());
  AckingWorker a(test, "w:0");
  AckingWorker b(test, "w:1");
  const auto client = [&] {
    auto peer = std::make_unique<WebSocketPeer>(test.client_endpoint);
    peer->write(WebSocketPeer::request() + WebSocketPeer::frame("1") + WebSocketPeer::frame("2"));
    return peer;
  }();
  ASSERT_TRUE(test.until([&] { return a.events->count(Command::on_connect) == 1; }));
  a.finish(0, 1);
  ASSERT_TRUE(test.until([&] { return b.events->count(Command::on_websocket_connect) == 1; }));
  b.finish(0, 1);
  ASSERT_TRUE(test.until([&] { return a.said() == Strings{"1"}; }));
  a.die();
  ASSERT_TRUE(test.until([&] { return b.said() == Strings{"1"}; }));
  test.settle();
  EXPECT_EQ(b.said(), Strings{"1"});
  EXPECT_EQ(b.marks(), std::vector<bool>{true});
  b.finish(1, 1);
  ASSERT_TRUE(test.until([&] { return b.said() == Strings({"1", "2"}); }));
}

TEST(Deliveries, WhatADeadWorkerHadNotFinishedGoesToAnotherInOrderAndMarked) {
  TestGateway test;
  AckingWorker first(test, "a:0");
  const auto one = test.client();
  const auto two = test.client();
  one->say("1a");
  ASSERT_TRUE(test.until([&] { return first.said().size() == 1; }));
  two->say("2a");
  ASSERT_TRUE(test.until([&] { return first.said().size() == 2; }));
  first.finish(0, 5);  // on_connect and on_websocket_connect of both, and 1a
  one->say("1b");
  one->say("1c");
  ASSERT_TRUE(test.until([&] { return first.said().size() == 4; }));
  test.settle();
  AckingWorker second(test, "b:0");
  first.die();
  ASSERT_TRUE(test.until([&] { return second.said() == Strings({"2a", "1b", "1c"}); }));
  EXPECT_EQ(second.marks(), std::vector<bool>(3, true));
  EXPECT_EQ(second.events->count(Command::on_connect), 0U);
  one->say("1d");
  ASSERT_TRUE(test.until([&] { return second.said() == Strings({"2a", "1b", "1c", "1d"}); }));
  EXPECT_FALSE(second.marks().back());
  // The same bytes but the mark, the session of now included.
  const auto again = second.events->events(Command::on_message)[0];
  const auto before = first.events->events(Command::on_message)[1];
  EXPECT_EQ(again.header.flags, before.header.flags | flag::kRedelivered);
  EXPECT_EQ(again.header.connection_id, before.header.connection_id);
  EXPECT_EQ(again.header.client_ip, before.header.client_ip);
  EXPECT_EQ(again.header.client_port, before.header.client_port);
}

TEST(Deliveries, WithoutAnotherWorkerTheyWaitInFrontOfWhatIsSaidMeanwhile) {
  TestGateway test;
  AckingWorker first(test, "a:0");
  const auto client = test.client();
  client->say("1");
  client->say("2");
  ASSERT_TRUE(test.until([&] { return first.said().size() == 2; }));
  first.finish(0, 2);
  first.die();
  client->say("3");
  client->say("4");
  test.settle();
  AckingWorker second(test, "a:0");
  ASSERT_TRUE(test.until([&] { return second.said() == Strings({"1", "2", "3", "4"}); }));
  EXPECT_EQ(second.marks(), std::vector<bool>({true, true, false, false}));
}

TEST(Deliveries, TheSessionIsTheOneOfNow) {
  TestGateway test;
  AckingWorker first(test, "a:0");
  const auto client = test.client();
  client->say("x");
  ASSERT_TRUE(test.until([&] { return first.said().size() == 1; }));
  const auto commander = test.commander();
  commander->send(Command::set_session, first.events->events(Command::on_message)[0].header.connection_id, "a:1:{i:0;i:7;}", {});
  test.settle();
  first.die();
  AckingWorker second(test, "b:0");
  ASSERT_TRUE(test.until([&] { return second.said().size() == 1; }));
  EXPECT_EQ(second.events->events(Command::on_message)[0].ext_data, "a:1:{i:0;i:7;}");
}

TEST(Deliveries, OfAClientThatHasGoneEverythingGoesToOneWorker) {
  TestGateway test;
  AckingWorker first(test, "a:0");
  auto client = test.client();
  client->say("1");
  client->say("2");
  ASSERT_TRUE(test.until([&] { return first.said().size() == 2; }));
  client->socket.close();
  ASSERT_TRUE(test.until([&] { return first.events->count(Command::on_close) == 1; }));
  AckingWorker second(test, "b:0");
  AckingWorker third(test, "c:0");
  first.die();
  ASSERT_TRUE(test.until([&] {
    second.events->poll();
    third.events->poll();
    return second.events->frames.size() + third.events->frames.size() == 2 + 5;  // each had a hello
  }));
  AckingWorker& heard = second.said().empty() ? third : second;
  EXPECT_EQ(heard.said(), Strings({"1", "2"}));
  EXPECT_EQ(heard.events->frames.back().header.command, Command::on_close);
  EXPECT_EQ(heard.events->frames.back().body[0], 1) << "the reason of its end is still there";
}

TEST(Deliveries, AtMostOnceIsNeverTwice) {
  TestGateway test;
  AckingWorker first(test, "a:0", wire::Delivery::at_most_once);
  const auto client = test.client();
  client->say("1");
  ASSERT_TRUE(test.until([&] { return first.said().size() == 1; }));
  AckingWorker second(test, "b:0");
  first.die();
  test.settle();
  client->say("2");
  ASSERT_TRUE(test.until([&] { return second.said().size() == 1; }));
  EXPECT_EQ(second.said(), Strings({"2"}));
  EXPECT_EQ(second.events->frames.size(), 2U) << "hello and a message";
}

TEST(Deliveries, PhpWorkersGetWhatANativeOneHadWithoutAnythingTheyDoNotKnow) {
  TestGateway test;
  AckingWorker first(test, "a:0");
  const auto client = test.client();
  client->say("1");
  ASSERT_TRUE(test.until([&] { return first.said().size() == 1; }));
  const auto php = test.worker("php:0");
  first.die();
  ASSERT_TRUE(test.until([&] { return php->said() == Strings({"1"}); }));
  EXPECT_EQ(php->events(Command::on_message)[0].header.flags, flag::kScalar);
  // It acknowledges nothing, and what it had goes nowhere.
  AckingWorker second(test, "b:0");
  php->socket.reset();
  test.settle();
  client->say("2");
  ASSERT_TRUE(test.until([&] { return second.said() == Strings({"2"}); }));
}

TEST(Deliveries, ClientsAreNotReadFromWhileTooMuchIsUnfinished) {
  GatewayOptions options = TestGateway::options();
  options.unfinished_buffer_size = 100'000;
  TestGateway test(options);
  AckingWorker worker(test, "a:0");
  const auto client = test.client();
  ASSERT_TRUE(test.until([&] { return worker.events->count(Command::on_websocket_connect) == 1; }));
  worker.finish_all();
  std::string all;
  for (int i = 0; i < 16'000; ++i) all += WebSocketPeer::frame(std::to_string(i) + std::string(1000, '.'));
  client->write(all);
  const auto heard = [&] {
    client->pump();
    worker.events->poll();
    return worker.events->frames.size() - 3;  // hello, on_connect, on_websocket_connect
  };
  std::size_t before = 0;
  ASSERT_TRUE(test.until([&] {
    for (int i = 0; i < 100; ++i) client->pump();
    const std::size_t now = heard();
    return std::exchange(before, now) == now && before > 50;
  }));
  EXPECT_LT(before, 120U);
  EXPECT_GT(client->unwritten(), 1'000'000U);
  // Half of it has to be finished before it goes on.
  worker.finish(2, 10);
  test.settle();
  EXPECT_EQ(heard(), before);
  ASSERT_TRUE(test.until([&] {
    worker.finish_all();
    return heard() == 16'000;
  }));
  std::size_t next = 0;
  for (const std::string& message : worker.said()) ASSERT_TRUE(message.starts_with(std::to_string(next++) + "."));
}

TEST(Deliveries, AWorkerThatLeavesFinishesWhatItHasBeforeItsClientsGoElsewhere) {
  TestGateway test;
  AckingWorker old(test, "a:0");
  const auto busy = test.client();
  const auto idle = test.client();
  busy->say("1");
  ASSERT_TRUE(test.until([&] { return old.said().size() == 1; }));
  ASSERT_TRUE(test.until([&] { return old.events->count(Command::on_websocket_connect) == 2; }));
  old.finish(0, 4);
  const std::uint64_t unfinished = old.events->events(Command::on_message).size();
  ASSERT_EQ(unfinished, 1U);
  test.settle();
  AckingWorker fresh(test, "a:0~1");
  old.leave();
  test.settle();
  busy->say("2");
  idle->say("hello");
  ASSERT_TRUE(test.until([&] { return fresh.said() == Strings({"hello"}); }));
  EXPECT_FALSE(old.ended());
  EXPECT_EQ(old.said(), Strings({"1"}));
  old.finish_all();
  ASSERT_TRUE(test.until([&] { return fresh.said() == Strings({"hello", "2"}) && old.ended(); }));
  EXPECT_EQ(fresh.marks(), std::vector<bool>(2, false));
  busy->say("3");
  ASSERT_TRUE(test.until([&] { return fresh.said() == Strings({"hello", "2", "3"}); }));
}

TEST(Deliveries, WhoClosesWhileAWorkerLeavesIsReportedAfterWhatItSaid) {
  TestGateway test;
  AckingWorker old(test, "a:0");
  auto client = test.client();
  client->say("1");
  ASSERT_TRUE(test.until([&] { return old.said().size() == 1; }));
  AckingWorker fresh(test, "b:0");
  old.leave();
  test.settle();
  const auto commander = test.commander();
  commander->send(Command::destroy, old.events->events(Command::on_message)[0].header.connection_id, {}, {});
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  test.settle();
  EXPECT_EQ(fresh.events->count(Command::on_close), 0U);
  old.finish_all();
  ASSERT_TRUE(test.until([&] { return fresh.events->count(Command::on_close) == 1 && old.ended(); }));
  EXPECT_EQ(old.events->count(Command::on_close), 0U);
}

TEST(Deliveries, AWorkerThatDiesWhileItLeavesLosesNothingEither) {
  TestGateway test;
  AckingWorker old(test, "a:0");
  const auto client = test.client();
  client->say("1");
  ASSERT_TRUE(test.until([&] { return old.said().size() == 1; }));
  AckingWorker fresh(test, "b:0");
  old.leave();
  client->say("2");
  test.settle();
  old.die();
  ASSERT_TRUE(test.until([&] { return fresh.said() == Strings({"1", "2"}); }));
  EXPECT_EQ(fresh.marks(), std::vector<bool>({true, false}));
}

// What waited for the one that left has not waited for a worker at all yet.
TEST(Deliveries, WhoWaitedForAWorkerToFinishBeginsToWaitForAnotherOnlyThen) {
  GatewayOptions options = TestGateway::options();
  options.no_worker_timeout = milliseconds(1500);
  TestGateway test(options);
  for (const bool dies : {false, true}) {
    AckingWorker old(test, "a:0");
    const auto client = test.client();
    client->say("1");
    ASSERT_TRUE(test.until([&] { return old.said().size() == 1; }));
    old.finish(0, 2);
    old.leave();
    test.settle();
    client->say("2");
    net::testing::run_for(test.loop, milliseconds(1600));
    if (dies) {
      old.die();
    } else {
      old.finish_all();
    }
    net::testing::run_for(test.loop, milliseconds(1100));  // over a look at who has waited too long
    EXPECT_FALSE(client->ended());
    AckingWorker fresh(test, "b:0");
    EXPECT_TRUE(test.until([&] { return fresh.said() == (dies ? Strings({"1", "2"}) : Strings({"2"})); }));
    fresh.finish_all();
    fresh.leave();
    ASSERT_TRUE(test.until([&] { return fresh.ended(); }));
  }
}

TEST(Deliveries, ADeadWorkersClientIsNotReadFromUntilItsEventHasAWorker) {
  TestGateway test;
  AckingWorker old(test, "a:0");
  const auto client = test.client();
  client->say("1");
  ASSERT_TRUE(test.until([&] { return old.said().size() == 1; }));
  old.finish(0, 2);
  old.leave();
  test.settle();
  const std::uint64_t before = test.gateway->status().messages_in;
  old.die();
  test.settle();
  client->say("2");
  net::testing::run_for(test.loop, milliseconds(20));
  test.settle();
  EXPECT_EQ(test.gateway->status().messages_in, before);
  AckingWorker fresh(test, "b:0");
  EXPECT_TRUE(test.until([&] { return fresh.said() == Strings({"1", "2"}); }));
}

TEST(Deliveries, AWorkerWithoutAnythingToDoIsLetGoAtOnce) {
  TestGateway test;
  AckingWorker worker(test, "a:0");
  worker.leave();
  ASSERT_TRUE(test.until([&] { return worker.ended(); }));
  const auto client = std::make_unique<WebSocketPeer>(test.client_endpoint);
  AckingWorker next(test, "a:0");
  ASSERT_TRUE(test.until([&] { return next.events->count(Command::on_connect) == 1; }));
}

TEST(Deliveries, AnEventThatEndsOneWorkerAfterTheOtherCostsItsClientOnly) {
  TestGateway test;
  const auto deadly = std::make_unique<WebSocketPeer>(test.client_endpoint);
  const auto other = std::make_unique<WebSocketPeer>(test.client_endpoint);
  for (int death = 0; death < 3; ++death) {
    AckingWorker worker(test, "a:0");
    if (death == 0) {
      deadly->shake_hands();
      other->shake_hands();
      ASSERT_TRUE(test.until([&] {
        deadly->poll();
        other->poll();
        return deadly->is_open() && other->is_open() && worker.events->count(Command::on_websocket_connect) == 2;
      }));
      worker.finish_all();
      deadly->say("poison");
      ASSERT_TRUE(test.until([&] { return worker.said().size() == 1; }));
      other->say("harmless");
    }
    ASSERT_TRUE(test.until([&] { return worker.said() == Strings({"poison", "harmless"}); })) << death;
    if (death > 0) {
      worker.finish(0, 1, Command::begun);
      test.settle();
    }
    worker.die();
    test.settle();
  }
  AckingWorker last(test, "a:0");
  ASSERT_TRUE(test.until([&] { return last.said() == Strings({"harmless"}); }));
  ASSERT_TRUE(test.until([&] { return deadly->ended(); }));
  EXPECT_EQ(deadly->close_code, 1011);
  other->say("goes on");
  ASSERT_TRUE(test.until([&] { return last.said() == Strings({"harmless", "goes on"}); }));
}

TEST(Deliveries, AWorkerThatHangsIsGivenUp) {
  GatewayOptions options = TestGateway::options();
  options.worker_timeout = milliseconds(1500);
  TestGateway test(options);
  AckingWorker hung(test, "a:0");
  EXPECT_EQ(hung.hello.timeout_ms, 1500U);
  const auto client = test.client();
  client->say("1");
  ASSERT_TRUE(test.until([&] { return hung.said().size() == 1; }));
  AckingWorker alive(test, "b:0");
  ASSERT_TRUE(test.until([&] {
    alive.events->send(Command::ping, 0, {}, {});
    return alive.said() == Strings({"1"});
  }));
  ASSERT_TRUE(test.until([&] { return hung.ended(); }));
  EXPECT_FALSE(alive.ended());
}

// All of an instance stopped and continued, or the machine it runs on: nobody could say anything.
TEST(Deliveries, AWorkerIsNotGivenUpForTheTimeInWhichTheGatewayItselfStoodStill) {
  GatewayOptions options = TestGateway::options();
  options.worker_timeout = milliseconds(1200);
  TestGateway test(options);
  AckingWorker worker(test, "a:0");
  const auto client = test.client();
  client->say("1");
  ASSERT_TRUE(test.until([&] { return worker.said().size() == 1; }));
  net::testing::run_for(test.loop, milliseconds(1050));  // it has looked at the workers once
  worker.events->send(Command::ping, 0, {}, {});
  test.settle();
  std::this_thread::sleep_for(milliseconds(2200));
  net::testing::run_for(test.loop, milliseconds(50));
  EXPECT_FALSE(worker.ended());
  worker.events->send(Command::ping, 0, {}, {});
  client->say("2");
  EXPECT_TRUE(test.until([&] { return worker.said() == Strings({"1", "2"}); }));
  // From then on its time runs again.
  EXPECT_TRUE(test.until([&] { return worker.ended(); }));
}

TEST(Deliveries, WhatCannotBeMeantHurtsNobody) {
  TestGateway test;
  AckingWorker worker(test, "a:0");
  const auto client = test.client();
  client->say("1");
  ASSERT_TRUE(test.until([&] { return worker.said().size() == 1; }));
  worker.finish(100, 1);
  worker.finish(0xffffffffffffffffU, 0xffffffffU);
  worker.finish(99, 1, Command::begun);
  const auto commander = test.commander();
  commander->send(Command::finished, worker.hello.link + 1, {}, std::string(12, 'x'));
  test.settle();
  commander->send(Command::finished, worker.hello.link, {}, std::string(13, 'x'));
  ASSERT_TRUE(test.until([&] { return commander->ended(); }));
  // One that does not acknowledge cannot leave in this way.
  const auto plain = test.worker("b:0", true);
  plain->send(Command::leaving, 0, {}, {});
  ASSERT_TRUE(test.until([&] { return plain->ended(); }));
  AckingWorker second(test, "c:0");
  worker.die();
  ASSERT_TRUE(test.until([&] { return second.said() == Strings({"1"}); }));
}

}  // namespace
}  // namespace gatehouse::gateway
