#include "net/tls_hello.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "net/tls_test_support.h"

namespace gatehouse::net {
namespace {

using testing::OpenSslEnd;

std::string hello_record(std::string_view content, char type = 22) {
  std::string out{type, 3, 1, static_cast<char>(content.size() >> 8), static_cast<char>(content.size() & 0xff)};
  return out.append(content);
}

/// The header of a message.
std::string hello_header(std::size_t size, char type = 1) {
  return {type, static_cast<char>(size >> 16), static_cast<char>(size >> 8 & 0xff), static_cast<char>(size & 0xff)};
}

std::string hello_message(std::size_t size, char type = 1) { return hello_header(size, type) + std::string(size, 'x'); }

/// A message in records of at most `most` bytes.
std::string hello_in_records(std::string_view content, std::size_t most) {
  std::string out;
  for (; !content.empty(); content.remove_prefix(std::min(most, content.size()))) out += hello_record(content.substr(0, most));
  return out;
}

TEST(TlsHello, IsWholeWithItsLastByteHoweverItIsCut) {
  OpenSslEnd client(OpenSslEnd::Wish{.host = "chat.example"});
  client.pump();
  const std::string real = client.output();
  for (const std::string& bytes : {real, hello_in_records(hello_message(300), 1), hello_in_records(hello_message(300), 7),
                                   hello_in_records(hello_message(200), 100)}) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, bytes.size()}) {
      TlsHello hello;
      for (std::size_t at = 0; at < bytes.size(); at += piece) {
        ASSERT_FALSE(hello.is_whole()) << at;
        hello.take(std::string_view(bytes).substr(at, piece));
      }
      EXPECT_TRUE(hello.is_whole());
      EXPECT_FALSE(hello.is_too_big());
    }
  }
}

TEST(TlsHello, IsRefusedWithItsNinthByteOnePastTheLimit) {
  const std::size_t most = TlsHello::kMost - 4;
  TlsHello at_the_limit;
  at_the_limit.take(hello_in_records(hello_message(most), 16 * 1024));
  EXPECT_TRUE(at_the_limit.is_whole());
  EXPECT_FALSE(at_the_limit.is_too_big());

  for (const std::size_t claimed : {most + 1, std::size_t{131'000}, std::size_t{0xffffff}}) {
    const std::string bytes = hello_record(hello_header(claimed) + std::string(300, 'x'));
    TlsHello hello;
    hello.take(bytes.substr(0, 8));
    EXPECT_FALSE(hello.is_too_big());
    hello.take(bytes.substr(8, 1));
    EXPECT_TRUE(hello.is_too_big()) << claimed;
    EXPECT_FALSE(hello.is_whole());
  }
  TlsHello in_pieces;
  in_pieces.take(hello_in_records(hello_header(most + 1), 1));
  EXPECT_TRUE(in_pieces.is_too_big()) << "a header in four records";
}

TEST(TlsHello, TheSecondOneOfTls13IsLookedAtToo) {
  TlsHello hello;
  hello.take(hello_record(hello_message(300)));
  ASSERT_TRUE(hello.is_whole());
  hello.take(hello_record("\x01", 20));  // what TLS 1.3 sends for the sake of old middleboxes
  hello.take(hello_record(hello_header(131'000)));
  EXPECT_TRUE(hello.is_too_big());

  TlsHello honest;
  honest.take(hello_record(hello_message(300)) + hello_record("\x01", 20) + hello_record(hello_message(400)));
  EXPECT_FALSE(honest.is_too_big());
}

TEST(TlsHello, WhatIsEncryptedIsNotTakenForOne) {
  TlsHello hello;
  hello.take(hello_record(hello_message(300)));
  hello.expect_change_of_ciphers();
  hello.take(hello_record(hello_message(66, 16)));  // client_key_exchange
  hello.take(hello_record("\x01", 20));
  hello.take(
      hello_record(hello_header(131'000) + std::string(36, 'x')));  // a finished that happens to look like this when encrypted
  EXPECT_FALSE(hello.is_too_big());
  // In TLS 1.3 it is another type of record.
  TlsHello other;
  other.take(hello_record(hello_message(300)));
  other.take(hello_record(hello_header(131'000), 23));
  EXPECT_FALSE(other.is_too_big());
}

TEST(TlsHello, WhatIsNoneIsSeenAtItsFirstByte) {
  using State = TlsHello::State;
  const auto state_after = [](std::string_view bytes) {
    TlsHello hello;
    hello.take(bytes);
    return hello.state();
  };
  for (const char* noise : {"G", "x", "\n", "\x16\x02", "\x16\x05"}) EXPECT_EQ(state_after(noise), State::noise) << noise;
  EXPECT_EQ(state_after(std::string_view("\x16\x03\x01\xff\xff", 5)), State::noise) << "a record larger than there are any";
  for (const char* other : {"\x80", "\xff", "\x15", "\x14", "\x17"}) EXPECT_EQ(state_after(other), State::unexpected) << other;
  EXPECT_EQ(state_after(hello_record(hello_header(100, 20)).substr(0, 6)), State::unexpected) << "another message";
  EXPECT_EQ(state_after(""), State::need_more);
  EXPECT_EQ(state_after("\x16"), State::need_more);
}

TEST(TlsHello, EmptyRecordsArePassedOver) {
  TlsHello hello;
  for (int i = 0; i < 1000; ++i) hello.take(hello_record(""));
  EXPECT_FALSE(hello.is_whole());
  hello.take(hello_record(hello_message(10)));
  EXPECT_TRUE(hello.is_whole());
}

}  // namespace
}  // namespace gatehouse::net
