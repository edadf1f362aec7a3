#include "net/tls_handshake.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "net/tls_test_support.h"

namespace gatehouse::net {
namespace {

using testing::OpenSslEnd;
using testing::TestDirectory;
using testing::TestIdentity;
using Role = TlsHandshake::Role;
using Status = TlsHandshake::Status;

/// Exchanges bytes until both are done or one has failed.
Status shake_hands(TlsHandshake& ours, OpenSslEnd& peer) {
  Status status = Status::again;
  for (int i = 0; i < 10; ++i) {
    if (status == Status::again) status = ours.step();
    peer.feed(ours.take_output());
    peer.pump();
    const std::string output = peer.output();
    if (status == Status::again) ours.feed(output);
    if (status == Status::failed || (status == Status::done && peer.is_established())) break;
  }
  return status;
}

class TlsHandshakes : public ::testing::Test {
 protected:
  std::unique_ptr<TlsContext> make(TlsContext::Settings settings) {
    auto made = TlsContext::make(std::move(settings));
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    return std::move(*made);
  }
  TlsContext::Settings settings() { return {.certificates = {own_.write(directory_, "own")}}; }
  static std::string common_name(SSL* ssl) {
    X509* certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == nullptr) return {};
    std::array<char, 256> name{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(), name.size());
    return name.data();
  }

  TestDirectory directory_;
  TestIdentity own_{TestIdentity::Wish{.names = {"chat.example"}}};
};

TEST_F(TlsHandshakes, CutAtEveryByteBothWays) {
  const auto context = make(settings());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const Role role : {Role::server, Role::client}) {
      TlsHandshake ours(context->generation(), role);
      OpenSslEnd peer(OpenSslEnd::Wish{.is_server = role == Role::client, .version = version, .identity = &own_});
      Status status = ours.step();
      int moved = 0;
      for (int i = 0; i < 10 && status == Status::again; ++i) {
        for (const char byte : ours.take_output()) {
          peer.feed({&byte, 1});
          peer.pump();
        }
        peer.pump();
        for (const char byte : peer.output()) {
          ASSERT_EQ(status, Status::again) << "more than the handshake needs";
          ours.feed({&byte, 1});
          status = ours.step();
          ++moved;
        }
      }
      EXPECT_EQ(status, Status::done) << ours.problem();
      EXPECT_GT(moved, 200);
      EXPECT_EQ(ours.take_rest(), "");
    }
  }
}

TEST_F(TlsHandshakes, WhatIsGluedToItIsKept) {
  const auto context = make(settings());
  TlsHandshake ours(context->generation(), Role::server);
  OpenSslEnd peer(OpenSslEnd::Wish{});
  peer.pump();
  ours.feed(peer.output());
  ASSERT_EQ(ours.step(), Status::again);
  peer.feed(ours.take_output());
  peer.pump();
  const std::string finished = peer.output();
  peer.write("at once");
  const std::string data = peer.output();
  ours.feed(finished + data);
  ASSERT_EQ(ours.step(), Status::done);
  EXPECT_EQ(ours.take_rest(), data);
}

TEST_F(TlsHandshakes, OldVersionsAndWeakSuitesAreRefused) {
  const auto context = make(settings());
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    TlsHandshake ours(context->generation(), Role::server);
    OpenSslEnd peer(OpenSslEnd::Wish{.version = version});
    EXPECT_EQ(shake_hands(ours, peer), Status::failed) << version;
    EXPECT_NE(ours.problem(), "");
  }
  for (const char* suite : {"ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-CCM", "AES128-GCM-SHA256"}) {
    TlsHandshake ours(context->generation(), Role::server);
    OpenSslEnd peer(OpenSslEnd::Wish{.version = TLS1_2_VERSION, .suite = suite});
    EXPECT_EQ(shake_hands(ours, peer), Status::failed) << suite;
    EXPECT_EQ(ours.problem(), "no shared cipher");
    EXPECT_NE(peer.error, "") << "it is told by an alert";
  }
}

TEST_F(TlsHandshakes, WhatIsNoTlsIsNamed) {
  const auto context = make(settings());
  TlsHandshake http(context->generation(), Role::server);
  http.feed("GET /chat HTTP/1.1\r\nHost: chat.example\r\n\r\n");
  EXPECT_EQ(http.step(), Status::failed);
  EXPECT_EQ(http.problem(), "http request");
  TlsHandshake noise(context->generation(), Role::server);
  noise.feed(testing::pattern(500));
  EXPECT_EQ(noise.step(), Status::failed);
}

