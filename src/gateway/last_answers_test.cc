#include "gateway/last_answers.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "gateway/acking_worker_test_support.h"
#include "gateway/client_tls.h"
#include "net/tls_test_support.h"

namespace gatehouse::gateway {
namespace {

using namespace testing;
using net::testing::TlsPeer;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using wire::Command;
using Strings = std::vector<std::string>;

std::string unmasked_frame() {
  std::string bytes;
  wire::append_frame(bytes, wire::Opcode::text, "unmasked");
  return bytes;
}

std::uint32_t id_of(AckingWorker& worker, std::size_t event = 0) {
  return worker.events->events(Command::on_connect).at(event).header.connection_id;
}

/// Whether the gateway's only client has gone before the time that a worker of PHP is given: its loop looks by itself, behind
/// what has come by then, so that it may be as late as it likes.
bool is_gone_at_once(TestGateway& test) {
  bool looked = false;
  bool gone = false;
  test.loop.after(milliseconds(LastAnswers::kUnacknowledgedMs - 200), [&] {
    gone = test.gateway->status().connections == 0;
    looked = true;
  });
  return test.until([&] { return looked; }) && gone;
}

/// Runs the loop until the gateway has had every chance to close somebody too early.
void let_it_close(TestGateway& test) {
  test.settle();
  net::testing::run_for(test.loop, milliseconds(50));
}

TEST(LastAnswers, AnswersToWhatWasSaidComeBeforeTheCloseFrameOfABadOne) {
  for (const auto& [bad, code] : {std::pair{unmasked_frame(), 1002}, std::pair{WebSocketPeer::frame("\xff"), 1007},
                                  std::pair{WebSocketPeer::frame("x", wire::Opcode::continuation), 1002}}) {
    TestGateway test;
    AckingWorker worker(test, "test:0");
    const auto client = test.client();
    client->write(WebSocketPeer::frame("one") + WebSocketPeer::frame("two") + bad + WebSocketPeer::frame("too late"));
    ASSERT_TRUE(test.until([&] { return worker.said() == Strings({"one", "two"}); }));
    worker.answer(id_of(worker), "to one");
    worker.finish(0, 3);  // on_connect, the handshake and the first message
    ASSERT_TRUE(test.until([&] { return client->texts() == Strings{"to one"}; }));
    let_it_close(test);
    EXPECT_FALSE(client->close_code) << "the second message is not answered yet";
    EXPECT_EQ(test.gateway->status().connections, 1U) << "it is a client until then";
    EXPECT_EQ(worker.events->count(Command::on_close), 0U);
    worker.answer(id_of(worker), "to two");
    worker.finish(3, 1);
    ASSERT_TRUE(test.until([&] { return client->ended(); }));
    EXPECT_EQ(client->texts(), Strings({"to one", "to two"}));
    EXPECT_EQ(client->close_code, code);
    ASSERT_TRUE(test.until([&] { return worker.events->count(Command::on_close) == 1; }));
    EXPECT_EQ(worker.events->events(Command::on_close)[0].body[0], static_cast<char>(CloseReason::Cause::protocol_error));
    EXPECT_EQ(worker.said(), Strings({"one", "two"}));
  }
}

TEST(LastAnswers, WhoHasAllAnswersIsClosedAtOnce) {
  TestGateway test;
  AckingWorker worker(test, "test:0");
  const auto client = test.client();
  ASSERT_TRUE(test.until([&] { return worker.events->count(Command::on_websocket_connect) == 1; }));
  worker.finish_all();
  test.settle();
  client->write(unmasked_frame());
  EXPECT_TRUE(is_gone_at_once(test)) << "nobody was waited for";
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_EQ(client->close_code, 1002);
}

TEST(LastAnswers, WhoIsOverALimitIsClosedAtOnce) {
  GatewayOptions options = TestGateway::options();
  options.max_package_size = 1000;
  TestGateway test(options);
  AckingWorker worker(test, "test:0");
  const auto client = test.client();
  client->write(WebSocketPeer::frame("one") + WebSocketPeer::frame(std::string(1001, 'x')));
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_EQ(client->close_code, 1009);
  EXPECT_EQ(test.gateway->status().connections, 0U);
  ASSERT_TRUE(test.until([&] { return worker.events->count(Command::on_close) == 1; })) << "with nothing finished";
}

TEST(LastAnswers, AWorkerThatDoesNotAnswerIsWaitedForALimitedTime) {
  TestGateway test;
  AckingWorker worker(test, "test:0");
  const auto client = test.client();
  const auto start = steady_clock::now();
  client->write(WebSocketPeer::frame("one") + unmasked_frame());
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_GE(steady_clock::now() - start, milliseconds(LastAnswers::kMostMs));
  EXPECT_EQ(client->close_code, 1002);
}

TEST(LastAnswers, AWorkerOfPhpHasAMomentToAnswer) {
  TestGateway test;
  const auto worker = test.worker();
  const auto client = test.client();
  const auto start = steady_clock::now();
  client->write(WebSocketPeer::frame("one") + unmasked_frame());
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings{"one"}; }));
  worker->send(Command::send_to_one, worker->frames[0].header.connection_id, {}, "to one");
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_GE(steady_clock::now() - start, milliseconds(LastAnswers::kUnacknowledgedMs));
  EXPECT_EQ(client->texts(), Strings{"to one"});
  EXPECT_EQ(client->close_code, 1002);
}

