#include "wire/http_head.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gatehouse::wire {
namespace {

using namespace std::string_literals;

constexpr std::string_view kRequest =
    "GET /chat?room=1 HTTP/1.1\r\n"
    "Host: chat.example\r\n"
    "Upgrade: websocket\r\n"
    "Connection: keep-alive, Upgrade\r\n"
    "X-Empty:\r\n"
    "X-Spaces: \t two words \t\r\n"
    "\r\n";

/// The result for bytes that come one by one; each step shows a buffer of exactly that size, so that AddressSanitizer sees a step
/// beyond it. `out` refers to nothing any more.
HttpResult drip(std::string_view bytes, const HttpLimits& limits) {
  HttpHead head;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const HttpResult result = parse_http_head({exact.data(), exact.size()}, size == 0 ? 0 : size - 1, head, limits);
    if (result.status != HttpStatus::need_more) return result;
  }
  return {};
}

/// The result for the whole, which must be that of the bytes one by one.
HttpResult parse(std::string_view bytes, HttpHead& head, const HttpLimits& limits = {}) {
  const HttpResult result = parse_http_head(bytes, 0, head, limits);
  const HttpResult dripped = drip(bytes, limits);
  EXPECT_EQ(dripped.status, result.status) << testing::PrintToString(bytes);
  EXPECT_EQ(dripped.size, result.size);
  EXPECT_EQ(dripped.start, result.start);
  EXPECT_STREQ(dripped.reason, result.reason);
  if (result.status != HttpStatus::complete) {
    EXPECT_TRUE(head.fields.empty()) << "fields of a head that is not accepted";
  }
  return result;
}
HttpStatus status_for(std::string_view bytes, const HttpLimits& limits = {}) {
  HttpHead head;
  return parse(bytes, head, limits).status;
}

TEST(HttpHead, SplitsARequest) {
  HttpHead head;
  const HttpResult result = parse(kRequest, head);
  ASSERT_EQ(result.status, HttpStatus::complete) << result.reason;
  EXPECT_EQ(result.size, kRequest.size());
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/chat?room=1");
  EXPECT_EQ(head.version, "HTTP/1.1");
  EXPECT_EQ(head.path(), "/chat");
  EXPECT_EQ(head.query(), "room=1");
  ASSERT_EQ(head.fields.size(), 5U);
  EXPECT_EQ(head.fields[0].first, "Host");
  EXPECT_EQ(head.fields[3].second, "");
  EXPECT_EQ(head.fields[4].second, "two words");
}

TEST(HttpHead, SeesAControlCharacterWhereverItStands) {
  for (std::size_t before = 0; before < 40; ++before) {
    const auto with = [&](char c) {
      HttpHead head;
      return parse("GET / HTTP/1.1\r\nX: " + std::string(before, 'v') + c + "tail\r\nY: z\r\n\r\n", head);
    };
    for (const char c : {'\0', '\x01', '\x1f', '\x7f'}) EXPECT_STREQ(with(c).reason, "control character") << before;
    EXPECT_STREQ(with('\r').reason, "bare CR") << before;
    EXPECT_STREQ(with('\n').reason, "bare LF") << before;
    for (const char c : {'\t', ' ', '~', '\x80', '\xff'}) EXPECT_EQ(with(c).status, HttpStatus::complete) << before;
  }
}

TEST(HttpHead, OneThatWasUsedIsAsGoodAsNew) {
  HttpHead head;
  EXPECT_EQ(parse_http_head(kRequest, 0, head).status, HttpStatus::complete);
  EXPECT_EQ(parse_http_head("GET / HTTP/1.1\r\nA: 1\r\nB 2\r\n\r\n", 0, head).status, HttpStatus::bad_request);
  EXPECT_TRUE(head.fields.empty());
  ASSERT_EQ(parse_http_head("GET /b HTTP/1.1\r\nB: 2\r\n\r\n", 0, head).status, HttpStatus::complete);
  EXPECT_EQ(head.target, "/b");
  ASSERT_EQ(head.fields.size(), 1U);
  EXPECT_EQ(head.field("b"), "2");
}

