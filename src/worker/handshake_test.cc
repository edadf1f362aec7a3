#include <gatehouse/handshake.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

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

TEST(Handshake, IsReadWhenItIsLookedAtAndCopiesStandAlone) {
  auto bytes = std::make_unique<std::string>(
      R"(a:3:{s:3:"get";a:1:{i:0;s:1:"q";}s:6:"server";a:1:{s:11:"HTTP_ORIGIN";s:1:"o";}s:6:"cookie";a:1:{s:1:"c";s:1:"v";}})");
  const Handshake handshake{std::string_view(*bytes)};
  Handshake copy(handshake);
  const Handshake assigned = [&] {
    Handshake other{Value(), Value(), Value()};
    other = Handshake{std::string_view(*bytes)};
    return other;
  }();
  EXPECT_EQ(handshake.cookie("c"), "v");
  bytes.reset();
  for (const Handshake* each : {&handshake, static_cast<const Handshake*>(&copy), &assigned}) {
    EXPECT_EQ(each->query("0"), "q");
    EXPECT_EQ(each->header("Origin"), "o");
    EXPECT_EQ(each->cookie("c"), "v");
    EXPECT_EQ(each->cookies().size(), 1U);
  }
}

}  // namespace
}  // namespace gatehouse
