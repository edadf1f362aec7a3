#include "wire/php_json.h"

#include <gtest/gtest.h>

#include "wire/test_vectors.h"

namespace gatehouse::wire {
namespace {

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// The right sides are what PHP 8.2's json_encode prints.
TEST(PhpJson, WritesStringsAsPhpDoes) {
  EXPECT_EQ(json_string(""), R"("")");
  EXPECT_EQ(json_string("a/b\"\\\b\f\n\r\t\x01\x7f<>&'"), "\"a\\/b\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f<>&'\"");
  EXPECT_EQ(json_string(std::string_view("\0", 1)), R"("\u0000")");
  EXPECT_EQ(json_string("\u0080\u4e2d\U0001F600\u2028"), R"("\u0080\u4e2d\ud83d\ude00\u2028")");
}

TEST(PhpJson, ReplacesWhatIsNotUtf8) {
  for (const char* bytes : {"\x80", "\xC0", "\xC1", "\xE4", "\xF5", "\xFF", "\xF0\x9F\x98"}) {
    const std::string written = json_string(bytes);
    EXPECT_TRUE(written.starts_with("\"\\ufffd")) << written;
    EXPECT_TRUE(nlohmann::json::accept(written)) << written;
  }
  EXPECT_EQ(json_string("\xC0\x80z"), R"("\ufffd\ufffdz")");  // overlong
  EXPECT_EQ(json_string("\xE0\x80\x80z"), R"("\ufffd\ufffd\ufffdz")");
  EXPECT_EQ(json_string("\xED\xA0\x80z"), R"("\ufffd\ufffd\ufffdz")");            // a surrogate
  EXPECT_EQ(json_string("\xF4\x90\x80\x80z"), R"("\ufffd\ufffd\ufffd\ufffdz")");  // over U+10FFFF
}

TEST(PhpJson, IsReadBack) {
  std::string text;
  for (std::uint32_t c = 0; c < 0x80; ++c) text += static_cast<char>(c);
  text += "\u07ff\u0800\uffff\U00010000\U0010ffff";
  EXPECT_EQ(parse_peer_json(json_string(text)), nlohmann::json(text));
}

TEST(PhpJson, RefusesDeepNesting) {
  EXPECT_FALSE(parse_peer_json(repeated("[", 16) + repeated("]", 16)).is_discarded());
  EXPECT_TRUE(parse_peer_json(repeated("[", 17) + repeated("]", 17)).is_discarded());
  EXPECT_FALSE(parse_peer_json(repeated("{\"a\":", 16) + "1" + repeated("}", 16)).is_discarded());
  EXPECT_TRUE(parse_peer_json(repeated("{\"a\":", 17) + "1" + repeated("}", 17)).is_discarded());
  EXPECT_TRUE(parse_peer_json(repeated("[", 100'000)).is_discarded());
  EXPECT_TRUE(parse_peer_json(repeated("{\"a\":[", 100'000)).is_discarded());
  // Neither brackets in strings nor many short lists are nesting.
  EXPECT_FALSE(parse_peer_json("[\"" + repeated("[", 100) + R"(\"[\\")" + "]").is_discarded());
  EXPECT_FALSE(parse_peer_json("[" + repeated("[],", 100) + "[]]").is_discarded());
}

TEST(PhpJson, RefusesMalformedText) {
  for (const char* text :
       {"", " ", "{", "]", "{]", "\"", "\"\\", "nul", "01", "1e999", "[1,]", "{\"a\"}", "1 2", "\"\xff\"", "\"\n\""}) {
    EXPECT_TRUE(parse_peer_json(text).is_discarded()) << text;
  }
}

TEST(PhpJson, ShowsAnArrayAsUpstreamsWebsocketDoes) {
  EXPECT_EQ(with_php_escapes(R"({"a":"b/c"})"), R"({"a":"b\/c"})");
  EXPECT_EQ(with_php_escapes("[\"\xe4\xb8\xad \xe2\x80\xa8\xe2\x80\xa9 \xe2\x80\xaa //\"]"),
            "[\"\xe4\xb8\xad \\u2028\\u2029 \xe2\x80\xaa \\/\\/\"]");
  EXPECT_EQ(with_php_escapes(""), "");
  EXPECT_EQ(with_php_escapes("\xe2\x80"), "\xe2\x80");
}

}  // namespace
}  // namespace gatehouse::wire
