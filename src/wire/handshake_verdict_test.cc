#include "wire/handshake_verdict.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::wire {
namespace {

TEST(HandshakeVerdict, ComesBackAsItWent) {
  for (const HandshakeVerdict& verdict : {HandshakeVerdict{}, HandshakeVerdict{403, "go away", ""},
                                          HandshakeVerdict{101, "", "chat.v2"}, HandshakeVerdict{599, "\"quoted\"\r\n", ""}}) {
    HandshakeVerdict read;
    ASSERT_TRUE(parse_handshake_verdict(handshake_verdict_body(verdict), read));
    EXPECT_EQ(read.status, verdict.status);
    EXPECT_EQ(read.words, verdict.words);
    EXPECT_EQ(read.subprotocol, verdict.subprotocol);
  }
}

TEST(HandshakeVerdict, RefusesWhatIsNone) {
  HandshakeVerdict out;
  for (const char* body :
       {"", "{}", "[]", "101", "{\"status\":\"101\"}", "{\"status\":200}", "{\"status\":399}", "{\"status\":600}",
        "{\"status\":99999999999999}", "{\"status\":403,\"words\":1}", "{\"status\":101,\"subprotocol\":[]}"}) {
    EXPECT_FALSE(parse_handshake_verdict(body, out)) << body;
  }
  const std::string deep(100'000, '[');
  EXPECT_FALSE(parse_handshake_verdict(deep, out));
  EXPECT_FALSE(parse_handshake_verdict("{\"status\":403,\"more\":" + deep + std::string(100'000, ']') + "}", out));
}

}  // namespace
}  // namespace gatehouse::wire