TEST_F(TlsHandshakes, TheNameThatAClientGivesChoosesTheCertificate) {
  TlsContext::Settings both = settings();
  const TestIdentity wild(TestIdentity::Wish{.names = {"other.example", "*.other.example"}});
  both.certificates.push_back(wild.write(directory_, "wild"));
  const auto context = make(both);
  for (const auto& [host, wanted] : {std::pair("chat.example", "chat.example"), std::pair("CHAT.Example", "chat.example"),
                                     std::pair("other.example", "other.example"), std::pair("a.other.example", "other.example"),
                                     std::pair("a.b.other.example", "chat.example"), std::pair("unknown.example", "chat.example"),
                                     std::pair("", "chat.example")}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      TlsHandshake ours(context->generation(), Role::server);
      OpenSslEnd peer(OpenSslEnd::Wish{.version = version, .host = host});
      ASSERT_EQ(shake_hands(ours, peer), Status::done) << ours.problem();
      EXPECT_EQ(common_name(peer.ssl()), wanted) << host;
    }
  }
}

TEST_F(TlsHandshakes, OnlyTheProtocolThatIsSpokenIsAgreedOn) {
  TlsContext::Settings http = settings();
  http.protocol = "http/1.1";
  const auto context = make(http);
  const auto agreed = [&](const std::vector<std::string>& offered, const TlsContext& with) {
    TlsHandshake ours(with.generation(), Role::server);
    OpenSslEnd peer(OpenSslEnd::Wish{.protocols = offered});
    if (shake_hands(ours, peer) != Status::done) return std::string("refused");
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(peer.ssl(), &name, &size);
    return std::string(reinterpret_cast<const char*>(name), size);  // NOLINT: OpenSSL's bytes
  };
  EXPECT_EQ(agreed({"h2", "http/1.1"}, *context), "http/1.1");
  EXPECT_EQ(agreed({}, *context), "");
  EXPECT_EQ(agreed({"h2"}, *context), "refused");
  EXPECT_EQ(agreed({"http/1.0", "http/1.1x"}, *context), "refused");
  EXPECT_EQ(agreed({"h2"}, *make(settings())), "") << "where no protocol is named, none is looked at";
}

TEST_F(TlsHandshakes, SessionsAreResumedByAnyProcessWithTheSameSeed) {
  const TlsTickets::Seed seed{1, 2, 3};
  const auto now = TlsTickets::now_s();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto with = [&](const TlsTickets::Seed& own) {
      TlsContext::Settings resuming = settings();
      resuming.tickets = std::make_shared<TlsTickets>(own, now);
      return make(resuming);
    };
    const auto first = with(seed);
    const auto second = with(seed);
    const auto stranger = with({4, 5, 6});
    TlsHandshake ours(first->generation(), Role::server);
    OpenSslEnd peer(OpenSslEnd::Wish{.version = version});
    ASSERT_EQ(shake_hands(ours, peer), Status::done);
    EXPECT_EQ(SSL_session_reused(peer.ssl()), 0);
    SSL_SESSION* session = SSL_get1_session(peer.ssl());
    const auto resumes = [&](const TlsContext& context) {
      TlsHandshake again(context.generation(), Role::server);
      OpenSslEnd same(OpenSslEnd::Wish{.version = version, .session = session});
      EXPECT_EQ(shake_hands(again, same), Status::done);
      return SSL_session_reused(same.ssl()) == 1;
    };
    EXPECT_TRUE(resumes(*first));
    EXPECT_TRUE(resumes(*second));
    EXPECT_FALSE(resumes(*stranger)) << "shakes hands in full";
    EXPECT_FALSE(resumes(*make(settings()))) << "where there are no tickets";
    TlsContext::Settings other{.certificates = {own_.write(directory_, "other")}};
    other.tickets = std::make_shared<TlsTickets>(seed, now);
    EXPECT_FALSE(resumes(*make(other))) << "where another certificate is shown";
    SSL_SESSION_free(session);
  }
}