TEST(LastAnswers, WhatABadClientSaysMeanwhileIsThrownAway) {
  TestGateway test;
  AckingWorker worker(test, "test:0");
  const auto client = test.client();
  client->write(WebSocketPeer::frame("one") + unmasked_frame());
  ASSERT_TRUE(test.until([&] { return worker.said() == Strings{"one"}; }));
  client->write(WebSocketPeer::frame("two"));
  let_it_close(test);
  EXPECT_EQ(test.gateway->status().unread_bytes, 0U);
  worker.finish_all();
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_EQ(client->close_code, 1002);
  EXPECT_EQ(worker.said(), Strings{"one"});
}

TEST(LastAnswers, AWorkerThatDiesMeanwhileHasItsAnswersGivenByAnother) {
  TestGateway test;
  auto first = std::make_unique<AckingWorker>(test, "test:0");
  const auto client = test.client();
  client->write(WebSocketPeer::frame("one") + unmasked_frame());
  ASSERT_TRUE(test.until([&] { return first->said() == Strings{"one"}; }));
  AckingWorker second(test, "test:1");
  first->die();
  ASSERT_TRUE(test.until([&] { return second.said() == Strings{"one"}; }));
  // Now that its event has a worker again it would be read from, if it were still to be heard.
  client->write(WebSocketPeer::frame("two"));
  let_it_close(test);
  EXPECT_FALSE(client->ended());
  EXPECT_EQ(second.said(), Strings{"one"});
  EXPECT_EQ(test.gateway->status().unread_bytes, 0U);
  second.answer(id_of(second), "to one");
  second.finish_all();
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_EQ(client->texts(), Strings{"to one"});
  EXPECT_EQ(client->close_code, 1002);
}

TEST(LastAnswers, AWorkerThatDiesWithAtMostOnceIsNotWaitedFor) {
  TestGateway test;
  auto first = std::make_unique<AckingWorker>(test, "test:0", wire::Delivery::at_most_once);
  AckingWorker second(test, "test:1");
  const auto client = test.client();
  client->write(WebSocketPeer::frame("one") + unmasked_frame());
  ASSERT_TRUE(test.until([&] { return first->said().size() + second.said().size() == 1; }));
  const auto start = steady_clock::now();
  if (first->said().empty()) {
    second.finish_all();
  } else {
    first->die();
  }
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_LT(steady_clock::now() - start, milliseconds(LastAnswers::kMostMs));
}

TEST(LastAnswers, WhoIsKickedMeanwhileIsClosedForThat) {
  TestGateway test;
  AckingWorker worker(test, "test:0");
  const auto client = test.client();
  client->write(WebSocketPeer::frame("one") + unmasked_frame());
  ASSERT_TRUE(test.until([&] { return worker.said() == Strings{"one"}; }));
  test.commander()->send(Command::kick, id_of(worker), {}, "bye");
  ASSERT_TRUE(test.until([&] { return client->ended(); }));
  EXPECT_EQ(client->texts(), Strings{"bye"});
  EXPECT_EQ(client->close_code, 1000);
  worker.finish_all();
  test.settle();
}

