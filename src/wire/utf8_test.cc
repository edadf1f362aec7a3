#include "wire/utf8.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace gatehouse::wire {
namespace {

std::string encode(std::uint32_t code_point, int size) {
  static constexpr unsigned kLead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  if (size == 1) return {static_cast<char>(code_point)};
  std::string out(static_cast<std::size_t>(size), '\0');
  for (int i = size - 1; i > 0; --i) {
    out[static_cast<std::size_t>(i)] = static_cast<char>(0x80 | (code_point & 0x3F));
    code_point >>= 6;
  }
  out[0] = static_cast<char>(kLead[size] | code_point);
  return out;
}

int shortest_size(std::uint32_t code_point) {
  return code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
}

std::vector<std::uint32_t> edges() {
  return {0,      1,      0x7F,   0x80,   0x7FF,  0x800,  0xFFF,   0x1000,  0xCFFF,  0xD000,  0xD7FF,   0xD800,  0xDBFF,
          0xDC00, 0xDFFF, 0xE000, 0xFFFD, 0xFFFE, 0xFFFF, 0x10000, 0x3FFFF, 0x40000, 0xFFFFF, 0x100000, 0x10FFFF};
}

TEST(Utf8, TakesEveryCodePointInItsShortestForm) {
  for (std::uint32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    ASSERT_EQ(is_utf8(encode(code_point, shortest_size(code_point))), !is_surrogate) << code_point;
  }
}

TEST(Utf8, RefusesOverlongForms) {
  for (const std::uint32_t code_point : edges()) {
    for (int size = shortest_size(code_point) + 1; size <= 4; ++size) {
      if (size == 2 && code_point >= 0x800) continue;
      EXPECT_FALSE(is_utf8(encode(code_point, size))) << code_point << " in " << size;
    }
  }
}

TEST(Utf8, RefusesWhatLiesAboveTheLastCodePoint) {
  EXPECT_FALSE(is_utf8("\xF4\x90\x80\x80"));
  EXPECT_FALSE(is_utf8("\xF5\x80\x80\x80"));
  EXPECT_FALSE(is_utf8("\xF8\x88\x80\x80\x80"));
  EXPECT_FALSE(is_utf8("\xFE"));
  EXPECT_FALSE(is_utf8("\xFF"));
}

/// The rules of RFC 3629 by decoding: how many bytes the first character takes; nothing when there is none at the start.
std::optional<std::size_t> character_size(std::string_view bytes) {
  for (int size = 1; size <= 4 && static_cast<std::size_t>(size) <= bytes.size(); ++size) {
    static constexpr unsigned kLeadMask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    std::uint32_t code_point = static_cast<unsigned char>(bytes[0]) & kLeadMask[size];
    for (int i = 1; i < size; ++i)
      code_point = code_point << 6 | (static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]) & 0x3F);
    const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    if (is_surrogate || code_point > 0x10FFFF || shortest_size(code_point) != size) continue;
    if (encode(code_point, size) == bytes.substr(0, static_cast<std::size_t>(size))) return static_cast<std::size_t>(size);
  }
  return std::nullopt;
}

bool is_utf8_by_decoding(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto size = character_size(bytes);
    if (!size) return false;
    bytes.remove_prefix(*size);
  }
  return true;
}

TEST(Utf8, AgreesWithADecoderOnAllPairsAndOnRowsOfEdgeBytes) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string pair = {static_cast<char>(a), static_cast<char>(b)};
      ASSERT_EQ(is_utf8(pair), is_utf8_by_decoding(pair)) << a << " " << b;
    }
  }
  const std::string edge_bytes =
      "\x01\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0\xC1\xC2\xDF\xE0\xE1\xEC\xED\xEE\xEF\xF0\xF1\xF3\xF4\xF5\xFF";
  std::string text(4, ' ');
  for (const char a : edge_bytes) {
    for (const char b : edge_bytes) {
      for (const char c : edge_bytes) {
        for (const char d : edge_bytes) {
          text = {a, b, c, d};
          ASSERT_EQ(is_utf8(text), is_utf8_by_decoding(text)) << testing::PrintToString(text);
        }
      }
    }
  }
}

TEST(Utf8, RejectsAtTheFirstByteThatNoContinuationCanSave) {
  EXPECT_EQ(check_utf8(kUtf8Accept, "\xC1"), kUtf8Reject);
  EXPECT_EQ(check_utf8(kUtf8Accept, "\xE0\x9F"), kUtf8Reject);
  EXPECT_EQ(check_utf8(kUtf8Accept, "\xED\xA0"), kUtf8Reject);
  EXPECT_EQ(check_utf8(kUtf8Accept, "\xF0\x8F"), kUtf8Reject);
  EXPECT_EQ(check_utf8(kUtf8Accept, "\xF4\x90"), kUtf8Reject);
  EXPECT_EQ(check_utf8(kUtf8Accept, "\xE4\xB8 "), kUtf8Reject);
  for (const char* unfinished : {"\xC2", "\xE0\xA0", "\xED\x9F", "\xF0\x90", "\xF4\x8F\xBF", "\xE4\xB8"}) {
    const std::uint32_t state = check_utf8(kUtf8Accept, unfinished);
    EXPECT_NE(state, kUtf8Reject) << testing::PrintToString(unfinished);
    EXPECT_NE(state, kUtf8Accept) << testing::PrintToString(unfinished);
  }
}

TEST(Utf8, StaysRejected) { EXPECT_EQ(check_utf8(check_utf8(kUtf8Accept, "\xFF"), "good"), kUtf8Reject); }

TEST(Utf8, GoesOnWhereverTheTextIsCut) {
  const std::string text =
      "plain text, \xC3\xA4\xC3\xB6, \xE4\xB8\xAD\xE6\x96\x87, \xF0\x9F\x98\x80 and plain text again, for a while";
  for (std::size_t i = 0; i <= text.size(); ++i) {
    for (std::size_t j = i; j <= text.size(); ++j) {
      std::uint32_t state = check_utf8(kUtf8Accept, std::string_view(text).substr(0, i));
      state = check_utf8(state, std::string_view(text).substr(i, j - i));
      state = check_utf8(state, std::string_view(text).substr(j));
      ASSERT_EQ(state, kUtf8Accept) << i << " " << j;
    }
  }
}

TEST(Utf8, SeesOneBadByteAnywhereInALongText) {
  for (const char* filling : {"a", "\xC3\xA4"}) {
    std::string text;
    while (text.size() < 150) text += filling;
    ASSERT_TRUE(is_utf8(text));
    for (std::size_t i = 0; i < text.size(); ++i) {
      std::string bad = text;
      bad[i] = '\xFF';
      ASSERT_EQ(check_utf8(kUtf8Accept, bad), kUtf8Reject) << i;
    }
  }
}

}  // namespace
}  // namespace gatehouse::wire
