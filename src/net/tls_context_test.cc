#include "net/tls_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

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
