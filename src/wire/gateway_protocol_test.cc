#include "wire/gateway_protocol.h"

#include <gtest/gtest.h>

#include "wire/php_serialize.h"
#include "wire/php_value.h"
#include "wire/test_vectors.h"

namespace gatehouse::wire {
namespace {

constexpr std::size_t kMaxSize = 10 * 1024 * 1024;

class GatewayProtocolVectors : public testing::Test {
 protected:
  const nlohmann::ordered_json vectors_ = load_vectors("gateway_protocol.json");
};

TEST_F(GatewayProtocolVectors, FramesDecodeAndEncodeToTheSameBytes) {
  ASSERT_FALSE(vectors_.at("frames").empty());
  for (const auto& vector : vectors_.at("frames")) {
    SCOPED_TRACE(vector.at("name").get<std::string>());
    const std::string bytes = from_hex(vector.at("frame_hex"));
    const auto& fields = vector.at("fields");
    const DecodedGatewayFrame decoded = decode_gateway_frame(bytes, kMaxSize);
    ASSERT_EQ(decoded.status, GatewayFrameStatus::complete);
    EXPECT_EQ(decoded.size, bytes.size());
    const GatewayHeader& header = decoded.frame.header;
    EXPECT_EQ(static_cast<int>(header.command), fields.at("cmd"));
    EXPECT_EQ(header.flags, fields.at("flag_on_the_wire"));
    EXPECT_EQ(header.local_ip, fields.at("local_ip"));
    EXPECT_EQ(header.local_port, fields.at("local_port"));
    EXPECT_EQ(header.client_ip, fields.at("client_ip"));
    EXPECT_EQ(header.client_port, fields.at("client_port"));
    EXPECT_EQ(header.connection_id, fields.at("connection_id"));
    EXPECT_EQ(header.gateway_port, fields.at("gateway_port"));
    EXPECT_EQ(to_hex(decoded.frame.ext_data), fields.at("ext_data_hex").get<std::string>());
    if (fields.contains("body_hex")) {
      EXPECT_TRUE(header.flags & flag::kScalar);
      EXPECT_EQ(to_hex(decoded.frame.body), fields.at("body_hex").get<std::string>());
    } else {
      EXPECT_FALSE(header.flags & flag::kScalar);
      PhpValue body;
      ASSERT_EQ(unserialize(decoded.frame.body, body), PhpStatus::ok);
      EXPECT_EQ(to_json(body), fields.at("body_value"));
      EXPECT_EQ(serialize_json(fields.at("body_value")), decoded.frame.body);
    }

    std::string again = "before";
    append_gateway_frame(again, header, decoded.frame.ext_data, decoded.frame.body);
    EXPECT_EQ(to_hex(again.substr(6)), to_hex(bytes));
  }
}

TEST_F(GatewayProtocolVectors, FramesCutAnywhereNeedMore) {
  for (const auto& vector : vectors_.at("frames")) {
    SCOPED_TRACE(vector.at("name").get<std::string>());
    const std::string bytes = from_hex(vector.at("frame_hex"));
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      // A copy of its own, so that a read behind the cut is a read out of bounds.
      const std::string part = bytes.substr(0, cut);
      const DecodedGatewayFrame decoded = decode_gateway_frame(part, kMaxSize);
      ASSERT_EQ(decoded.status, GatewayFrameStatus::need_more) << cut;
      ASSERT_EQ(decoded.size, cut < 4 ? 0 : bytes.size()) << cut;
    }
  }
}

TEST_F(GatewayProtocolVectors, AllFramesInOneStream) {
  std::string stream;
  for (const auto& vector : vectors_.at("frames")) stream += from_hex(vector.at("frame_hex"));
  std::string_view rest = stream;
  std::size_t frames = 0;
  while (!rest.empty()) {
    const DecodedGatewayFrame decoded = decode_gateway_frame(rest, kMaxSize);
    ASSERT_EQ(decoded.status, GatewayFrameStatus::complete);
    rest.remove_prefix(decoded.size);
    ++frames;
  }
  EXPECT_EQ(frames, vectors_.at("frames").size());
}

TEST_F(GatewayProtocolVectors, RepliesReadAndWriteToTheSameBytes) {
  ASSERT_FALSE(vectors_.at("replies").empty());
  for (const auto& vector : vectors_.at("replies")) {
    SCOPED_TRACE(vector.at("name").get<std::string>());
    const std::string bytes = from_hex(vector.at("reply_hex"));
    ASSERT_GE(bytes.size(), 4U);
    const std::string text = bytes.substr(4);
    EXPECT_EQ(load_be32(bytes.data()), text.size());
    PhpValue value;
    ASSERT_EQ(unserialize(text, value), PhpStatus::ok);
    EXPECT_EQ(to_json(value), vector.at("value"));
    EXPECT_EQ(from_json(vector.at("value")), value);
    EXPECT_EQ(serialize(value), text);
    EXPECT_EQ(serialize_json(vector.at("value")), text);
  }
}

TEST_F(GatewayProtocolVectors, ConnectBodies) {
  int seen = 0;
  for (const auto& vector : vectors_.at("frames")) {
    const auto name = vector.at("name").get<std::string>();
    if (name != "worker_connect" && name != "gateway_client_connect") continue;
    ++seen;
    const std::string body = from_hex(vector.at("fields").at("body_hex"));
    ConnectBody connect;
    ASSERT_TRUE(parse_connect_body(body, connect));
    EXPECT_FALSE(connect.extension);
    if (name == "worker_connect") {
      EXPECT_EQ(connect.worker_key, "ChatWorker:0");
      EXPECT_EQ(connect.secret_key, "");
      EXPECT_EQ(worker_connect_body("ChatWorker:0", "", false), body);
    } else {
      EXPECT_EQ(connect.worker_key, "");
      EXPECT_EQ(connect.secret_key, "s3");
      EXPECT_EQ(gateway_client_connect_body("s3"), body);
    }
  }
  EXPECT_EQ(seen, 2);
}

std::string frame_with(std::uint32_t pack_size, std::uint32_t ext_size, std::size_t bytes) {
  std::string frame(bytes, '\0');
  store_be32(frame.data(), pack_size);
  if (bytes >= GatewayHeader::kSize) store_be32(frame.data() + 24, ext_size);
  return frame;
}

TEST(GatewayProtocol, RefusesBadLengths) {
  for (const std::uint32_t size : {0U, 1U, 27U}) {
    EXPECT_EQ(decode_gateway_frame(frame_with(size, 0, 4), kMaxSize).status, GatewayFrameStatus::too_short);
    EXPECT_EQ(decode_gateway_frame(frame_with(size, 0, 28), kMaxSize).status, GatewayFrameStatus::too_short);
  }
  EXPECT_EQ(decode_gateway_frame(frame_with(28, 0, 28), kMaxSize).status, GatewayFrameStatus::complete);
  EXPECT_EQ(decode_gateway_frame(frame_with(101, 0, 4), 100).status, GatewayFrameStatus::too_long);
  EXPECT_EQ(decode_gateway_frame(frame_with(0xFFFFFFFF, 0, 4), kMaxSize).status, GatewayFrameStatus::too_long);
  EXPECT_EQ(decode_gateway_frame(frame_with(100, 72, 100), 100).status, GatewayFrameStatus::complete);
  EXPECT_EQ(decode_gateway_frame(frame_with(100, 73, 100), 100).status, GatewayFrameStatus::ext_beyond_frame);
  // Refused from the header on, before the rest has come.
  EXPECT_EQ(decode_gateway_frame(frame_with(100, 73, 28), 100).status, GatewayFrameStatus::ext_beyond_frame);
  EXPECT_EQ(decode_gateway_frame(frame_with(28, 0xFFFFFFFF, 28), 100).status, GatewayFrameStatus::ext_beyond_frame);
}

TEST(GatewayProtocol, KeepsEveryBitOfTheHeader) {
  GatewayHeader header;
  header.command = static_cast<Command>(0xFE);
  header.flags = 0xF3;
  header.local_ip = 0x81020384;
  header.local_port = 0xFEDC;
  header.client_ip = 0x85060788;
  header.client_port = 0x9ABC;
  header.connection_id = 0x8A0B0C8D;
  header.gateway_port = 0xDEF0;
  std::string frame;
  append_gateway_frame(frame, header, "ext", std::string(300, 'b'));
  EXPECT_EQ(frame.size(), gateway_frame_size(3, 300));
  const GatewayFrame decoded = decode_gateway_frame(frame, kMaxSize).frame;
  EXPECT_EQ(decoded.header.command, header.command);
  EXPECT_EQ(decoded.header.flags, header.flags);
  EXPECT_EQ(decoded.header.local_ip, header.local_ip);
  EXPECT_EQ(decoded.header.local_port, header.local_port);
  EXPECT_EQ(decoded.header.client_ip, header.client_ip);
  EXPECT_EQ(decoded.header.client_port, header.client_port);
  EXPECT_EQ(decoded.header.connection_id, header.connection_id);
  EXPECT_EQ(decoded.header.gateway_port, header.gateway_port);
  EXPECT_EQ(decoded.ext_data, "ext");
  EXPECT_EQ(decoded.body, std::string(300, 'b'));
}

TEST(GatewayProtocol, ExtensionIsAnnounced) {
  const std::string body = worker_connect_body("a/b:1", "s\u4e2d", true);
  EXPECT_EQ(body, R"({"worker_key":"a\/b:1","secret_key":"s\u4e2d","gatehouse":2})");
  ConnectBody connect;
  ASSERT_TRUE(parse_connect_body(body, connect));
  EXPECT_EQ(connect.worker_key, "a/b:1");
  EXPECT_EQ(connect.secret_key, "s\u4e2d");
  EXPECT_GE(connect.extension, kTakesRequests);
  ASSERT_TRUE(parse_connect_body(R"({"gatehouse":1})", connect));
  EXPECT_EQ(connect.extension, 1U);
  ASSERT_TRUE(parse_connect_body(R"({"gatehouse":"yes"})", connect));
  EXPECT_EQ(connect.extension, 0U);
  EXPECT_EQ(connect.worker_key, "");

  EXPECT_EQ(hello_body("0.1.0"), R"({"gatehouse":1,"version":"0.1.0"})");
  Hello hello;
  EXPECT_TRUE(parse_hello_body(hello_body("0.1.0"), hello));
  EXPECT_EQ(hello.link, 0U);
  for (const char* text : {"", "{}", "[]", "{\"gatehouse\":0}", "{\"gatehouse\":\"1\"}", "{\"gatehouse\":1"}) {
    EXPECT_FALSE(parse_hello_body(text, hello)) << text;
  }
}

TEST(GatewayProtocol, AcknowledgingIsAgreedUpon) {
  ConnectBody connect;
  ASSERT_TRUE(parse_connect_body(worker_connect_body("a:0", "", true), connect));
  EXPECT_EQ(connect.delivery, Delivery::unacknowledged);
  for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
    ASSERT_TRUE(parse_connect_body(worker_connect_body("a:0", "", true, delivery), connect));
    EXPECT_EQ(connect.delivery, delivery);
    // Without the extension it means nothing.
    ASSERT_TRUE(parse_connect_body(worker_connect_body("a:0", "", false, delivery), connect));
    EXPECT_EQ(connect.delivery, Delivery::unacknowledged);
  }
  EXPECT_EQ(worker_connect_body("a:0", "", true, Delivery::at_least_once),
            R"({"worker_key":"a:0","secret_key":"","gatehouse":2,"delivery":"at_least_once"})");
  EXPECT_FALSE(parse_connect_body(R"({"worker_key":"a:0","gatehouse":1,"delivery":7})", connect));