// 0-RTT: what is said before the handshake may be said again by anybody who has heard it (RFC 8446, 8).
TEST_F(TlsHandshakes, WhatIsSaidBeforeTheHandshakeIsNotTaken) {
  TlsContext::Settings resuming = settings();
  resuming.tickets = std::make_shared<TlsTickets>(TlsTickets::Seed{1, 2, 3}, TlsTickets::now_s());
  const auto context = make(resuming);
  TlsHandshake first(context->generation(), Role::server);
  OpenSslEnd client(OpenSslEnd::Wish{});
  ASSERT_EQ(shake_hands(first, client), Status::done);
  SSL_SESSION* session = SSL_get1_session(client.ssl());
  EXPECT_EQ(SSL_SESSION_get_max_early_data(session), 0U) << "not offered";
  ASSERT_EQ(SSL_SESSION_set_max_early_data(session, 1000), 1);
  TlsHandshake again(context->generation(), Role::server);
  OpenSslEnd eager(OpenSslEnd::Wish{.session = session});
  std::size_t written = 0;
  ASSERT_EQ(SSL_write_early_data(eager.ssl(), "too early", 9, &written), 1) << "sent without being asked for";
  again.feed(eager.output());
  ASSERT_EQ(shake_hands(again, eager), Status::done) << again.problem();
  EXPECT_EQ(SSL_get_early_data_status(eager.ssl()), SSL_EARLY_DATA_REJECTED);
  EXPECT_EQ(SSL_session_reused(eager.ssl()), 1);
  eager.write("in time");
  TlsCiphers ciphers;
  TlsRecords records(ciphers, again.agreement());
  const std::string record = again.take_rest() + eager.output();
  std::string out(record.size(), '\0');
  EXPECT_EQ(records.open(record, out.data()).size, 7U);
  EXPECT_TRUE(out.starts_with("in time"));
  SSL_SESSION_free(session);
}

// OpenSSL takes memory for as much as a ClientHello claims; the second one, after a HelloRetryRequest, is no better than the
// first.
TEST_F(TlsHandshakes, ASecondHelloThatClaimsMuchIsRefusedToo) {
  const auto context = make(settings());
  for (const bool is_honest : {true, false}) {
    OpenSslEnd client(OpenSslEnd::Wish{});
    ASSERT_EQ(SSL_set1_groups_list(client.ssl(), "P-521:P-256"), 1);  // it guesses P-521, which is not taken
    TlsHandshake ours(context->generation(), Role::server);
    client.pump();
    ours.feed(client.output());
    ASSERT_EQ(ours.step(), Status::again);
    client.feed(ours.take_output());
    client.pump();
    const std::string second = client.output();
    const std::string change = std::string("\x14\x03\x03\x00\x01\x01", 6);
    ASSERT_TRUE(second.starts_with(change + "\x16"));
    if (is_honest) {
      ours.feed(second);
      EXPECT_EQ(shake_hands(ours, client), Status::done) << ours.problem();
      continue;
    }
    ours.feed(change + std::string("\x16\x03\x03\x00\x10\x01\x01\xff\xb8", 9) + std::string(12, 'x'));
    EXPECT_EQ(ours.step(), Status::failed);
    EXPECT_EQ(ours.problem(), TlsHandshake::kHelloTooBigProblem);
    EXPECT_EQ(ours.take_output(), TlsHandshake::kHelloTooBig);
  }
}

TEST_F(TlsHandshakes, MutualOnesWantACertificateOfTheAuthority) {
  const TestIdentity authority(TestIdentity::Wish{.names = {"cluster"}, .is_authority = true});
  const TestIdentity stranger_authority(TestIdentity::Wish{.names = {"cluster"}, .is_authority = true});
  const TestIdentity member(TestIdentity::Wish{.names = {"gateway"}}, &authority);
  const TestIdentity stranger(TestIdentity::Wish{.names = {"gateway"}}, &stranger_authority);
  TlsContext::Settings mutual{.certificates = {member.write(directory_, "member")}};
  mutual.authority = testing::write_text(directory_.file("ca.pem"), authority.certificate_pem());
  const auto context = make(mutual);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const Role role : {Role::server, Role::client}) {
      const auto with = [&](const TestIdentity* identity) {
        TlsHandshake ours(context->generation(), role);
        OpenSslEnd peer(OpenSslEnd::Wish{.is_server = role == Role::client, .version = version, .identity = identity});
        const Status status = shake_hands(ours, peer);
        return std::pair(status, ours.problem());
      };
      EXPECT_EQ(with(&member).first, Status::done) << with(&member).second;
      EXPECT_EQ(with(&stranger).first, Status::failed);
      EXPECT_TRUE(with(&stranger).second.starts_with("certificate verify failed (")) << with(&stranger).second;
      if (role == Role::server) {
        EXPECT_EQ(with(nullptr), std::pair(Status::failed, std::string("peer did not return a certificate")));
      }
    }
  }
}

}  // namespace
}  // namespace gatehouse::net
