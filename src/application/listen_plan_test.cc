#include "application/listen_plan.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace gatehouse {
namespace {

/// A port of loopback that was free a moment ago.
int free_port() {
  const auto socket = net::listen_tcp(*net::Endpoint::parse_numeric("127.0.0.1:0"));
  return net::local_address(socket->fd()).port();
}

std::string loopback(const std::string& scheme, int port) { return scheme + "://127.0.0.1:" + std::to_string(port); }

TEST(ListenPlan, HasTheSharedSocketBeforeThoseOfTheProcesses) {
  Program program{.name = "chat"};
  program.gateways.push_back({.name = "web", .listen = "ws://0.0.0.0:8282", .count = 2, .start_port = 2900});
  program.registers.push_back({});
  const auto plan = plan_listeners(program);
  ASSERT_TRUE(plan.has_value());
  std::string all;
  for (const PlannedListener& listener : *plan) {
    all +=
        std::string(to_string(listener.kind)) + " " + std::to_string(listener.index) + " " + listener.endpoint.to_string() + "\n";
  }
  EXPECT_EQ(all,
            "register -1 127.0.0.1:1236\n"
            "gateway -1 0.0.0.0:8282\n"
            "gateway 0 127.0.0.1:2900\n"
            "gateway 1 127.0.0.1:2901\n");
}

TEST(ListenPlan, InnerPortsBindToInnerListen) {
  const auto endpoint = inner_endpoint({.inner_listen = "::", .start_port = 2900}, 3);
  ASSERT_TRUE(endpoint.has_value());
  EXPECT_EQ(endpoint->to_string(), "[::]:2903");
}

TEST(ListenPlan, WildcardsCollideAcrossFamilies) {
  Program program{.name = "chat"};
  program.gateways.push_back({.name = "a", .listen = "ws://[::]:8282", .start_port = 2900});
  program.gateways.push_back({.name = "b", .listen = "ws://127.0.0.1:8282", .start_port = 2910});
  EXPECT_FALSE(plan_listeners(program).has_value());
  program.gateways[0].listen = "ws://0.0.0.0:8282";
  program.gateways[1].listen = "ws://[::1]:8282";
  EXPECT_TRUE(plan_listeners(program).has_value());
}

TEST(OpenListeners, OpensAllAndOnlyTriesThoseOfProcesses) {
  Program program{.name = "chat"};
  program.registers.push_back({.listen = loopback("text", free_port())});
  program.processes.push_back({.name = "page", .listen = "127.0.0.1:" + std::to_string(free_port()), .run = {}});
  const auto plan = plan_listeners(program);
  ASSERT_TRUE(plan.has_value());
  const auto sockets = open_listeners(*plan);
  ASSERT_TRUE(sockets.has_value());
  ASSERT_EQ(sockets->size(), 2U);
  EXPECT_TRUE((*sockets)[0].valid());
  EXPECT_FALSE((*sockets)[1].valid());
  EXPECT_TRUE(net::listen_tcp((*plan)[1].endpoint).has_value());
}

TEST(OpenListeners, SaysWhichPortIsInUse) {
  const auto taken = net::listen_tcp(*net::Endpoint::parse_numeric("127.0.0.1:0"));
  ASSERT_TRUE(taken.has_value());
  const int port = net::local_address(taken->fd()).port();
  Program program{.name = "chat"};
  program.gateways.push_back({.name = "web", .listen = loopback("ws", free_port()), .start_port = port});
  const auto plan = plan_listeners(program);
  ASSERT_TRUE(plan.has_value());
  const auto sockets = open_listeners(*plan);
  ASSERT_FALSE(sockets.has_value());
  EXPECT_EQ(to_line(sockets.error(), program),
            "gateway \"web\": start_port: 127.0.0.1:" + std::to_string(port) +
                " (for process 0) is in use by another program; end that one, or choose another port");
}

TEST(OpenListeners, SaysWhenTheAddressIsNotHere) {
  // TEST-NET-1 (RFC 5737), which no machine has.
  Program program{.name = "chat"};
  program.gateways.push_back({.name = "web", .listen = "ws://192.0.2.1:8282"});
  const auto sockets = open_listeners(*plan_listeners(program));
  ASSERT_FALSE(sockets.has_value());
  EXPECT_NE(sockets.error().message.find("is no address of this machine"), std::string::npos);
}

}  // namespace
}  // namespace gatehouse