  EXPECT_EQ(hello_body("0.1.0", {.link = 7, .timeout_ms = 60'000}),
            R"({"gatehouse":1,"version":"0.1.0","link":7,"timeout_ms":60000})");
  Hello hello;
  ASSERT_TRUE(parse_hello_body(hello_body("0.1.0", {.link = 0xffffffffU, .timeout_ms = 1}), hello));
  EXPECT_EQ(hello.link, 0xffffffffU);
  EXPECT_EQ(hello.timeout_ms, 1U);
  for (const char* link : {"-1", "4294967296", "1.5", "\"1\"", "null"}) {
    ASSERT_TRUE(parse_hello_body(std::string(R"({"gatehouse":1,"link":)") + link + "}", hello));
    EXPECT_EQ(hello.link, 0U) << link;
  }
}

TEST(GatewayProtocol, RefusesMalformedConnectBodies) {
  ConnectBody connect;
  for (const char* text :
       {"", "null", "[]", "\"x\"", "{\"worker_key\":1}", "{\"secret_key\":null}", "{\"secret_key\":[\"a\"]}", "{\"a\":1"}) {
    EXPECT_FALSE(parse_connect_body(text, connect)) << text;
  }
  EXPECT_FALSE(parse_connect_body(std::string(100'000, '['), connect));
  Hello hello;
  EXPECT_FALSE(parse_hello_body(std::string(100'000, '['), hello));
}

TEST(GatewayProtocol, StatusesAreDescribed) {
  for (int status = 0; status <= static_cast<int>(GatewayFrameStatus::ext_beyond_frame); ++status) {
    EXPECT_STRNE(describe(static_cast<GatewayFrameStatus>(status)), "") << status;
  }
}

TEST(GatewayProtocol, AKeyAtTheEndOfABody) {
  for (const std::string& key : {std::string("k"), std::string("a\0b", 3), std::string(kMostKeyBytes, 'k')}) {
    std::string bytes = "message";
    bytes.resize(bytes.size() + key_suffix_size(key));
    write_key_suffix(bytes.data() + 7, key);
    std::string_view body = bytes;
    std::string_view found;
    ASSERT_TRUE(split_key(body, found));
    EXPECT_EQ(body, "message");
    EXPECT_EQ(found, key);
  }
  EXPECT_EQ(key_suffix_size(""), 0U);
  std::string_view key;
  for (std::string_view body : {std::string_view(""), std::string_view("\0", 1), std::string_view("x\0", 2),
                                std::string_view("\1"), std::string_view("ab\3"), std::string_view("\xff")})
    EXPECT_FALSE(split_key(body, key)) << body;
  std::string_view all = "ab\2";
  EXPECT_TRUE(split_key(all, key));
  EXPECT_EQ(key, "ab");
  EXPECT_EQ(all, "");
}

}  // namespace
}  // namespace gatehouse::wire
