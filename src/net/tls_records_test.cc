#include "net/tls_records.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "net/tls_handshake.h"
#include "net/tls_test_support.h"
#include "net/tls_tickets.h"

namespace gatehouse::net {
namespace {

using testing::OpenSslEnd;
using testing::TestDirectory;
using testing::TestIdentity;
using Kind = TlsRecords::Kind;

struct Suite {
  const char* name;
  int version;
  bool is_server;  // our end
  bool is_rsa;
};

/// Our end of a connection whose handshake is done, with OpenSSL at the other.
class Pair {
 public:
  explicit Pair(const Suite& suite) : identity_(identity(suite.is_rsa)) {
    TlsContext::Settings settings;
    settings.certificates = {identity_.write(directory_, "own")};
    context_ = std::move(*TlsContext::make(settings));
    OpenSslEnd::Wish wish{.is_server = !suite.is_server, .version = suite.version, .suite = suite.name};
    if (wish.is_server) wish.identity = &identity_;
    peer = std::make_unique<OpenSslEnd>(wish);
    TlsHandshake handshake(context_->generation(), suite.is_server ? TlsHandshake::Role::server : TlsHandshake::Role::client);
    bool done = false;
    for (int i = 0; i < 10 && !(done && peer->is_established()); ++i) {
      if (!done) done = handshake.step() == TlsHandshake::Status::done;
      peer->feed(handshake.take_output());
      peer->pump();
      const std::string output = peer->output();
      if (done) {
        unread_ += output;
      } else {
        handshake.feed(output);
      }
    }
    EXPECT_TRUE(done) << handshake.problem() << peer->error;
    if (!done) return;
    EXPECT_STREQ(SSL_get_cipher_name(peer->ssl()), suite.name);
    unread_.insert(0, handshake.take_rest());
    records = std::make_unique<TlsRecords>(ciphers_, handshake.agreement());
  }

  void say(std::string_view bytes) {
    std::string record(records->sealed_size(bytes.size()), '\0');
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};  // NOLINT: only read
    records->seal(&piece, bytes.size(), record.data());
    peer->feed(record);
    peer->pump();
  }
  /// What the peer has said since, as it opens here.
  std::string hear() {
    unread_ += peer->output();
    std::string out(unread_.size(), '\0');
    std::size_t size = 0;
    while (!unread_.empty()) {
      last = records->open(unread_, out.data() + size);
      if (last.kind == Kind::need_more || last.kind == Kind::failure) break;
      size += last.size;
      unread_.erase(0, last.consumed);
    }
    out.resize(size);
    return out;
  }
  /// One record of the peer's, to be spoiled.
  std::string record_of_peer(std::string_view bytes) {
    (void)hear();
    peer->write(bytes);
    return peer->output();
  }
  TlsRecords::Opened open(const std::string& record) {
    std::string out(record.size(), '\0');
    return records->open(record, out.data());
  }

  std::unique_ptr<OpenSslEnd> peer;
  std::unique_ptr<TlsRecords> records;
  TlsRecords::Opened last;

 private:
  /// One of each kind for all, for a key of RSA takes long to make.
  static const TestIdentity& identity(bool is_rsa) {
    static const TestIdentity rsa(TestIdentity::Wish{.is_rsa = true});
    static const TestIdentity ec(TestIdentity::Wish{});
    return is_rsa ? rsa : ec;
  }

