#include "wire/deflate.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace gatehouse::wire {
namespace {

using namespace std::string_literals;
using Status = Inflater::Status;

constexpr std::size_t kLimit = 1024 * 1024;

std::string some_text(std::size_t size) {
  std::string out;
  for (int i = 0; out.size() < size; ++i) out += "{\"user\":" + std::to_string(i * 7919 % 1000) + ",\"text\":\"hello there\"}";
  out.resize(size);
  return out;
}

std::string noise(std::size_t size) {
  std::mt19937 random(1);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

TEST(Deflate, MessagesComeBackAsTheyWent) {
  for (int bits = 9; bits <= 15; ++bits) {
    Deflater deflater(1, bits);
    Inflater inflater(bits);
    for (const bool keeps : {false, true}) {
      for (const std::size_t size : {50U, 300U, 4096U, 70'000U, 1'000'000U}) {
        const std::string message = some_text(size);
        const std::string deflated(deflater.deflate(message, keeps));
        ASSERT_LT(deflated.size(), message.size());
        ASSERT_FALSE(deflated.empty());
        const auto result = inflater.inflate(deflated, kLimit, keeps);
        ASSERT_EQ(result.status, Status::complete);
        ASSERT_EQ(result.message, message);
      }
    }
  }
}

TEST(Deflate, WithoutContextEqualMessagesAreEqualBytes) {
  Deflater deflater(6, 15);
  const std::string first(deflater.deflate(some_text(1000), false));
  EXPECT_EQ(deflater.deflate(some_text(1000), false), first);
  EXPECT_EQ(deflater.deflate(some_text(1000), true), first);
  EXPECT_LT(deflater.deflate(some_text(1000), true).size(), first.size() / 4) << "a context makes it smaller";
  deflater.forget_context();
  EXPECT_EQ(deflater.deflate(some_text(1000), true), first);
}

TEST(Deflate, WhatDoesNotGetSmallerIsLeftPlainAndForgotten) {
  Deflater deflater(1, 15);
  Inflater inflater(15);
  EXPECT_EQ(deflater.deflate(noise(10'000), true), "");
  EXPECT_EQ(deflater.deflate("", true), "");
  EXPECT_EQ(deflater.deflate("x", true), "");
  // The reader has seen none of it, so nothing may refer to it.
  const std::string message = some_text(500) + noise(100);
  const std::string deflated(deflater.deflate(message, true));
  ASSERT_FALSE(deflated.empty());
  EXPECT_EQ(inflater.inflate(deflated, kLimit, true).message, message);
}

TEST(Deflate, TheExamplesOfTheRfc) {
  Inflater inflater(15);
  // RFC 7692, 7.2.3.1: one block; 7.2.3.3: not compressed; 7.2.3.4: BFINAL; 7.2.3.5: two blocks.
  for (const std::string& bytes :
       {"\xf2\x48\xcd\xc9\xc9\x07\x00"s, "\x00\x05\x00\xfa\xffHello\x00"s, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s,
        "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s}) {
    const auto result = inflater.inflate(bytes, kLimit, false);
    EXPECT_EQ(result.status, Status::complete);
    EXPECT_EQ(result.message, "Hello");
  }
  // 7.2.3.2: the second message refers to the first.
  EXPECT_EQ(inflater.inflate("\xf2\x48\xcd\xc9\xc9\x07\x00"s, kLimit, true).message, "Hello");
  EXPECT_EQ(inflater.inflate("\xf2\x00\x11\x00\x00"s, kLimit, true).message, "Hello");
  // 7.2.3.6: an empty message.
  const auto empty = inflater.inflate("\0"s, kLimit, false);
  EXPECT_EQ(empty.status, Status::complete);
  EXPECT_EQ(empty.message, "");
}

TEST(Deflate, AContextOutlivesTheEndOfAStream) {
  Inflater inflater(15);
  // BFINAL in the first message; the second one refers to it all the same.
  EXPECT_EQ(inflater.inflate("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s, kLimit, true).message, "Hello");
  EXPECT_EQ(inflater.inflate("\xf2\x00\x11\x00\x00"s, kLimit, true).message, "Hello");
}

TEST(Deflate, StreamsMayNotEndForEver) {
  Inflater inflater(15);
  std::string ends;
  for (int i = 0; i < 16; ++i) ends += "\x03\x00"s;
  EXPECT_EQ(inflater.inflate(ends, kLimit, false).status, Status::complete);
  EXPECT_EQ(inflater.inflate(ends + "\x03\x00"s, kLimit, false).status, Status::malformed);
}

TEST(Deflate, MalformedIsRefusedAndTheNextMessageIsNotItsConcern) {
  Inflater inflater(15);
  Deflater deflater(1, 15);
  const std::string message = some_text(3000);
  const std::string good(deflater.deflate(message, false));
  for (const std::string& bad : {std::string(40, '\xff'), "\x02\x13\x00\x00"s, "\x00\x05\x00\xfb\xffHello"s, "\x06"s,
                                 good.substr(0, 100), good.substr(0, good.size() - 2)}) {
    EXPECT_NE(inflater.inflate(bad, kLimit, false).status, Status::complete) << bad.size();
    const auto result = inflater.inflate(good, kLimit, false);
    ASSERT_EQ(result.status, Status::complete);
    ASSERT_EQ(result.message, message);
  }
}

// A stored block that was cut took the tail, which the reader appends (RFC 7692, 7.2.2), for the rest of its content: six bytes
// of a message of which two had come.
TEST(Deflate, ACutMessageIsNotCompletedByTheTail) {
  const std::string head = "\x00\x06\x00\xf9\xff"s;
  for (const bool keeps_context : {false, true}) {
    Inflater inflater(15);
    for (std::size_t come = 0; come < 6; ++come) {
      const auto cut = inflater.inflate(head + std::string("abcdef").substr(0, come), kLimit, keeps_context);
      EXPECT_EQ(cut.status, Status::malformed) << come;
    }
    // As many bytes and a block behind them, whose content the tail is not.
    const auto whole = inflater.inflate(head + "abcdef" + "\x00"s, kLimit, keeps_context);
    ASSERT_EQ(whole.status, Status::complete);
    EXPECT_EQ(whole.message, "abcdef");
  }
}

// Every cut of messages of every kind of block: none may come back as whole.
TEST(Deflate, NoCutMessageComesBackAsWhole) {
  for (const int level : {1, 9}) {
    for (const std::string& message : {std::string(300, 'a'), some_text(700), "Hello"s + std::string(200, '\0')}) {
      Deflater deflater(level, 15);
      const std::string whole(deflater.deflate(message, false));
      for (std::size_t size = 1; size < whole.size(); ++size) {
        Inflater inflater(15);
        EXPECT_NE(inflater.inflate(whole.substr(0, size), kLimit, false).status, Status::complete) << level << ", " << size;
      }
    }
  }
}

// At the limit the tail's output must not be mistaken for a message that is too big.
TEST(Deflate, ACutMessageAtTheLimitIsMalformedNotTooBig) {
  Inflater inflater(15);
  EXPECT_EQ(inflater.inflate("\x00\x06\x00\xf9\xff"s + "abcd", 4, false).status, Status::malformed);
}

TEST(Deflate, ABombStopsAtTheLimit) {
  Deflater deflater(9, 15);
  DeflateBuffer buffer;
  Inflater inflater(15, buffer);
  const std::string zeros(64 * 1024 * 1024, '\0');
  const std::string bomb(deflater.deflate(zeros, false));
  EXPECT_EQ(inflater.inflate(bomb, 1000, false).status, Status::too_big);
  EXPECT_EQ(inflater.inflate(bomb, kLimit, false).status, Status::too_big);
  EXPECT_LE(buffer.capacity(), kLimit + 1);
  EXPECT_EQ(inflater.inflate(bomb, zeros.size() - 1, false).status, Status::too_big);
  const auto result = inflater.inflate(bomb, zeros.size(), false);
  ASSERT_EQ(result.status, Status::complete);
  EXPECT_EQ(result.message.size(), zeros.size());
  buffer.trim();
  EXPECT_EQ(buffer.capacity(), 0U);
  EXPECT_EQ(inflater.inflate(bomb, kLimit, false).status, Status::too_big);
}

}  // namespace
}  // namespace gatehouse::wire