TEST(HttpHead, LeavesWhatFollowsTheHead) {
  HttpHead head;
  const std::string glued = std::string(kRequest) + "\x81\x80mask\n\n";
  const HttpResult result = parse_http_head(glued, 0, head);
  EXPECT_EQ(result.status, HttpStatus::complete);
  EXPECT_EQ(result.size, kRequest.size());
}

TEST(HttpHead, FindsTheEndHoweverItIsCut) {
  for (std::size_t cut = 0; cut < kRequest.size(); ++cut) {
    HttpHead head;
    ASSERT_EQ(parse_http_head(kRequest.substr(0, cut), 0, head).status, HttpStatus::need_more) << cut;
    const HttpResult result = parse_http_head(kRequest, cut, head);
    ASSERT_EQ(result.status, HttpStatus::complete) << cut;
    ASSERT_EQ(result.size, kRequest.size());
    ASSERT_EQ(head.fields.size(), 5U);
  }
}

TEST(HttpHead, LooksFieldsUpInAnyCase) {
  HttpHead head;
  ASSERT_EQ(parse("GET / HTTP/1.1\r\nX-A: 1\r\nx-a: 2, Three\r\n\r\n", head).status, HttpStatus::complete);
  std::size_t count = 9;
  EXPECT_EQ(head.field("X-a", &count), "1");
  EXPECT_EQ(count, 2U);
  EXPECT_EQ(head.field("X-B", &count), "");
  EXPECT_EQ(count, 0U);
  EXPECT_TRUE(head.has_token("X-A", "1"));
  EXPECT_TRUE(head.has_token("X-A", "three"));
  EXPECT_TRUE(head.has_token("X-A", "2"));
  EXPECT_FALSE(head.has_token("X-A", "thre"));
  EXPECT_FALSE(head.has_token("X-A", "2, three"));
  EXPECT_FALSE(head.has_token("X-B", "1"));
}

TEST(HttpHead, TakesTargetsApart) {
  const auto head_of = [](std::string_view target) {
    HttpHead head;
    head.target = target;
    return head;
  };
  EXPECT_EQ(head_of("/").path(), "/");
  EXPECT_EQ(head_of("/").query(), "");
  EXPECT_EQ(head_of("/?").query(), "");
  EXPECT_EQ(head_of("/a?b?c").query(), "b?c");
  EXPECT_EQ(head_of("/a?u=http://h/x").path(), "/a");
  EXPECT_EQ(head_of("http://host:80/a/b?c").path(), "/a/b");
  EXPECT_EQ(head_of("http://host?c").path(), "/");
  EXPECT_EQ(head_of("*").path(), "*");
}

TEST(HttpHead, RefusesWhatIsNotHttpFromItsFirstBytesOn) {
  HttpHead head;
  for (const std::string& bytes : {"\x16\x03\x01"s, "\0"s, "\r\n\r\n"s, "\r\n\n"s, "\r\n "s, "\rG"s, "\n"s, " "s, "GE(T"s,
                                   "GET\t"s, "GET\r"s, "\x81\x85"s, "{\"a\""s, std::string(33, 'A')}) {
    EXPECT_EQ(parse_http_head(bytes, 0, head).status, HttpStatus::bad_request) << testing::PrintToString(bytes);
    EXPECT_EQ(drip(bytes, {}).status, HttpStatus::bad_request) << testing::PrintToString(bytes);
  }
  EXPECT_EQ(status_for(std::string(32, 'A')), HttpStatus::need_more);
}

