#include "application/process_specs.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace gatehouse {
namespace {

TEST(ProcessSpecs, EachProcessGetsTheSharedSocketAndItsOwn) {
  Program program{.name = "chat"};
  program.registers.push_back({});
  program.gateways.push_back({.name = "web", .listen = "ws://127.0.0.1:8282", .count = 2, .start_port = 2900});
  program.workers.push_back({.name = "Chat", .count = 3});
  program.processes.push_back({.name = "page", .listen = "127.0.0.1:8080", .run = {}});
  const auto plan = plan_listeners(program);
  ASSERT_TRUE(plan.has_value());
  std::vector<net::Socket> sockets;
  for (const PlannedListener& listener : *plan) sockets.emplace_back(listener.only_tried ? -1 : dup(STDERR_FILENO));
  ASSERT_EQ(sockets.size(), 5U);

  std::vector<net::Socket> shares;
  shares.emplace_back(dup(STDERR_FILENO));

  const auto specs = make_process_specs(program, *plan, sockets, shares);
  ASSERT_EQ(specs.size(), 4U);
  EXPECT_EQ(specs[0].reference, "register:0");
  EXPECT_EQ(specs[0].listeners, (std::vector<std::vector<int>>{{sockets[0].fd()}}));
  EXPECT_EQ(specs[1].reference, "gateway:0");
  EXPECT_EQ(specs[1].name, "web");
  EXPECT_EQ(specs[1].listening, "ws://127.0.0.1:8282");
  EXPECT_EQ(specs[1].listeners, (std::vector<std::vector<int>>{{sockets[1].fd(), sockets[2].fd(), shares[0].fd()},
                                                               {sockets[1].fd(), sockets[3].fd(), shares[0].fd()}}));
  EXPECT_EQ(specs[2].count, 3);
  EXPECT_EQ(specs[2].listeners, (std::vector<std::vector<int>>(3)));
  EXPECT_EQ(specs[3].listeners, (std::vector<std::vector<int>>(1))) << "it binds by itself";
}

TEST(ProcessSpecs, GatewaysStopBeforeWorkersAndTheRegisterLast) {
  Program program{.name = "chat"};
  program.registers.push_back({});
  program.gateways.push_back({.name = "web", .listen = "ws://127.0.0.1:8282"});
  program.workers.push_back({});
  const auto plan = plan_listeners(program);
  ASSERT_TRUE(plan.has_value());
  const auto specs = make_process_specs(program, *plan, std::vector<net::Socket>(plan->size()), std::vector<net::Socket>(1));
  EXPECT_LT(specs[1].stop_stage, specs[2].stop_stage);
  EXPECT_LT(specs[2].stop_stage, specs[0].stop_stage);
}

}  // namespace
}  // namespace gatehouse
