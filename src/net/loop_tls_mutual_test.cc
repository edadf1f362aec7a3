// Connections of which both ends show a certificate, as those between the roles.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "net/loop_tls.h"
#include "net/loop_tls_test_support.h"

namespace gatehouse::net {
namespace {

using testing::milliseconds;
using testing::RawPeer;
using testing::TestIdentity;
using testing::TlsRecorder;

class MutualTls : public testing::LoopTlsTest {
 protected:
  MutualTls() {
    settings_.certificates = {member_.write(directory_, "member")};
    settings_.authority = testing::write_text(directory_.file("ca.pem"), authority_.certificate_pem());
    make();
  }
  TestIdentity authority_{TestIdentity::Wish{.names = {"cluster"}, .is_authority = true}};
  TestIdentity member_{TestIdentity::Wish{.names = {"member"}}, &authority_};
};

TEST_F(MutualTls, DialledAndAccepted) {
  listen();
  TlsRecorder client;
  client.when_open = [](Connection& connection) { connection.send("hello"); };
  server_->when_data = [](Connection& connection, std::span<char> bytes, std::size_t) {
    connection.send("you said ");
    connection.send({bytes.data(), bytes.size()});
    return bytes.size();
  };
  const ConnectionId id = loop_.dial(listener_.endpoint, client, 0, context_.get());
  ASSERT_TRUE(until([&] { return client.received == "you said hello"; }));
  ASSERT_EQ(client.opened, std::vector<ConnectionId>{id});
  loop_.find(id)->close();
  ASSERT_TRUE(until([&] { return !client.closed.empty() && !server_->closed.empty(); }));
  EXPECT_EQ(server_->closed[0].cause, CloseCause::peer_closed);
  EXPECT_TRUE(client.events.empty() && server_->events.empty());
}

TEST_F(MutualTls, AServerOfAnotherAuthorityIsRefused) {
  const TestIdentity stranger(TestIdentity::Wish{.names = {"member"}});
  const auto other = std::move(*TlsContext::make({.certificates = {stranger.write(directory_, "stranger")}}));
  server_.emplace(other.get());
  listen();
  TlsRecorder client;
  loop_.dial(listener_.endpoint, client, 0, context_.get());
  ASSERT_TRUE(until([&] { return !client.closed.empty(); }));
  EXPECT_TRUE(client.opened.empty());
  EXPECT_EQ(client.closed[0].cause, CloseCause::connect_failed);
  EXPECT_EQ(client.closed[0].error, EPROTO);
  EXPECT_THAT(client.last_problem, ::testing::StartsWith("certificate verify failed"));
  ASSERT_TRUE(until([&] { return !server_->closed.empty(); }));
  EXPECT_THAT(server_->last_problem, ::testing::HasSubstr("alert")) << "it is told";
}

TEST_F(MutualTls, AClientWithoutACertificateIsRefused) {
  listen();
  const auto bare = std::move(*TlsContext::make({}));
  TlsRecorder client;
  loop_.dial(listener_.endpoint, client, 0, bare.get());
  ASSERT_TRUE(until([&] { return !client.closed.empty() && !server_->closed.empty(); }));
  EXPECT_EQ(server_->last_problem, "peer did not return a certificate");
  EXPECT_EQ(server_->received, "");
  EXPECT_THAT(client.last_problem, ::testing::HasSubstr("certificate required"));
}

// An authority may sign other things as well.
TEST_F(MutualTls, WhereANameIsAskedForBothEndsMustHaveIt) {
  const TestIdentity named(TestIdentity::Wish{.names = {"host-1", "cluster.internal"}}, &authority_);
  const TestIdentity wild(TestIdentity::Wish{.names = {"*.internal"}}, &authority_);
  settings_.certificates = {named.write(directory_, "named")};
  settings_.peer_name = "cluster.internal";
  make();
  listen();
  TlsRecorder client;
  const ConnectionId id = loop_.dial(listener_.endpoint, client, 0, context_.get());
  ASSERT_TRUE(until([&] { return client.opened.size() == 1 && server_->received.empty(); }));
  loop_.find(id)->send("hello");
  ASSERT_TRUE(until([&] { return server_->received == "hello"; }));

  for (const TestIdentity* other : {static_cast<const TestIdentity*>(&member_), &wild}) {
    TlsContext::Settings without = settings_;
    without.peer_name.clear();
    without.certificates = {other->write(directory_, "other")};
    const auto stranger = std::move(*TlsContext::make(without));
    TlsRecorder refused;
    server_->last_problem.clear();
    loop_.dial(listener_.endpoint, refused, 0, stranger.get());
    ASSERT_TRUE(until([&] { return !refused.closed.empty() && !server_->last_problem.empty(); }));
    EXPECT_THAT(server_->last_problem, ::testing::HasSubstr("hostname mismatch")) << "as the server";

    TlsRecorder server(stranger.get());
    testing::LocalListener listener;
    loop_.listen(std::move(listener.socket), server);
    TlsRecorder dialler;
    loop_.dial(listener.endpoint, dialler, 0, context_.get());
    ASSERT_TRUE(until([&] { return !dialler.closed.empty() && !server.closed.empty(); }));
    EXPECT_THAT(dialler.last_problem, ::testing::HasSubstr("hostname mismatch")) << "as the client";
    EXPECT_TRUE(dialler.opened.empty());
  }
}

TEST_F(MutualTls, TheOwnCertificateMustHaveTheNameThatIsAskedFor) {
  settings_.peer_name = "cluster.internal";
  const auto made = TlsContext::make(settings_);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().in, TlsFault::In::certificate);
  EXPECT_EQ(made.error().message, settings_.certificates[0].certificate +
                                      " is not for the name \"cluster.internal\", which all the others will look for in it");
}

TEST_F(MutualTls, APlainServerIsNotWaitedForForEver) {
  settings_.handshake_timeout = milliseconds(100);
  make();
  RawPeer unused(listener_.endpoint);
  TlsRecorder client;
  loop_.dial(listener_.endpoint, client, 0, context_.get());
  ASSERT_TRUE(until([&] { return !client.closed.empty(); }));
  EXPECT_EQ(client.closed[0].cause, CloseCause::connect_failed);
  EXPECT_EQ(client.last_problem, "no handshake in time");
  TlsRecorder refused;
  listener_.socket = Socket();
  loop_.dial(listener_.endpoint, refused, 0, context_.get());
  ASSERT_TRUE(until([&] { return !refused.closed.empty(); }));
  EXPECT_EQ(refused.closed[0].error, ECONNREFUSED);
}

}  // namespace
}  // namespace gatehouse::net
