#include "wire/websocket_handshake.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "wire/php_serialize.h"

namespace gatehouse::wire {
namespace {

constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";  // the example of RFC 6455, 1.3
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A head that owns its bytes.
struct Request {
  explicit Request(std::string bytes_in) : bytes(std::move(bytes_in)) {
    const HttpResult result = parse_http_head(bytes, 0, head, kMostHead);
    EXPECT_EQ(result.status, HttpStatus::complete) << bytes << result.reason;
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  std::string bytes;
  HttpHead head;
};

/// The opening handshake with one line replaced; `with` may be empty, or more than one line.
std::string request(std::string_view replaced = {}, std::string_view with = {}) {
  std::string out =
      "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  if (!replaced.empty()) {
    const std::size_t at = out.find(replaced);
    EXPECT_NE(at, std::string::npos) << replaced;
    out.replace(at, replaced.size(), with);
  }
  return out;
}

HandshakeAnswer answer_to(std::string bytes) {
  const Request request(std::move(bytes));
  return check_websocket_handshake(request.head);
}

/// The status of a refusal that is a whole response with one sentence as its body; 0 when accepted.
int refused(const HandshakeAnswer& answer) {
  if (answer.accepted) return 0;
  EXPECT_STRNE(answer.reason, "");
  EXPECT_EQ(answer.accept_key, "");
  const std::string& response = answer.refusal;
  EXPECT_EQ(response.rfind("HTTP/1.1 ", 0), 0U);
  EXPECT_NE(response.find("\r\nConnection: close\r\n"), std::string::npos);
  const std::size_t head_end = response.find("\r\n\r\n");
  const std::string body = response.substr(head_end + 4);
  EXPECT_GT(body.size(), 20U);
  EXPECT_NE(response.find("\r\nContent-Length: " + std::to_string(body.size()) + "\r\n"), std::string::npos) << response;
  return std::stoi(response.substr(9, 3));
}

TEST(WebSocketHandshake, ComputesTheAcceptKeyOfTheRfc) { EXPECT_EQ(websocket_accept_key(kKey), kAccept); }

TEST(WebSocketHandshake, AcceptsTheHandshakeOfTheRfc) {
  const HandshakeAnswer answer = answer_to(request());
  EXPECT_TRUE(answer.accepted);
  EXPECT_EQ(answer.accept_key, kAccept);
  EXPECT_EQ(answer.refusal, "");
}

TEST(WebSocketHandshake, AcceptsWhatBrowsersAndProxiesMakeOfIt) {
  EXPECT_TRUE(answer_to(request("Connection: Upgrade", "connection: keep-alive, upgrade")).accepted);
  EXPECT_TRUE(answer_to(request("Connection: Upgrade", "Connection: keep-alive\r\nConnection: UPGRADE")).accepted);
  EXPECT_TRUE(answer_to(request("Upgrade: websocket", "upgrade: WebSocket")).accepted);
  EXPECT_TRUE(answer_to(request("\r\nUpgrade", "\r\nContent-Length: 0\r\nUpgrade")).accepted);
  EXPECT_TRUE(answer_to(request("/chat", "http://server.example.com/chat")).accepted);
}

TEST(WebSocketHandshake, AcceptsItsOwnRequest) {
  const HandshakeAnswer answer = answer_to(websocket_request("h:1", "/?a", kKey));
  EXPECT_EQ(answer.accept_key, kAccept);
}

TEST(WebSocketHandshake, RefusesOtherMethodsAndVersionsOfHttp) {
  const HandshakeAnswer post = answer_to(request("GET", "POST"));
  EXPECT_EQ(refused(post), 405);
  EXPECT_NE(post.refusal.find("\r\nAllow: GET\r\n"), std::string::npos);
  EXPECT_EQ(refused(answer_to(request("GET", "get"))), 405);
  EXPECT_EQ(refused(answer_to(request("HTTP/1.1", "HTTP/1.0"))), 400);
}

TEST(WebSocketHandshake, RefusesOtherVersionsOfWebSocketAndNamesTheRightOne) {
  for (const char* line : {"", "Sec-WebSocket-Version: 8\r\n", "Sec-WebSocket-Version:\r\n", "Sec-WebSocket-Version: 013\r\n"}) {
    const HandshakeAnswer answer = answer_to(request("Sec-WebSocket-Version: 13\r\n", line));
    EXPECT_EQ(refused(answer), 426) << line;
    EXPECT_NE(answer.refusal.find("\r\nSec-WebSocket-Version: 13\r\n"), std::string::npos);
  }
  EXPECT_EQ(refused(answer_to(request("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13"))),
            400);
}

TEST(WebSocketHandshake, RefusesMissingAndWrongFields) {
  EXPECT_EQ(refused(answer_to(request("Host: server.example.com\r\n"))), 400);
  EXPECT_EQ(refused(answer_to(request("server.example.com"))), 400);
  EXPECT_EQ(refused(answer_to(request("Upgrade: websocket\r\n"))), 400);
  EXPECT_EQ(refused(answer_to(request("websocket", "h2c"))), 400);
  EXPECT_EQ(refused(answer_to(request("websocket", "websockets"))), 400);
  EXPECT_EQ(refused(answer_to(request("Connection: Upgrade\r\n"))), 400);
  EXPECT_EQ(refused(answer_to(request("Connection: Upgrade", "Connection: keep-alive"))), 400);
}

TEST(WebSocketHandshake, RefusesRequestsWithABody) {
  EXPECT_EQ(refused(answer_to(request("\r\nUpgrade", "\r\nContent-Length: 5\r\nUpgrade"))), 400);
  EXPECT_EQ(refused(answer_to(request("\r\nUpgrade", "\r\nContent-Length:\r\nUpgrade"))), 400);
  EXPECT_EQ(refused(answer_to(request("\r\nUpgrade", "\r\nTransfer-Encoding: chunked\r\nUpgrade"))), 400);
}

TEST(WebSocketHandshake, RefusesExtensionsThatAreNoListOfExtensions) {
  const std::string version = "Sec-WebSocket-Version: 13\r\n";
  for (const char* field : {"permessage-deflate;", "a b", "=", "a; b=\"c"}) {
    EXPECT_EQ(refused(answer_to(request(version, version + "Sec-WebSocket-Extensions: " + field + "\r\n"))), 400) << field;
  }
  for (const char* field : {"", "permessage-deflate; client_max_window_bits", "x-unknown; a=b"}) {
    EXPECT_EQ(refused(answer_to(request(version, version + "Sec-WebSocket-Extensions: " + field + "\r\n"))), 0) << field;
  }
}

TEST(WebSocketHandshake, RefusesKeysThatAreNot16BytesOfBase64) {
  for (const char* key : {"", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ",
                          "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25jZQAA",
                          "dGhlIHNhbXBsZSBub25j-Q==", "dGhlIHNhbXBsZSBub2 jZQ=="}) {
    EXPECT_EQ(refused(answer_to(request(kKey, key))), 400) << key;
  }
  const std::string line = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  EXPECT_EQ(refused(answer_to(request(line))), 400);
  EXPECT_EQ(refused(answer_to(request(line, line + line))), 400);
}

TEST(WebSocketHandshake, WritesRefusalsOfEveryStatus) {
  for (const int status : {400, 403, 404, 405, 408, 426, 429, 431, 503, 599}) {
    HandshakeAnswer answer;
    answer.refusal = http_refusal(status);
    answer.reason = "test";
    EXPECT_EQ(refused(answer), status);
  }
  EXPECT_EQ(http_refusal(431),
            "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 72\r\n\r\nThe request's header is too large; send fewer or shorter header fields.\n");
}

TEST(WebSocketHandshake, WritesTheAcceptance) {
  const std::string start =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
  EXPECT_EQ(websocket_acceptance(kAccept), start + "\r\n");
  EXPECT_EQ(websocket_acceptance(kAccept, "chat", "permessage-deflate"),
            start + "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
}

/// The body of upstream's sample of on_websocket_connect. It shows two of the request's fields.
constexpr std::string_view kUpstreamSample =
    R"(a:3:{s:3:"get";a:2:{s:5:"token";s:3:"abc";s:4:"room";s:3:"中";})"
    R"(s:6:"server";a:11:{s:12:"QUERY_STRING";s:24:"token=abc&room=%E4%B8%AD";s:14:"REQUEST_METHOD";s:3:"GET";)"
    R"(s:11:"REQUEST_URI";s:26:"/?token=abc&room=%E4%B8%AD";s:15:"SERVER_PROTOCOL";s:8:"HTTP/1.1";)"
    R"(s:11:"SERVER_NAME";s:12:"chat.example";s:12:"CONTENT_TYPE";N;s:11:"REMOTE_ADDR";s:11:"192.168.7.9";)"
    R"(s:11:"REMOTE_PORT";i:54321;s:11:"SERVER_PORT";i:8282;s:9:"HTTP_HOST";s:17:"chat.example:8282";s:11:"HTTP_X_TEST";s:3:"yes";})"
    R"(s:6:"cookie";a:2:{s:3:"sid";s:1:"1";s:5:"theme";s:4:"dark";}})";

TEST(HandshakeValues, AreThoseOfUpstreamsSample) {
  const Request request(
      "GET /?token=abc&room=%E4%B8%AD HTTP/1.1\r\nHost: chat.example:8282\r\nX-Test: yes\r\nCookie: sid=1; theme=dark\r\n\r\n");
  const PhpValue values = handshake_values(request.head, "192.168.7.9", 54321, 8282);
  // Each field of the request is there as HTTP_…, the cookies too, which the sample leaves out.
  std::string expected(kUpstreamSample);
  expected.replace(expected.find("a:11:"), 5, "a:12:");
  const std::string_view last_field = R"(s:11:"HTTP_X_TEST";s:3:"yes";)";
  expected.insert(expected.find(last_field) + last_field.size(), R"(s:11:"HTTP_COOKIE";s:17:"sid=1; theme=dark";)");
  EXPECT_EQ(serialize(values), expected);
  EXPECT_EQ(handshake_body(request.head, "192.168.7.9", 54321, 8282), expected);
}

/// One entry of "server", or "(none)".
std::string server_entry(std::string_view fields, std::string_view name) {
  const Request request("GET / HTTP/1.1\r\n" + std::string(fields) + "\r\n");
  const PhpValue values = handshake_values(request.head, "::1", 1, 2);
  EXPECT_EQ(handshake_body(request.head, "::1", 1, 2), serialize(values));
  const PhpValue* entry = values.array()->find(PhpKey::from_text("server"))->array()->find(PhpKey::from_text(name));
  if (entry == nullptr) return "(none)";
  return entry->string() != nullptr ? *entry->string() : serialize(*entry);
}

TEST(HandshakeValues, NameTheServerWithoutItsPort) {
  EXPECT_EQ(server_entry("Host: a.example\r\n", "SERVER_NAME"), "a.example");
  EXPECT_EQ(server_entry("Host: a.example:80\r\n", "SERVER_NAME"), "a.example");
  EXPECT_EQ(server_entry("Host: [::1]:80\r\n", "SERVER_NAME"), "[::1]");
  EXPECT_EQ(server_entry("Host: [::1]\r\n", "SERVER_NAME"), "[::1]");
  EXPECT_EQ(server_entry("Host: a.example:\r\n", "SERVER_NAME"), "a.example");
  EXPECT_EQ(server_entry("", "SERVER_NAME"), "");
}

TEST(HandshakeValues, HoldEachFieldOfTheRequest) {
  EXPECT_EQ(server_entry("X-a-B: 1\r\n", "HTTP_X_A_B"), "1");
  EXPECT_EQ(server_entry("X-A: 1\r\nx-a: 2\r\n", "HTTP_X_A"), "1,2");
  EXPECT_EQ(server_entry("Cookie: a=1\r\nCookie: b=2\r\n", "HTTP_COOKIE"), "a=1; b=2");
  EXPECT_EQ(server_entry("Content-Type: text/plain\r\n", "CONTENT_TYPE"), "text/plain");
  EXPECT_EQ(server_entry("", "CONTENT_TYPE"), "N;");
  EXPECT_EQ(server_entry("", "REMOTE_ADDR"), "::1");
}

TEST(HandshakeValues, LetNoFieldPassForAnotherByItsUnderscores) {
  EXPECT_EQ(server_entry("X_Real_IP: 6.6.6.6\r\nX-Real-IP: 10.0.0.1\r\n", "HTTP_X_REAL_IP"), "10.0.0.1");
  EXPECT_EQ(server_entry("X-Real-IP: 10.0.0.1\r\nX_Real-IP: 6.6.6.6\r\n", "HTTP_X_REAL_IP"), "10.0.0.1");
  EXPECT_EQ(server_entry("X_Token: 1\r\n", "HTTP_X_TOKEN"), "1");
}

TEST(HandshakeValues, AsManyFieldsAsThereMayBe) {
  std::string fields;
  for (std::size_t i = 0; i < kMostHead.fields / 2; ++i) fields += "X_" + std::to_string(i) + ": v\r\nX-1: list\r\n";
  EXPECT_EQ(server_entry(fields, "HTTP_X_1").size(), kMostHead.fields / 2 * 5 - 1) << "the one with the underscore is left out";
  EXPECT_EQ(server_entry(fields, "HTTP_X_4999"), "v");
}

TEST(HandshakeValues, AreEmptyArraysWithoutQueryAndCookies) {
  const Request request("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const PhpValue values = handshake_values(request.head, "127.0.0.1", 1, 2);
  EXPECT_EQ(serialize(*values.array()->find(PhpKey::from_text("get"))), "a:0:{}");
  EXPECT_EQ(serialize(*values.array()->find(PhpKey::from_text("cookie"))), "a:0:{}");
}

TEST(WebSocketHandshake, SubprotocolsInTheClientsOrder) {
  HttpHead head;
  head.fields = {
      {"Sec-WebSocket-Protocol", " chat.v1,chat.v2 ,, bad name,\t x "}, {"sec-websocket-protocol", "last"}, {"Other", "no"}};
  const std::vector<std::string> offered = offered_subprotocols(head);
  EXPECT_EQ(offered, (std::vector<std::string>{"chat.v1", "chat.v2", "x", "last"}));
  EXPECT_EQ(choose_subprotocol({"nobody", "x", "chat.v1"}, offered), "x");
  EXPECT_EQ(choose_subprotocol({"nobody"}, offered), "");
  EXPECT_EQ(choose_subprotocol({}, offered), "");
  EXPECT_EQ(websocket_acceptance("k", "x").find("Sec-WebSocket-Protocol: x\r\n") == std::string::npos, false);
}

TEST(WebSocketHandshake, ARefusalWithWordsOfItsOwn) {
  const std::string refusal = http_refusal(401, "who are you?");
  EXPECT_TRUE(refusal.starts_with("HTTP/1.1 401 Unauthorized\r\n"));
  EXPECT_TRUE(refusal.ends_with("Content-Length: 13\r\n\r\nwho are you?\n"));
  EXPECT_TRUE(http_refusal(499, "x").starts_with("HTTP/1.1 499 Refused\r\n"));
  EXPECT_EQ(http_refusal(403, ""), http_refusal(403));
  EXPECT_LT(http_refusal(403, std::string(100'000, 'x')).size(), 1400U);
}

}  // namespace
}  // namespace gatehouse::wire
