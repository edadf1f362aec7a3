#include "net/tls_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "net/tls_test_support.h"

namespace gatehouse::net {
namespace {

using ::testing::HasSubstr;
using testing::TestDirectory;
using testing::TestIdentity;
using testing::write_text;
using In = TlsFault::In;

class TlsContexts : public ::testing::Test {
 protected:
  static TlsFault fault(const TlsContext::Settings& settings) {
    const auto made = TlsContext::make(settings);
    EXPECT_FALSE(made);
    return made ? TlsFault{} : made.error();
  }
  static TlsFault fault(const TlsFiles& files) { return fault(TlsContext::Settings{.certificates = {files}}); }

  TestDirectory directory_;
  TestIdentity own_{TestIdentity::Wish{}};
  TlsFiles files_ = own_.write(directory_, "own");
};

TEST_F(TlsContexts, EachMistakeIsNamedWithItsFile) {
  const std::string nowhere = directory_.file("nowhere.pem");
  const TlsFault missing = fault(TlsFiles{nowhere, files_.key});
  EXPECT_EQ(missing.in, In::certificate);
  EXPECT_EQ(missing.message, nowhere + " cannot be read: No such file or directory");
  const TlsFault no_key = fault(TlsFiles{files_.certificate, nowhere});
  EXPECT_EQ(no_key.in, In::key);
  EXPECT_EQ(no_key.message, nowhere + " cannot be read: No such file or directory");
  EXPECT_THAT(fault(TlsFiles{directory_.file(""), files_.key}).message, HasSubstr("cannot be read: Is a directory"));

  EXPECT_THAT(fault(TlsFiles{files_.key, files_.key}).message, HasSubstr("own.key holds no certificate in PEM form"));
  EXPECT_THAT(fault(TlsFiles{files_.certificate, files_.certificate}).message,
              HasSubstr("own.pem holds no private key in PEM form"));
  const std::string cut = write_text(directory_.file("cut.pem"), own_.certificate_pem().substr(0, 200));
  EXPECT_THAT(fault(TlsFiles{cut, files_.key}).message, HasSubstr("cut.pem holds a certificate that cannot be read"));

  const TestIdentity other(TestIdentity::Wish{});
  const TlsFault mixed = fault(TlsFiles{files_.certificate, other.write(directory_, "other").key});
  EXPECT_EQ(mixed.in, In::key);
  EXPECT_EQ(mixed.message, directory_.file("other.key") + " is not the key of the certificate " + files_.certificate);

  const std::string locked = write_text(directory_.file("locked.key"), own_.key_pem("secret"));
  EXPECT_THAT(fault(TlsFiles{files_.certificate, locked}).message, HasSubstr("locked.key has a passphrase"));

  TlsContext::Settings mutual{.certificates = {files_}};
  mutual.authority = nowhere;
  EXPECT_EQ(fault(mutual).in, In::authority);
  EXPECT_EQ(fault(mutual).message, nowhere + " cannot be read: No such file or directory");
  mutual.authority = files_.key;
  EXPECT_THAT(fault(mutual).message, HasSubstr("own.key holds no certificate"));
}

TEST_F(TlsContexts, OneThatIsNotValidNowIsRefusedAtTheStart) {
  const TestIdentity over(TestIdentity::Wish{.from_s = -7200, .to_s = -3600});
  const TlsFiles files = over.write(directory_, "over");
  EXPECT_THAT(fault(files).message, HasSubstr("over.pem has been out of date since "));
  const TestIdentity early(TestIdentity::Wish{.from_s = 3600});
  EXPECT_THAT(fault(early.write(directory_, "early")).message, HasSubstr("early.pem is not valid before "));
  TlsContext::Settings again{.certificates = {files}};
  again.may_be_over = true;
  const auto made = TlsContext::make(again);
  ASSERT_TRUE(made) << "a process that is started again must not stay away for it";
  EXPECT_TRUE((*made)->generation()->certificates()[0].is_over);
}

TEST_F(TlsContexts, AChainIsTakenWhole) {
  const TestIdentity authority(TestIdentity::Wish{.names = {"ca"}, .is_authority = true});
  const TestIdentity leaf(TestIdentity::Wish{.names = {"leaf.example"}}, &authority);
  const std::string chain = write_text(directory_.file("chain.pem"), leaf.certificate_pem() + authority.certificate_pem());
  const std::string key = write_text(directory_.file("leaf.key"), leaf.key_pem());
  const auto read = TlsCertificate::read({chain, key}, false);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->chain.size(), 2U);
  EXPECT_EQ(read->names, std::vector<std::string>{"leaf.example"});
}

/// With an authority, as the connections between roles.
class OwnOfAnAuthority : public TlsContexts {
 protected:
  [[nodiscard]] std::string refused(const TestIdentity& own, TlsUses uses = {}, bool may_be_over = false) {
    TlsContext::Settings settings{.certificates = {own.write(directory_, "member")}};
    settings.authority = authority_file_;
    settings.uses = uses;
    settings.may_be_over = may_be_over;
    const auto made = TlsContext::make(settings);
    if (made) return "";
    EXPECT_EQ(made.error().in, In::certificate);
    return made.error().message;
  }
  TestIdentity authority_{TestIdentity::Wish{.names = {"cluster"}, .is_authority = true}};
  std::string authority_file_ = write_text(directory_.file("ca.pem"), authority_.certificate_pem());
  std::string member_file_ = directory_.file("member.pem");
};

// It was found out by the peers, one by one, and the process redialled for ever.
TEST_F(OwnOfAnAuthority, OneThatAllPeersWouldRefuseIsRefusedHere) {
  EXPECT_EQ(refused(TestIdentity(TestIdentity::Wish{}, &authority_)), "");
  EXPECT_EQ(refused(own_), member_file_ + " would be refused by all who trust " + authority_file_ + ": self-signed certificate");
  const TestIdentity other(TestIdentity::Wish{.names = {"elsewhere"}, .is_authority = true});
  EXPECT_THAT(refused(TestIdentity(TestIdentity::Wish{}, &other)), HasSubstr(": unable to get local issuer certificate"));
  // One of the same subject and another key, as a new authority that is given the old one's name.
  const TestIdentity namesake(TestIdentity::Wish{.names = {"cluster"}, .is_authority = true});
  EXPECT_THAT(refused(TestIdentity(TestIdentity::Wish{}, &namesake)), HasSubstr(": certificate signature failure"));
}

TEST_F(OwnOfAnAuthority, OneForOnePurposeIsRefusedWhereTheOtherIsWanted) {
  const TestIdentity client(TestIdentity::Wish{.used_for = "clientAuth"}, &authority_);
  const TestIdentity server(TestIdentity::Wish{.used_for = "serverAuth"}, &authority_);
  const TestIdentity both(TestIdentity::Wish{.used_for = "serverAuth,clientAuth"}, &authority_);
  EXPECT_EQ(refused(both), "");
  EXPECT_EQ(refused(client, {.accepts = false, .dials = true}), "");
  EXPECT_EQ(refused(server, {.accepts = true, .dials = false}), "");
  EXPECT_EQ(refused(client), member_file_ +
                                 " cannot be shown as a server's certificate, and this process accepts connections: its "
                                 "extendedKeyUsage lacks serverAuth; give it both, serverAuth and clientAuth");
  EXPECT_EQ(refused(server), member_file_ +
                                 " cannot be shown as a client's certificate, and this process connects to others: its "
                                 "extendedKeyUsage lacks clientAuth; give it both, serverAuth and clientAuth");
}

TEST_F(OwnOfAnAuthority, AnAuthorityThatIsOverIsTold) {
  const TestIdentity over(TestIdentity::Wish{.names = {"over"}, .from_s = -7200, .to_s = -60, .is_authority = true});
  (void)write_text(authority_file_, over.certificate_pem());
  const TestIdentity member(TestIdentity::Wish{}, &over);
  EXPECT_THAT(refused(member), HasSubstr(": certificate has expired (certificate 1 above it)"));
  EXPECT_EQ(refused(member, {}, true), "") << "a process that is started again must not stay away for it";
}

TEST_F(TlsContexts, TheEndOfACertificateIsToldInTime) {
  constexpr std::int64_t kDay = 24 * 3600;
  std::vector<std::string> logged;
  const Log log = Log::to_function([&](LogLevel level, std::string_view message) {
    logged.push_back((level == LogLevel::error     ? "error: "
                      : level == LogLevel::warning ? "warning: "
                                                   : "") +
                     std::string(message));
  });
  const TestIdentity long_lived(TestIdentity::Wish{.to_s = 100 * kDay});
  const TlsFiles files = long_lived.write(directory_, "long");
  const auto context = std::move(*TlsContext::make({.certificates = {files}}));
  const std::int64_t end = context->generation()->certificates()[0].ends_s;
  const auto said_at = [&](std::int64_t before_end) {
    logged.clear();
    context->warn(log, end - before_end);
    return logged.empty() ? std::string() : logged.size() == 1 ? logged[0] : "too much";
  };
  EXPECT_EQ(said_at(31 * kDay), "");
  EXPECT_EQ(said_at(30 * kDay), "warning: TLS: the certificate " + files.certificate + " ends " +
                                    context->generation()->certificates()[0].ends +
                                    ", in 30 days; renew it: the files are read again when they change");
  EXPECT_EQ(said_at(29 * kDay), "") << "once is enough";
  EXPECT_THAT(said_at(7 * kDay), HasSubstr("in 7 days"));
  EXPECT_EQ(said_at(2 * kDay), "");
  EXPECT_THAT(said_at(kDay), HasSubstr("in a day"));
  EXPECT_EQ(said_at(1), "");
  EXPECT_THAT(said_at(0),
              ::testing::StartsWith("error: TLS: the certificate " + files.certificate + " has been out of date since "));
  EXPECT_EQ(said_at(-40 * kDay), "");
  // One that begins late says only the last of it.
  const auto late = std::move(*TlsContext::make({.certificates = {files}}));
  logged.clear();
  late->warn(log, end - kDay / 2);
  ASSERT_EQ(logged.size(), 1U);
  EXPECT_THAT(logged[0], HasSubstr("in less than a day"));
}

class Reloading : public TlsContexts {
 protected:
  Reloading() { context_ = std::move(*TlsContext::make({.certificates = {files_}})); }
  void look() { context_->reload_when_changed(log_); }
  [[nodiscard]] const TlsGeneration* now() const { return context_->generation().get(); }