TEST(HttpHead, RefusesMalformedRequestLines) {
  for (const char* line : {"GET /", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GET /a b HTTP/1.1", "GET / http/1.1", "GET / HTTP/2.0",
                           "GET / HTTP/1.x", "GET / HTTP/1.10", "GET / HTTP/1.", "GET /", "GET /\tHTTP/1.1", "GET /\ta HTTP/1.1",
                           "GET / HTTP/0.9", "GET /\x7F HTTP/1.1", "GET /\x01 HTTP/1.1"}) {
    EXPECT_EQ(status_for(std::string(line) + "\r\nHost: h\r\n\r\n"), HttpStatus::bad_request) << line;
  }
  EXPECT_EQ(status_for("GET / HTTP/1.0\r\n\r\n"), HttpStatus::complete);
  EXPECT_EQ(status_for("M-SEARCH * HTTP/1.1\r\nHost: h\r\n\r\n"), HttpStatus::complete);
}

TEST(HttpHead, RefusesMalformedFields) {
  for (const std::string& line : {"Host : h\r\n"s, "Host\t: h\r\n"s, ": h\r\n"s, "Host\r\n"s, "Ho st: h\r\n"s, "Host: h\n"s,
                                  "Host: h\r"s, "Host: a\rb\r\n"s, "Host: h\r\n folded\r\n"s, "Host: h\r\n\tfolded\r\n"s,
                                  " Host: h\r\n"s, "Host: \0\r\n"s, "Host: \x01\r\n"s, "Host: \x7F\r\n"s, "H\xC3\xA4: h\r\n"s,
                                  "Host: a\r\nhost: b\r\n"s, "Content-Length: 0\r\ncontent-length: 0\r\n"s, "A\r\r\n: b\r\n"s}) {
    EXPECT_EQ(status_for("GET / HTTP/1.1\r\n" + line + "\r\n"), HttpStatus::bad_request) << testing::PrintToString(line);
  }
  EXPECT_EQ(status_for("GET / HTTP/1.1\r\nX: tab\tand \xC3\xA4\r\n\r\n"), HttpStatus::complete);
}

TEST(HttpHead, OneEmptyLineInFrontIsIgnored) {
  const std::string bytes = "\r\n" + std::string(kRequest);
  HttpHead head;
  const HttpResult result = parse(bytes, head);
  ASSERT_EQ(result.status, HttpStatus::complete) << result.reason;
  EXPECT_EQ(result.start, 2U);
  EXPECT_EQ(result.size, bytes.size());
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(parse(kRequest, head).start, 0U);
  EXPECT_EQ(status_for(bytes, {.bytes = kRequest.size()}), HttpStatus::complete) << "it counts for no limit";
  EXPECT_EQ(status_for(bytes, {.bytes = kRequest.size() - 1}), HttpStatus::too_large);
  EXPECT_EQ(status_for("\r"), HttpStatus::need_more);
  EXPECT_EQ(status_for("\r\n"), HttpStatus::need_more);
}