/// A client of a stream protocol that has said "a" and "b" and then closed its direction.
class HalfClosed : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] static std::string message(std::string_view text) {
    std::string out;
    wire::make_stream_protocol(GetParam())->encode(text, out);
    return out;
  }
};

TEST_P(HalfClosed, GetsTheAnswersToWhatItHasSaid) {
  TestGateway test(TestGateway::options(), wire::make_stream_protocol(GetParam()));
  AckingWorker worker(test, "test:0");
  Peer client(test.client_endpoint);
  client.write(message("hello"));
  client.socket.finish_writing();
  ASSERT_TRUE(test.until([&] { return worker.said() == Strings{"hello"}; }));
  let_it_close(test);
  EXPECT_FALSE(client.ended());
  EXPECT_EQ(worker.events->count(Command::on_close), 0U);
  EXPECT_EQ(test.gateway->status().connections, 1U);
  worker.answer(id_of(worker), "you said hello");
  worker.finish_all();
  ASSERT_TRUE(test.until([&] { return client.ended(); }));
  EXPECT_EQ(client.socket.received, message("you said hello"));
  EXPECT_EQ(client.socket.error, 0) << "a FIN, no reset";
  ASSERT_TRUE(test.until([&] { return worker.events->count(Command::on_close) == 1; }));
  EXPECT_EQ(worker.events->events(Command::on_close)[0].body[0], static_cast<char>(CloseReason::Cause::client_closed));
  ASSERT_TRUE(test.until([&] { return test.loop.connection_count() > 0 && test.gateway->status().connections == 0; }));
}

TEST_P(HalfClosed, GetsThoseOfAWorkerOfPhpThatTakesAMoment) {
  TestGateway test(TestGateway::options(), wire::make_stream_protocol(GetParam()));
  const auto worker = test.worker();
  Peer client(test.client_endpoint);
  client.write(message("hello"));
  client.socket.finish_writing();
  ASSERT_TRUE(test.until([&] { return worker->said() == Strings{"hello"}; }));
  let_it_close(test);
  worker->send(Command::send_to_one, worker->frames[0].header.connection_id, {}, "you said hello");
  ASSERT_TRUE(test.until([&] { return client.ended(); }));
  EXPECT_EQ(client.socket.received, message("you said hello"));
}

TEST_P(HalfClosed, WithAllItsAnswersIsGoneAtOnce) {
  TestGateway test(TestGateway::options(), wire::make_stream_protocol(GetParam()));
  AckingWorker worker(test, "test:0");
  Peer client(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return worker.events->count(Command::on_connect) == 1; }));
  worker.finish_all();
  test.settle();
  client.socket.finish_writing();
  EXPECT_TRUE(is_gone_at_once(test));
  ASSERT_TRUE(test.until([&] { return client.ended(); }));
}

TEST_P(HalfClosed, AndGoneAltogetherIsNoticedWithTheFirstAnswer) {
  TestGateway test(TestGateway::options(), wire::make_stream_protocol(GetParam()));
  AckingWorker worker(test, "test:0");
  Peer client(test.client_endpoint);
  client.write(message("hello"));
  ASSERT_TRUE(test.until([&] { return worker.said() == Strings{"hello"}; }));
  client.socket.close();
  let_it_close(test);
  EXPECT_EQ(test.gateway->status().connections, 1U) << "a FIN does not say which it is";
  const auto start = steady_clock::now();
  worker.answer(id_of(worker), "you said hello");
  ASSERT_TRUE(test.until([&] { return worker.events->count(Command::on_close) == 1; })) << "with the event not finished";
  EXPECT_LT(steady_clock::now() - start, milliseconds(LastAnswers::kMostMs));
  EXPECT_EQ(test.gateway->status().connections, 0U);
}