  /// As at another time: two files of one size may be written within one tick of the file system's clock.
  std::string rewrite(const std::string& path, std::string_view text) {
    (void)write_text(path, text);
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() + std::chrono::seconds(++written_));
    return path;
  }

  int written_ = 0;
  std::string logged_;
  Log log_ = Log::to_function([this](LogLevel, std::string_view message) { logged_ += message; });
  std::unique_ptr<TlsContext> context_;
};

TEST_F(Reloading, WhenTheFilesHaveChangedAndStandStill) {
  const TlsGeneration* before = now();
  look();
  look();
  EXPECT_EQ(now(), before);
  const TestIdentity renewed(TestIdentity::Wish{.names = {"renewed.example"}});
  rewrite(files_.certificate, renewed.certificate_pem());
  look();
  rewrite(files_.key, renewed.key_pem());
  look();
  EXPECT_EQ(now(), before) << "they were still being written";
  look();
  EXPECT_EQ(now()->certificates()[0].names, std::vector<std::string>{"renewed.example"});
  const TlsGeneration* after = now();
  look();
  look();
  EXPECT_EQ(now(), after) << "once is enough";
}

TEST_F(Reloading, WhatCannotBeReadLeavesTheOldOnes) {
  const TlsGeneration* before = now();
  const TestIdentity renewed(TestIdentity::Wish{});
  rewrite(files_.certificate, renewed.certificate_pem());
  for (int i = 0; i < 4; ++i) look();
  EXPECT_EQ(now(), before);
  EXPECT_THAT(logged_, HasSubstr("the certificates stay as they are: " + files_.key + " is not the key of the certificate"));
  std::filesystem::remove(files_.key);
  for (int i = 0; i < 4; ++i) look();
  EXPECT_EQ(now(), before);
  rewrite(files_.key, renewed.key_pem());
  for (int i = 0; i < 4; ++i) look();
  EXPECT_NE(now(), before);
}