  TestDirectory directory_;
  const TestIdentity& identity_;
  std::unique_ptr<TlsContext> context_;
  TlsCiphers ciphers_;
  std::string unread_;
};

class EverySuite : public ::testing::TestWithParam<Suite> {};

constexpr Suite k13 = {"TLS_AES_128_GCM_SHA256", TLS1_3_VERSION, true, false};
constexpr Suite k12 = {"ECDHE-ECDSA-AES128-GCM-SHA256", TLS1_2_VERSION, true, false};

INSTANTIATE_TEST_SUITE_P(TlsRecords, EverySuite,
                         ::testing::Values(k13, Suite{"TLS_AES_256_GCM_SHA384", TLS1_3_VERSION, true, true},
                                           Suite{"TLS_CHACHA20_POLY1305_SHA256", TLS1_3_VERSION, true, false}, k12,
                                           Suite{"ECDHE-RSA-AES128-GCM-SHA256", TLS1_2_VERSION, true, true},
                                           Suite{"ECDHE-ECDSA-AES256-GCM-SHA384", TLS1_2_VERSION, true, false},
                                           Suite{"ECDHE-RSA-AES256-GCM-SHA384", TLS1_2_VERSION, true, true},
                                           Suite{"ECDHE-ECDSA-CHACHA20-POLY1305", TLS1_2_VERSION, true, false},
                                           Suite{"ECDHE-RSA-CHACHA20-POLY1305", TLS1_2_VERSION, true, true},
                                           Suite{"TLS_AES_128_GCM_SHA256", TLS1_3_VERSION, false, false},
                                           Suite{"TLS_AES_256_GCM_SHA384", TLS1_3_VERSION, false, false},
                                           Suite{"TLS_CHACHA20_POLY1305_SHA256", TLS1_3_VERSION, false, false},
                                           Suite{"ECDHE-ECDSA-AES128-GCM-SHA256", TLS1_2_VERSION, false, false},
                                           Suite{"ECDHE-ECDSA-AES256-GCM-SHA384", TLS1_2_VERSION, false, false},
                                           Suite{"ECDHE-ECDSA-CHACHA20-POLY1305", TLS1_2_VERSION, false, false}),
                         [](const auto& each) {
                           std::string name = std::string(each.param.is_server ? "Server_" : "Client_") + each.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_P(EverySuite, CarriesEverySizeBothWays) {
  Pair pair(GetParam());
  ASSERT_NE(pair.records, nullptr);
  std::string said;
  std::string heard;
  std::string answered;
  for (const std::size_t size : {1, 2, 15, 16, 17, 255, 256, 1000, 16383, 16384, 1}) {
    const std::string bytes = testing::pattern(size, static_cast<std::uint32_t>(size));
    said += bytes;
    pair.say(bytes);
    pair.peer->write(bytes);
    heard += pair.hear();
    answered += bytes;
  }
  EXPECT_EQ(pair.peer->received, said);
  EXPECT_EQ(heard, answered);
  EXPECT_EQ(pair.peer->error, "");
  EXPECT_EQ(pair.last.kind, Kind::data);
}

TEST_P(EverySuite, EndsBothWays) {
  Pair pair(GetParam());
  ASSERT_NE(pair.records, nullptr);
  SSL_shutdown(pair.peer->ssl());
  (void)pair.hear();
  EXPECT_EQ(pair.last.kind, Kind::end);
  std::string end(pair.records->alert_size(), '\0');
  pair.records->seal_alert(TlsAlert::close_notify, end.data());
  pair.peer->feed(end);
  pair.peer->pump();
  EXPECT_TRUE(pair.peer->ended);
}

TEST_P(EverySuite, ASpoiledRecordIsRefused) {
  for (const std::size_t at : {std::size_t{5}, std::size_t{13}, std::size_t{20}, std::string::npos}) {
    Pair pair(GetParam());
    ASSERT_NE(pair.records, nullptr);
    std::string record = pair.record_of_peer("some words to be spoiled");
    char& byte = at == std::string::npos ? record.back() : record[at];
    byte = static_cast<char>(byte ^ 1);
    const auto opened = pair.open(record);
    EXPECT_EQ(opened.kind, Kind::failure);
    EXPECT_EQ(opened.alert, TlsAlert::bad_record_mac);
  }
}

TEST_P(EverySuite, ARecordIsTakenOnceAndInItsOrder) {
  Pair pair(GetParam());
  ASSERT_NE(pair.records, nullptr);
  const std::string first = pair.record_of_peer("first");
  EXPECT_EQ(pair.open(first).kind, Kind::data);
  EXPECT_EQ(pair.open(first).kind, Kind::failure) << "said again";
  Pair other(GetParam());
  (void)other.record_of_peer("first");
  EXPECT_EQ(other.open(other.record_of_peer("second")).kind, Kind::failure) << "one is missing";
}

TEST(TlsRecords, WaitsForEveryByteOfARecord) {
  for (const Suite& suite : {k13, k12}) {
    Pair pair(suite);
    const std::string record = pair.record_of_peer("cut");
    for (std::size_t size = 0; size < record.size(); ++size) {
      EXPECT_EQ(pair.open(record.substr(0, size)).kind, Kind::need_more) << size;
    }
    EXPECT_EQ(pair.open(record).kind, Kind::data);
  }
}

TEST(TlsRecords, RefusesLengthsFromTheHeaderOn) {
  const auto header = [](std::size_t size) {
    return std::string("\x17\x03\x03", 3) + static_cast<char>(size >> 8) + static_cast<char>(size);
  };
  Pair pair(k13);
  EXPECT_EQ(pair.open(header(16384 + 256)).kind, Kind::need_more);
  EXPECT_EQ(pair.open(header(16384 + 257)).alert, TlsAlert::record_overflow);
  EXPECT_EQ(pair.open(header(0)).alert, TlsAlert::bad_record_mac);
  EXPECT_EQ(pair.open(header(16)).alert, TlsAlert::bad_record_mac);
  EXPECT_EQ(pair.open(header(17)).kind, Kind::need_more);
  Pair old(k12);
  EXPECT_EQ(old.open(header(16384 + 24)).kind, Kind::need_more);
  EXPECT_EQ(old.open(header(16384 + 25)).alert, TlsAlert::record_overflow);
  EXPECT_EQ(old.open(header(23)).alert, TlsAlert::bad_record_mac);
}

TEST(TlsRecords, RefusesWhatIsNotEncrypted) {
  Pair pair(k13);
  EXPECT_EQ(pair.open(std::string("\x14\x03\x03\x00\x01\x01", 6)).alert, TlsAlert::unexpected_message) << "change_cipher_spec";
  EXPECT_EQ(pair.open(std::string("\x15\x03\x03\x00\x02\x01\x00", 7)).alert, TlsAlert::unexpected_message) << "an alert";
  EXPECT_EQ(pair.open("GET / HTTP/1.1\r\n").kind, Kind::failure);
  Pair old(k12);
  EXPECT_EQ(old.open(std::string("\x15\x03\x03\x00\x02\x01\x00", 7)).alert, TlsAlert::bad_record_mac);
}

TEST(TlsRecords, KeysAreChangedWhenThePeerWantsIt) {
  for (const bool is_server : {true, false}) {
    Suite suite = k13;
    suite.is_server = is_server;
    Pair pair(suite);
    for (const int kind : {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
      ASSERT_EQ(SSL_key_update(pair.peer->ssl(), kind), 1);
      pair.peer->write("behind new keys");
      EXPECT_EQ(pair.hear(), "behind new keys");
      EXPECT_EQ(pair.records->is_update_due(), kind == SSL_KEY_UPDATE_REQUESTED);
      if (pair.records->is_update_due()) {
        std::string update(pair.records->update_size(), '\0');
        pair.records->seal_key_update(update.data());
        pair.peer->feed(update);
      }
      pair.say("and back;");
      EXPECT_EQ(pair.peer->error, "");
    }
    EXPECT_EQ(pair.peer->received, "and back;and back;and back;");
  }
}

TEST(TlsRecords, KeysAreNotChangedForEver) {
  Pair pair(k13);
  const auto update = [&] {
    EXPECT_EQ(SSL_key_update(pair.peer->ssl(), SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    EXPECT_EQ(SSL_do_handshake(pair.peer->ssl()), 1);
    (void)pair.hear();
    return pair.last.kind;
  };
  for (int i = 0; i < 32; ++i) ASSERT_EQ(update(), Kind::nothing) << i;
  pair.peer->write("data between them");
  EXPECT_EQ(pair.hear(), "data between them");
  for (int i = 0; i < 32; ++i) ASSERT_EQ(update(), Kind::nothing) << i;
  EXPECT_EQ(update(), Kind::failure);
}

TEST(TlsRecords, TicketsOfAServerArePassedOver) {
  Suite suite = k13;
  suite.is_server = false;
  Pair pair(suite);
  pair.peer->write("behind two tickets");
  EXPECT_EQ(pair.hear(), "behind two tickets");
  ASSERT_EQ(SSL_new_session_ticket(pair.peer->ssl()), 1);
  pair.peer->write("and one more");
  EXPECT_EQ(pair.hear(), "and one more");
}

TEST(TlsRecords, NegotiatingAnewIsRefused) {
  Pair pair(k12);
  SSL_renegotiate(pair.peer->ssl());
  (void)SSL_do_handshake(pair.peer->ssl());
  (void)pair.hear();
  EXPECT_EQ(pair.last.kind, Kind::failure);
  EXPECT_EQ(pair.last.alert, TlsAlert::no_renegotiation);
}

/// Records as a peer of any kind might make them: sealed by the keys of a second TlsRecords.
class Forged : public ::testing::Test {
 protected:
  static TlsAgreement agreement(bool is_13, bool is_server) {
    TlsAgreement out;
    out.is_13 = is_13;
    out.is_server = is_server;
    out.read.secret.fill(7);
    out.write.secret.fill(7);
    out.read.key.fill(9);
    out.write.key.fill(9);
    return out;
  }
  /// A record of `type` with `content` and padding.
  static std::string record(TlsCiphers& ciphers, char type, const std::string& content, std::size_t padding,
                            std::uint64_t sequence) {
    // TLS 1.3 as it stands in RFC 8446, 5.2, by hand: key and iv from the secret, the type behind the content.
    const std::string inner = content + type + std::string(padding, '\0');
    std::string out(5 + inner.size() + 16, '\0');
    out[0] = 23;
    out[1] = 3;
    out[2] = 3;
    out[3] = static_cast<char>((inner.size() + 16) >> 8);
    out[4] = static_cast<char>(inner.size() + 16);
    // "key" and "iv" of a secret of sevens, found by another implementation (Python's hmac):
    // hmac(07*32, 0010 09 "tls13 key" 00 01) and hmac(07*32, 000c 08 "tls13 iv" 00 01).
    std::array<std::uint8_t, 16> key = kKey;
    std::array<std::uint8_t, 12> nonce = kIv;
    nonce[11] = static_cast<std::uint8_t>(nonce[11] ^ sequence);
    EVP_CIPHER_CTX* context = ciphers.sealing(TlsAead::aes_128_gcm, key.data(), ciphers.new_key_id());
    int written = 0;
    auto* bytes = reinterpret_cast<unsigned char*>(out.data());  // NOLINT
    EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr);
    EVP_EncryptUpdate(context, nullptr, &written, bytes, 5);
    EVP_EncryptUpdate(context, bytes + 5, &written, reinterpret_cast<const unsigned char*>(inner.data()),  // NOLINT
                      static_cast<int>(inner.size()));
    EVP_EncryptFinal_ex(context, bytes + 5 + written, &written);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, bytes + out.size() - 16);
    return out;
  }
  /// What becomes of records in a row.
  static TlsRecords::Opened open_all(const std::vector<std::function<std::string(std::uint64_t)>>& all, bool is_server = true) {
    TlsCiphers ciphers;
    TlsRecords records(ciphers, agreement(true, is_server));
    TlsRecords::Opened opened;
    std::uint64_t sequence = 0;
    for (const auto& make : all) {
      const std::string bytes = make(sequence++);
      std::string out(bytes.size(), '\0');
      opened = records.open(bytes, out.data());
      if (opened.kind == Kind::failure) break;
    }
    return opened;
  }
  static std::function<std::string(std::uint64_t)> one(char type, std::string content, std::size_t padding = 0) {
    return [=](std::uint64_t sequence) {
      TlsCiphers ciphers;
      return record(ciphers, type, content, padding, sequence);
    };
  }

  static const std::array<std::uint8_t, 16> kKey;
  static const std::array<std::uint8_t, 12> kIv;
};

const std::array<std::uint8_t, 16> Forged::kKey = {0x46, 0x68, 0x86, 0xd7, 0x11, 0x0c, 0x9a, 0x43,
                                                   0x4d, 0x9d, 0x75, 0xe8, 0xea, 0x7f, 0x85, 0x49};
const std::array<std::uint8_t, 12> Forged::kIv = {0x11, 0x21, 0x5b, 0x21, 0x3b, 0xc0, 0x73, 0xdb, 0x18, 0x9c, 0x20, 0x40};

TEST_F(Forged, PaddingAndEmptyRecords) {
  const auto padded = open_all({one(23, "data", 200)});
  EXPECT_EQ(padded.kind, Kind::data);
  EXPECT_EQ(padded.size, 4U);
  EXPECT_EQ(open_all({one(23, "")}).kind, Kind::nothing);
  EXPECT_EQ(open_all({one(0, "", 20)}).alert, TlsAlert::unexpected_message) << "no type at all";
  EXPECT_EQ(open_all({one(23, std::string(16384, 'x'), 200)}).kind, Kind::data);
  EXPECT_EQ(open_all({one(23, std::string(16385, 'x'))}).alert, TlsAlert::record_overflow);
}

TEST_F(Forged, EmptyRecordsAreNotTakenForEver) {
  std::vector<std::function<std::string(std::uint64_t)>> records(32, one(23, "", 3));
  EXPECT_EQ(open_all(records).kind, Kind::nothing);
  records.push_back(one(23, "data"));
  records.insert(records.end(), 32, one(23, ""));
  EXPECT_EQ(open_all(records).kind, Kind::nothing) << "counted anew behind data";
  records.push_back(one(23, ""));
  EXPECT_EQ(open_all(records).alert, TlsAlert::unexpected_message);
}

TEST_F(Forged, KeysAreChangedBeforeTheyHaveSealedTooMuch) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 23;
  for (const bool is_13 : {true, false}) {
    TlsCiphers ciphers;
    TlsAgreement ours = agreement(is_13, true);
    TlsAgreement theirs = agreement(is_13, false);
    ours.write.sequence = theirs.read.sequence = kMost - 2;
    TlsRecords from(ciphers, ours);
    TlsRecords to(ciphers, theirs);
    const auto carries = [&](std::string words) {
      std::string record(from.sealed_size(words.size()), '\0');
      std::string out(record.size(), '\0');
      const iovec piece{words.data(), words.size()};
      from.seal(&piece, words.size(), record.data());
      return to.open(record, out.data()).kind == Kind::data && out.starts_with(words);
    };
    EXPECT_TRUE(carries("the last but one"));
    EXPECT_FALSE(from.is_update_due());
    EXPECT_TRUE(carries("the last"));
    EXPECT_EQ(from.is_update_due(), is_13) << "TLS 1.2 has no message for it";
    if (is_13) {
      std::string update(from.update_size(), '\0');
      std::string out(update.size(), '\0');
      from.seal_key_update(update.data());
      EXPECT_EQ(to.open(update, out.data()).kind, Kind::nothing);
      EXPECT_FALSE(from.is_update_due());
    }
    EXPECT_TRUE(carries("the next"));
  }
}

TEST_F(Forged, KeysAreWipedWhenTheyGo) {
  const auto leaves = [](auto make, const std::string& secret) {
    using Object = decltype(make());
    // Looked at as bytes once the object is gone.
    alignas(Object) static std::array<char, sizeof(Object)> memory;
    auto* object = new (memory.data()) Object(make());
    const std::string_view bytes(memory.data(), memory.size());
    EXPECT_NE(bytes.find(secret), std::string_view::npos);
    object->~Object();
    return bytes.find(secret) != std::string_view::npos;
  };
  EXPECT_FALSE(leaves([] { return agreement(true, true); }, std::string(32, '\7')));
  EXPECT_FALSE(leaves([] { return agreement(false, true); }, std::string(16, '\x09')));
  static TlsCiphers ciphers;
  EXPECT_FALSE(leaves([] { return TlsRecords(ciphers, agreement(true, true)); }, std::string(32, '\7')));
  const auto make_keys = [] { return TlsTickets({1, 2, 3}, 0).current(0); };
  const TlsTickets::Keys keys = make_keys();
  EXPECT_FALSE(leaves(make_keys, std::string(keys.cipher.begin(), keys.cipher.end())));
  EXPECT_FALSE(leaves(make_keys, std::string(keys.mac.begin(), keys.mac.end())));
}

TEST_F(Forged, MessagesOfTheHandshake) {
  const std::string update("\x18\x00\x00\x01\x00", 5);
  const std::string ticket = std::string("\x04\x00\x01\x00", 4) + std::string(256, 't');
  EXPECT_EQ(open_all({one(22, update)}).kind, Kind::nothing);
  EXPECT_EQ(open_all({one(22, update.substr(0, 2)), one(22, update.substr(2))}).kind, Kind::nothing) << "in two pieces";
  EXPECT_EQ(open_all({one(22, update + "x")}).alert, TlsAlert::unexpected_message) << "more behind it";
  EXPECT_EQ(open_all({one(22, std::string("\x18\x00\x00\x01\x02", 5))}).alert, TlsAlert::decode_error);
  EXPECT_EQ(open_all({one(22, std::string("\x18\x00\x00\x02", 4))}).alert, TlsAlert::decode_error);
  EXPECT_EQ(open_all({one(22, update.substr(0, 3)), one(23, "data")}).alert, TlsAlert::unexpected_message) << "interrupted";
  EXPECT_EQ(open_all({one(22, "")}).alert, TlsAlert::unexpected_message);
  EXPECT_EQ(open_all({one(22, std::string("\x01\x00\x00\x05hello", 9))}).alert, TlsAlert::unexpected_message)
      << "a client's hello";
  EXPECT_EQ(open_all({one(22, ticket)}).alert, TlsAlert::unexpected_message) << "a server is given no ticket";
  EXPECT_EQ(open_all({one(22, ticket + ticket)}, false).kind, Kind::nothing);
  EXPECT_EQ(open_all({one(22, ticket.substr(0, 100)), one(22, ticket.substr(100)), one(23, "data")}, false).kind, Kind::data);
  EXPECT_EQ(open_all({one(20, "\x01")}).alert, TlsAlert::unexpected_message);
}

TEST_F(Forged, Alerts) {
  EXPECT_EQ(open_all({one(21, std::string("\x01\x00", 2))}).kind, Kind::end);
  const auto fatal = open_all({one(21, std::string("\x02\x28", 2))});
  EXPECT_EQ(fatal.kind, Kind::failure);
  EXPECT_STREQ(fatal.problem, "handshake failure");
  EXPECT_EQ(open_all({one(21, "\x01")}).alert, TlsAlert::decode_error);
  const auto canceled = one(21, std::string("\x01\x5a", 2));
  EXPECT_EQ(open_all({canceled, canceled, canceled, canceled, canceled}).kind, Kind::nothing);
  EXPECT_EQ(open_all({canceled, canceled, canceled, canceled, canceled, canceled}).kind, Kind::failure);
}

}  // namespace
}  // namespace gatehouse::net
