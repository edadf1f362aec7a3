// What strangers can make TLS handshakes hold, and how many of those there may be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/heap_test_support.h"
#include "net/loop_tls.h"
#include "net/loop_tls_test_support.h"

namespace gatehouse::net {
namespace {

using ::testing::Each;
using testing::milliseconds;
using testing::RawPeer;
using testing::run_for;
using ::testing::SizeIs;
using testing::TlsPeer;

class LoopTlsSlots : public testing::LoopTlsTest {
 protected:
  /// Clients that have said their whole hello and will not answer.
  void begin(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      stuck_.push_back(std::make_unique<TlsPeer>(listener_.endpoint));
      stuck_.back()->pump();
    }
  }
  [[nodiscard]] TlsSlots& slots() const { return *context_->slots(); }

  std::vector<std::unique_ptr<TlsPeer>> stuck_;
};

/// The beginning of a ClientHello that says that it has `claimed` bytes, in a record of `come` bytes.
std::string claim(std::size_t claimed, std::size_t come) {
  std::string out("\x16\x03\x01", 3);
  out += static_cast<char>((come - 5) >> 8);
  out += static_cast<char>((come - 5) & 0xff);
  out += '\x01';
  out += static_cast<char>(claimed >> 16);
  out += static_cast<char>(claimed >> 8 & 0xff);
  out += static_cast<char>(claimed & 0xff);
  return out + std::string(come - out.size(), '\x03');
}

// 305 bytes that claimed 131,000 made OpenSSL take 190 KB.
TEST_F(LoopTlsSlots, AHelloThatClaimsMuchIsRefusedAtItsNinthByte) {
  listen();
  RawPeer client(listener_.endpoint);
  const std::string hello = claim(131'000, 305);
  client.write(hello.substr(0, 8));
  ASSERT_TRUE(until([&] { return server_->opened.size() == 1; }));
  run_for(loop_, milliseconds(50));
  EXPECT_TRUE(server_->closed.empty());
  client.write(hello.substr(8, 1));
  ASSERT_TRUE(until([&] {
    client.read();
    return server_->closed.size() == 1 && client.ended;
  }));
  EXPECT_EQ(server_->events, std::vector<TlsEvent>{TlsEvent::failed});
  EXPECT_EQ(server_->last_problem, TlsHandshake::kHelloTooBigProblem);
  EXPECT_EQ(client.received, TlsHandshake::kHelloTooBig);
  EXPECT_EQ(loop_.tls_handshakes(), 0U);
}

TEST_F(LoopTlsSlots, WhatDoesNotBeginWithAHelloIsRefusedAtOnce) {
  listen();
  for (const char* first : {"\x15", "\x80"}) {
    const std::size_t before = server_->closed.size();
    RawPeer client(listener_.endpoint);
    client.write(first);
    ASSERT_TRUE(until([&] { return server_->closed.size() > before; }));
    EXPECT_EQ(server_->last_problem, "it does not begin with a ClientHello of TLS");
  }
}

TEST_F(LoopTlsSlots, WhoHasNotSaidAllOfItsHelloHoldsNothing) {
  listen();
  constexpr std::size_t kCount = 300;
  std::vector<RawPeer> clients;
  clients.reserve(kCount + 1);
  server_->opened.reserve(kCount + 1);
  const auto join = [&] {
    clients.emplace_back(listener_.endpoint);
    clients.back().write(claim(TlsHello::kMost - 4, 12'000));
    ASSERT_TRUE(until([&] { return server_->opened.size() == clients.size(); }));
  };
  join();
  run_for(loop_, milliseconds(20));
  const std::size_t before = gatehouse::testing::heap_bytes();
  while (clients.size() < kCount) join();
  run_for(loop_, milliseconds(20));
  const double each = (static_cast<double>(gatehouse::testing::heap_bytes()) - static_cast<double>(before)) / (kCount - 1);
  std::cout << "heap bytes for half a hello of 12,000 bytes: " << each << '\n';
  EXPECT_LE(each, 1536);
  EXPECT_EQ(slots().taken(), 0U);
  EXPECT_EQ(loop_.tls_handshakes(), kCount);
  EXPECT_TRUE(server_->events.empty());
}

TEST_F(LoopTlsSlots, OneInFlightHoldsWhatIsSaidOfIt) {
  listen();
  constexpr std::size_t kCount = 100;
  begin(1);
  ASSERT_TRUE(until([&] { return slots().taken() == 1; }));
  // The clients' own ends are OpenSSL's too, so only their hello is kept.
  const std::string hello = [] {
    testing::OpenSslEnd end(testing::OpenSslEnd::Wish{});
    end.pump();
    return end.output();
  }();
  std::vector<RawPeer> clients;
  clients.reserve(kCount);
  server_->opened.reserve(kCount + 1);
  run_for(loop_, milliseconds(3 * Loop::kTrimMs));
  const std::size_t before = gatehouse::testing::heap_bytes();
  for (std::size_t i = 0; i < kCount; ++i) {
    clients.emplace_back(listener_.endpoint);
    clients.back().write(hello);
    ASSERT_TRUE(until([&] { return slots().taken() == 2 + i; }));
  }
  const double each = (static_cast<double>(gatehouse::testing::heap_bytes()) - static_cast<double>(before)) / kCount;
  std::cout << "heap bytes of a handshake in flight: " << each << '\n';
  EXPECT_LE(each, 48 * 1024) << "kTlsHandshakeBytes of the gateway";
  clients.clear();
  ASSERT_TRUE(until([&] { return slots().taken() == 1; }));
}

TEST_F(LoopTlsSlots, OnePastTheLimitWaitsForOneToBeDone) {
  settings_.most_handshakes = 2;
  make();
  listen();
  begin(2);
  ASSERT_TRUE(until([&] { return slots().taken() == 2; }));
  EXPECT_TRUE(server_->events.empty());
  begin(1);
  ASSERT_TRUE(until([&] { return slots().waiting() == 1; }));
  EXPECT_EQ(server_->events, std::vector<TlsEvent>{TlsEvent::crowded});
  EXPECT_TRUE(stuck_[0]->end.error.empty());
  ASSERT_TRUE(until([&] { return stuck_[0]->is_established() && slots().waiting() == 0; }));
  ASSERT_TRUE(until([&] { return stuck_[2]->is_established(); }));
  ASSERT_TRUE(until([&] { return stuck_[1]->is_established(); }));
  EXPECT_THAT(server_->events, SizeIs(1)) << "nobody had to go";
  ASSERT_TRUE(until([&] { return slots().taken() == 0 && loop_.tls_handshakes() == 0; }));
  for (auto& each : stuck_) each->write("hello");
  ASSERT_TRUE(until([&] { return server_->received == "hellohellohello"; }));
}

// Whoever begins and does not go on would keep all others out.
TEST_F(LoopTlsSlots, TheOldestMakesWayForThoseWhoWait) {
  settings_.most_handshakes = 3;
  make();
  listen();
  begin(3);
  ASSERT_TRUE(until([&] { return slots().taken() == 3; }));
  const auto honest = std::make_unique<TlsPeer>(listener_.endpoint);
  ASSERT_TRUE(until([&] { return honest->is_established(); })) << honest->end.error;
  EXPECT_EQ(server_->events, (std::vector<TlsEvent>{TlsEvent::crowded, TlsEvent::ousted}));
  ASSERT_TRUE(until([&] { return server_->closed.size() == 1; }));
  EXPECT_EQ(server_->last_problem, "too many handshakes at a time, of which this one was the oldest");
  honest->write("here");
  ASSERT_TRUE(until([&] { return server_->received == "here"; }));
}

TEST_F(LoopTlsSlots, WhoLeavesTheLineIsPassedOver) {
  settings_.most_handshakes = 1;
  make();
  listen();
  begin(1);
  ASSERT_TRUE(until([&] { return slots().taken() == 1; }));
  begin(3);
  ASSERT_TRUE(until([&] { return slots().waiting() == 3; }));
  stuck_[1]->socket.close();
  stuck_[2]->socket.close();
  ASSERT_TRUE(until([&] { return server_->closed.size() == 2; }));
  ASSERT_TRUE(until([&] { return stuck_[0]->is_established(); }));
  ASSERT_TRUE(until([&] { return stuck_[3]->is_established(); }));
  EXPECT_THAT(server_->events, Each(TlsEvent::crowded));
  ASSERT_TRUE(until([&] { return loop_.tls_handshakes() == 0; }));
}

TEST_F(LoopTlsSlots, WhoWaitsHasNoMoreTimeThanTheOthers) {
  settings_.most_handshakes = 1;
  settings_.handshake_timeout = milliseconds(400);
  make();
  listen();
  begin(2);
  ASSERT_TRUE(until([&] { return server_->closed.size() == 2; }));
  EXPECT_THAT(server_->events, ::testing::ElementsAre(TlsEvent::crowded, TlsEvent::late, TlsEvent::late));
  EXPECT_EQ(slots().taken(), 0U);
}

}  // namespace
}  // namespace gatehouse::net
