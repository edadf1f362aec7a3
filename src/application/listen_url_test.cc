#include "application/listen_url.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

TEST(ListenUrl, HasSchemeAndEndpoint) {
  const auto url = ListenUrl::parse("websocket://127.0.0.1:8282");
  ASSERT_TRUE(url.has_value());
  EXPECT_EQ(url->scheme, "websocket");
  EXPECT_EQ(url->endpoint.to_string(), "127.0.0.1:8282");
  const auto six = ListenUrl::parse("tcp://[::1]:80");
  ASSERT_TRUE(six.has_value());
  EXPECT_EQ(six->endpoint.to_string(), "[::1]:80");
}

TEST(ListenUrl, TheSchemeMayBeWrittenInAnyLetters) {
  EXPECT_EQ(ListenUrl::parse("Websocket://127.0.0.1:8282")->scheme, "websocket");
  EXPECT_EQ(ListenUrl::parse("WSS://127.0.0.1:8282")->scheme, "wss");
}

TEST(ListenUrl, RefusesWithASentence) {
  for (const char* text : {"", "websocket", "websocket:8282", "://127.0.0.1:1", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:",
                           "tcp://:80", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:80x", "tcp://127.0.0.1:-1",
                           "tcp://::1:80", "tcp://[::1]", "tcp://999.1.1.1:80", "tcp://127.0.0.1:99999999999999999999"}) {
    const auto url = ListenUrl::parse(text);
    ASSERT_FALSE(url.has_value()) << text;
    EXPECT_NE(url.error().message.find("\"" + std::string(text) + "\""), std::string::npos) << url.error().message;
  }
}

TEST(HostAndPort, TakesNamesUnseen) {
  EXPECT_TRUE(parse_host_and_port("register.not-there-yet:1236").has_value());
  EXPECT_TRUE(parse_host_and_port("[2001:db8::1]:65535").has_value());
  EXPECT_FALSE(parse_host_and_port("1236").has_value());
}

}  // namespace
}  // namespace gatehouse
