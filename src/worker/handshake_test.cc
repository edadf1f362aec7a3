#include <gatehouse/handshake.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "link/cluster_calls.h"
#include "net/loop.h"
#include "worker/client_context.h"

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
  net::Loop loop{Log("handshake test")};
  ClusterCalls calls(loop, {.register_addresses = {"127.0.0.1:1"}, .worker_key = "T:0"});
  Cluster cluster(calls);
  auto event = std::make_unique<ClientContext>(calls, cluster);
  wire::GatewayFrame frame;
  frame.header.command = wire::Command::on_websocket_connect;
  frame.header.flags = 0;
  frame.body =
      R"(a:3:{s:3:"get";a:1:{i:0;s:1:"q";}s:6:"server";a:1:{s:11:"HTTP_ORIGIN";s:1:"o";}s:6:"cookie";a:1:{s:1:"c";s:1:"v";}})";
  event->assign(frame, false, {});
  ASSERT_TRUE(event->has_handshake());
  const Handshake handshake(*event);
  Handshake copy(handshake);
  const Handshake assigned = [&] {
    Handshake other{Value(), Value(), Value()};
    other = Handshake(*event);
    return other;
  }();
  EXPECT_EQ(handshake.cookie("c"), "v");
  event.reset();
  for (const Handshake* each : {&handshake, static_cast<const Handshake*>(&copy), &assigned}) {
    EXPECT_EQ(each->query("0"), "q");
    EXPECT_EQ(each->header("Origin"), "o");
    EXPECT_EQ(each->cookie("c"), "v");
    EXPECT_EQ(each->cookies().size(), 1U);
  }
}

}  // namespace
}  // namespace gatehouse
