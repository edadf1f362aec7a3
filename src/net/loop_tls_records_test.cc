// What a peer may do with records, seen from outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "net/loop_tls.h"
#include "net/loop_tls_test_support.h"

namespace gatehouse::net {
namespace {

using testing::milliseconds;
using testing::OpenSslEnd;
using testing::pattern;
using testing::run_for;
using testing::TlsPeer;

class LoopTlsRecords : public testing::LoopTlsTest {
 protected:
  void echo() {
    server_->when_data = [](Connection& connection, std::span<char> bytes, std::size_t) {
      connection.send({bytes.data(), bytes.size()});
      return bytes.size();
    };
    listen();
  }
  std::unique_ptr<TlsPeer> peer_like(const OpenSslEnd::Wish& wish) {
    auto peer = std::make_unique<TlsPeer>(listener_.endpoint, wish);
    EXPECT_TRUE(until([&] { return peer->is_established(); })) << peer->end.error;
    return peer;
  }
};

/// The largest record, with its header, of those that stand in `bytes`.
std::size_t largest_record(std::string_view bytes) {
  std::size_t largest = 0;
  while (bytes.size() >= TlsRecords::kHeaderSize) {
    const std::size_t size = TlsRecords::kHeaderSize + ((static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[3])) << 8) |
                                                        static_cast<std::uint8_t>(bytes[4]));
    largest = std::max(largest, size);
    bytes.remove_prefix(std::min(size, bytes.size()));
  }
  return largest;
}

// Small devices ask for small records, for which they have room (RFC 6066, 4).
TEST_F(LoopTlsRecords, AreAsSmallAsTheClientWantsThem) {
  echo();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const int wanted : {1, 4}) {
      const auto client = peer_like({.version = version, .max_fragment = wanted});
      const std::string much = pattern(30'000);
      client->write(much);
      EXPECT_TRUE(until([&] { return client->received().size() >= much.size() || !client->end.error.empty(); }));
      EXPECT_EQ(client->end.error, "");
      EXPECT_EQ(client->end.received, much);
      client->reading = false;
      client->write(much);
      ASSERT_TRUE(until([&] {
        client->socket.read();
        return client->socket.received.size() > much.size();
      }));
      EXPECT_GT(largest_record(client->socket.received), std::size_t{256} << wanted) << "as large as they may be";
      EXPECT_LE(largest_record(client->socket.received), (std::size_t{256} << wanted) + TlsRecords::kHeaderSize + 24);
    }
  }
}

TEST_F(LoopTlsRecords, ChangedKeysAreAnsweredWithChangedKeys) {
  echo();
  const auto client = peer();
  int changed = 0;  // by us
  SSL_set_msg_callback(client->end.ssl(), [](int sent, int, int type, const void* bytes, std::size_t size, SSL*, void* count) {
    constexpr unsigned char kKeyUpdate = 24;
    if (sent == 0 && type == SSL3_RT_HANDSHAKE && size > 0 && *static_cast<const unsigned char*>(bytes) == kKeyUpdate) {
      ++*static_cast<int*>(count);
    }
  });
  SSL_set_msg_callback_arg(client->end.ssl(), &changed);  // NOLINT: the C API
  for (int i = 1; i <= 3; ++i) {
    ASSERT_EQ(SSL_key_update(client->end.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    client->write("a question");
    ASSERT_TRUE(until([&] { return client->received().size() == static_cast<std::size_t>(i) * 10; })) << client->end.error;
    EXPECT_EQ(changed, i);
  }
}

TEST_F(LoopTlsRecords, GluedToTheHandshakeAreDeliveredAlsoAfterAPause) {
  for (const bool is_paused : {false, true}) {
    server_->received.clear();
    server_->when_open = [this, is_paused](Connection& connection) {
      connection.start_tls(*context_);
      if (is_paused) connection.pause();
    };
    if (!is_paused) listen();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      const std::size_t before = server_->received.size();
      TlsPeer client(listener_.endpoint, {.version = version});
      client.pump();
      // The client's last messages, data and its end leave in one piece, as soon as it may speak.
      const std::string much = pattern(90'000);
      const bool speaks_last = version == TLS1_3_VERSION;
      ASSERT_TRUE(until([&] {
        if (!speaks_last) return client.is_established();
        client.socket.read();
        client.end.feed(std::exchange(client.socket.received, {}));
        client.end.pump();
        return client.end.is_established();
      })) << client.end.error;
      client.end.write(much);
      SSL_shutdown(client.end.ssl());
      ASSERT_TRUE(until([&] {
        client.pump();
        if (is_paused && !server_->opened.empty()) {
          if (Connection* connection = loop_.find(server_->opened.back())) connection->resume();
        }
        return server_->received.size() == before + much.size() && !server_->closed.empty();
      }));
      EXPECT_EQ(server_->received.substr(before), much);
      EXPECT_EQ(server_->closed.back().cause, CloseCause::peer_closed);
      server_->closed.clear();
    }
  }
}

TEST_F(LoopTlsRecords, NothingIsSaidAfterThePeersFatalAlert) {
  listen();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto client = peer(version);
    client->pump();
    // A record that OpenSSL cannot open has it send an alert.
    std::string spoiled("\x17\x03\x03\x00\x40", 5);
    client->end.feed(spoiled + std::string(64, 'x'));
    const std::size_t before = server_->closed.size();
    client->reading = false;
    ASSERT_TRUE(until([&] {
      client->pump();
      return server_->closed.size() > before;
    }));
    EXPECT_THAT(server_->last_problem, ::testing::HasSubstr("bad record mac"));
    ASSERT_TRUE(until([&] {
      client->socket.read();
      return client->socket.ended || client->socket.error != 0;
    }));
    EXPECT_EQ(client->socket.received, "");
  }
}

}  // namespace
}  // namespace gatehouse::net
