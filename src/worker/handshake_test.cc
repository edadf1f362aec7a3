#include <gatehouse/handshake.h>
#include <gtest/gtest.h>

namespace gatehouse {
namespace {

TEST(Handshake, FindsValuesByName) {
  const Handshake handshake(Value{{"token", "abc"}, {"x", {"1", "2"}}},
                            Value{{"REQUEST_METHOD", "GET"}, {"HTTP_HOST", "a:1"}, {"HTTP_USER_AGENT", "ua"}, {"REMOTE_PORT", 5}},
                            Value{{"sid", "1"}});
  EXPECT_EQ(handshake.query("token"), "abc");
  EXPECT_EQ(handshake.query("x"), "") << "not a string";
  EXPECT_EQ(handshake.query()["x"][1], "2");
  EXPECT_EQ(handshake.query("missing"), "");
  EXPECT_EQ(handshake.cookie("sid"), "1");
  EXPECT_EQ(handshake.cookie("SID"), "");
  EXPECT_EQ(handshake.header("host"), "a:1");
  EXPECT_EQ(handshake.header("User-Agent"), "ua");
  EXPECT_EQ(handshake.header("Origin"), "");
  EXPECT_EQ(handshake.server()["REMOTE_PORT"], 5);
}

TEST(Handshake, ListsAndNothingAreLookedUpToo) {
  const Handshake handshake(Value::array({"a", "b"}), Value(), Value::object());
  EXPECT_EQ(handshake.query("1"), "b");
  EXPECT_TRUE(handshake.server().is_object());
  EXPECT_EQ(handshake.header("Host"), "");
  EXPECT_EQ(handshake.cookie("sid"), "");
}

}  // namespace
}  // namespace gatehouse