TEST_P(HalfClosed, IsWaitedForALimitedTime) {
  TestGateway test(TestGateway::options(), wire::make_stream_protocol(GetParam()));
  AckingWorker worker(test, "test:0");
  Peer client(test.client_endpoint);
  const auto start = steady_clock::now();
  client.write(message("hello"));
  client.socket.finish_writing();
  ASSERT_TRUE(test.until([&] { return client.ended(); }));
  EXPECT_GE(steady_clock::now() - start, milliseconds(LastAnswers::kMostMs));
}

INSTANTIATE_TEST_SUITE_P(Streams, HalfClosed, ::testing::Values("text", "frame", "tcp"),
                         [](const auto& each) { return std::string(each.param); });

TEST(LastAnswers, AHalfCloseOverTlsGetsItsAnswerAndACloseNotify) {
  net::testing::TestDirectory directory;
  net::testing::TestIdentity identity{net::testing::TestIdentity::Wish{}};
  const net::TlsFiles files = identity.write(directory, "own");
  GatewayOptions options = TestGateway::options();
  options.listen = "text+tls://127.0.0.1:1";
  options.tls_cert = {files.certificate};
  options.tls_key = {files.key};
  auto tls = make_client_tls(options, nullptr, false);
  ASSERT_TRUE(tls) << tls.error().message;
  TestGateway test(options, wire::make_stream_protocol("text"), "127.0.0.1", Gateway::Tls{tls->get(), nullptr});
  AckingWorker worker(test, "test:0");
  TlsPeer client(test.client_endpoint);
  ASSERT_TRUE(test.until([&] { return client.is_established(); })) << client.end.error;
  client.write("hello\n");
  SSL_shutdown(client.end.ssl());
  client.pump();
  client.socket.finish_writing();
  ASSERT_TRUE(test.until([&] { return worker.said() == Strings{"hello"}; }));
  let_it_close(test);
  worker.answer(id_of(worker), "you said hello");
  worker.finish_all();
  ASSERT_TRUE(test.until([&] { return client.ended(); }));
  EXPECT_EQ(client.end.received, "you said hello\n");
  EXPECT_TRUE(client.end.ended) << "with close_notify";
}

TEST(LastAnswers, BytesThatAreNotOfTheProtocolDoNotCostTheAnswersBeforeThem) {
  TestGateway test(TestGateway::options(), wire::make_stream_protocol("frame"));
  AckingWorker worker(test, "test:0");
  Peer client(test.client_endpoint);
  client.write(std::string("\0\0\0\x06hi\0\0\0\x03", 10));
  ASSERT_TRUE(test.until([&] { return worker.said() == Strings{"hi"}; }));
  let_it_close(test);
  EXPECT_FALSE(client.ended());
  worker.answer(id_of(worker), "ho");
  worker.finish_all();
  ASSERT_TRUE(test.until([&] { return client.ended(); }));
  EXPECT_EQ(client.socket.received, std::string("\0\0\0\x06ho", 6));
}

TEST(LastAnswers, AWebSocketWithoutAClosingHandshakeHasFailedAndIsGoneAtOnce) {
  TestGateway test;
  AckingWorker worker(test, "test:0");
  const auto client = test.client();
  client->say("one");
  ASSERT_TRUE(test.until([&] { return worker.said() == Strings{"one"}; }));
  client->socket.finish_writing();
  ASSERT_TRUE(test.until([&] { return client->ended(); })) << "with nothing finished";
  EXPECT_EQ(client->texts(), Strings());
}

TEST(LastAnswers, AGatewayThatStopsDoesNotWaitForThem) {
  TestGateway test;
  AckingWorker worker(test, "test:0");
  const auto client = test.client();
  client->write(WebSocketPeer::frame("one") + unmasked_frame());
  ASSERT_TRUE(test.until([&] { return worker.said() == Strings{"one"}; }));
  const auto start = steady_clock::now();
  bool stopped = false;
  test.gateway->stop([&] { stopped = true; });
  ASSERT_TRUE(test.until([&] {
    client->poll();
    return stopped;
  }));
  EXPECT_LT(steady_clock::now() - start, milliseconds(LastAnswers::kMostMs));
  EXPECT_EQ(client->close_code, 1001);
}

}  // namespace
}  // namespace gatehouse::gateway