TEST_F(Reloading, OneThatAllPeersWouldRefuseLeavesTheOldOnes) {
  const TestIdentity authority(TestIdentity::Wish{.names = {"cluster"}, .is_authority = true});
  const TestIdentity member(TestIdentity::Wish{}, &authority);
  TlsContext::Settings settings{.certificates = {member.write(directory_, "own")}};
  settings.authority = write_text(directory_.file("ca.pem"), authority.certificate_pem());
  context_ = std::move(*TlsContext::make(settings));
  const TlsGeneration* before = now();
  const TestIdentity stranger(TestIdentity::Wish{});
  rewrite(files_.certificate, stranger.certificate_pem());
  rewrite(files_.key, stranger.key_pem());
  for (int i = 0; i < 3; ++i) look();
  EXPECT_EQ(now(), before);
  EXPECT_THAT(logged_,
              HasSubstr("the certificates stay as they are: " + files_.certificate + " would be refused by all who trust"));
  // A new authority: first both are trusted, then certificates of the new one are shown, then only that is trusted.
  const TestIdentity next(TestIdentity::Wish{.names = {"cluster 2"}, .is_authority = true});
  const TestIdentity renewed(TestIdentity::Wish{}, &next);
  const auto reads = [&] {
    const TlsGeneration* old = now();
    for (int i = 0; i < 3; ++i) look();
    return now() != old;
  };
  rewrite(files_.certificate, member.certificate_pem());
  rewrite(files_.key, member.key_pem());
  rewrite(settings.authority, authority.certificate_pem() + next.certificate_pem());
  EXPECT_TRUE(reads());
  rewrite(files_.certificate, renewed.certificate_pem());
  rewrite(files_.key, renewed.key_pem());
  EXPECT_TRUE(reads());
  rewrite(settings.authority, next.certificate_pem());
  EXPECT_TRUE(reads());
}

TEST_F(Reloading, ALinkThatPointsElsewhereCounts) {
  const std::string link = directory_.file("live.pem");
  std::filesystem::create_symlink(files_.certificate, link);
  context_ = std::move(*TlsContext::make({.certificates = {{link, files_.key}}}));
  const TlsGeneration* before = now();
  const std::string copy = rewrite(directory_.file("copy.pem"), own_.certificate_pem());
  std::filesystem::remove(link);
  std::filesystem::create_symlink(copy, link);
  look();
  look();
  EXPECT_NE(now(), before);
}

}  // namespace
}  // namespace gatehouse::net