TEST(HttpHead, AHostIsAHostAndAPort) {
  for (const char* host : {"", "h", "h:80", "h:", ":80", "chat.example:8282", "127.0.0.1:1", "[::1]", "[::1]:8282",
                           "[fe80::1]:", "[v7.x:y]", "a_b~c-d", "x!$&'()*+,;=", "%41%7a:1", "  h  "}) {
    EXPECT_EQ(status_for("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), HttpStatus::complete) << host;
  }
  for (const char* host : {"a b",  "h/x", "h:80/x", "h:x",    "h:8 0",   "a@b",   "http://h", "h?q",      "h#f",
                           "[::1", "[]",  "[]:1",   "[::1]x", "[::1]80", "[a/b]", "::1",      "h:80:80",  "%4",
                           "%zz",  "%",   "h%4g:1", "\"h\"",  "<h>",     "a\\b",  "h\ti",     "h\xC3\xA4"}) {
    EXPECT_EQ(status_for("GET / HTTP/1.1\r\nhost: " + std::string(host) + "\r\n\r\n"), HttpStatus::bad_request) << host;
  }
}

TEST(HttpHead, RefusesABareLineFeedAnywhere) {
  HttpHead head;
  for (std::size_t i = 0; i < kRequest.size(); ++i) {
    if (kRequest[i] != '\r') continue;
    std::string bytes(kRequest);
    bytes.erase(i, 1);
    EXPECT_EQ(parse(bytes, head).status, HttpStatus::bad_request) << i;
  }
}

TEST(HttpHead, TakesAHeadAtTheLimitOfBytesAndNotOnePastIt) {
  const auto request_of = [](std::size_t size) {
    const std::string start = "GET / HTTP/1.1\r\nX: ";
    return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
  };
  const HttpLimits limits = {.bytes = 200};
  EXPECT_EQ(status_for(request_of(200), limits), HttpStatus::complete);
  EXPECT_EQ(status_for(request_of(201), limits), HttpStatus::too_large);
  EXPECT_EQ(status_for(request_of(8192)), HttpStatus::complete);
  HttpHead head;
  EXPECT_EQ(parse_http_head(request_of(8193), 0, head).status, HttpStatus::too_large);
  EXPECT_EQ(parse_http_head(std::string(request_of(200), 0, 199), 0, head, limits).status, HttpStatus::need_more);
  EXPECT_EQ(parse_http_head(std::string(request_of(300), 0, 200), 0, head, limits).status, HttpStatus::too_large);
}

TEST(HttpHead, TakesAsManyFieldsAsTheLimitAndNotOneMore) {
  const auto request_of = [](std::size_t fields) {
    std::string out = "GET / HTTP/1.1\r\n";
    for (std::size_t i = 0; i < fields; ++i) out += "A:b\r\n";
    return out + "\r\n";
  };
  EXPECT_EQ(status_for(request_of(64)), HttpStatus::complete);
  EXPECT_EQ(status_for(request_of(65)), HttpStatus::too_large);
  EXPECT_EQ(status_for(request_of(1), {.fields = 0}), HttpStatus::too_large);
  EXPECT_EQ(status_for(request_of(0), {.fields = 0}), HttpStatus::complete);
  HttpHead head;
  EXPECT_EQ(parse_http_head(request_of(10'000), 0, head).status, HttpStatus::too_large);
}

TEST(HttpHead, LooksAtEachByteOnce) {
  // What was shown before is overwritten with bytes that it would refuse if it read them again.
  HttpHead head;
  const std::size_t middle = 100;
  std::string bytes(kRequest.substr(0, middle));
  ASSERT_EQ(parse_http_head(bytes, 0, head).status, HttpStatus::need_more);
  std::fill(bytes.begin(), bytes.end() - 3, '\0');
  bytes += kRequest.substr(middle, kRequest.size() - middle - 1);
  EXPECT_EQ(parse_http_head(bytes, middle, head).status, HttpStatus::need_more);
}

TEST(HttpHead, BoundsAnEndlessHeaderInOneByteWrites) {
  HttpHead head;
  std::string bytes = "GET / HTTP/1.1\r\nX: ";
  HttpResult result;
  while (result.status == HttpStatus::need_more && bytes.size() < 100'000) {
    bytes.push_back('x');
    result = parse_http_head(bytes, bytes.size() - 1, head);
  }
  EXPECT_EQ(result.status, HttpStatus::too_large);
  EXPECT_EQ(bytes.size(), 8192U);
  EXPECT_EQ(head.fields.capacity(), 0U);
}

TEST(HttpHead, WhatBeginsLikeARequest) {
  for (const char* http : {"GET / HTTP/1.1", "HEAD /x", "OPTIONS *", "POST / HTTP/1.0\r\n", "GET ", "HEAD", "OPTI"}) {
    EXPECT_TRUE(begins_like_http(http)) << http;
  }
  for (const char* other : {"", "G", "GET", "GETX", "get / HTTP/1.1", "HEADS /", "{\"event\":\"ping\"}", "hello"}) {
    EXPECT_FALSE(begins_like_http(other)) << other;
  }
}

}  // namespace
}  // namespace gatehouse::wire
