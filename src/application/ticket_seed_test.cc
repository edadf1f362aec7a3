#include "application/ticket_seed.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace gatehouse {
namespace {

TEST(TicketSeed, IsTheSameInAllProcessesAndLeavesTheEnvironment) {
  const auto now = net::TlsTickets::now_s();
  draw_ticket_seed();
  const std::string told = std::getenv("GATEHOUSE_TICKET_SEED");
  const auto first = take_tickets();
  EXPECT_EQ(std::getenv("GATEHOUSE_TICKET_SEED"), nullptr);
  setenv("GATEHOUSE_TICKET_SEED", told.c_str(), 1);
  const auto second = take_tickets();
  const auto own = take_tickets();
  EXPECT_EQ(first->current(now).name, second->current(now).name);
  EXPECT_NE(first->current(now).name, own->current(now).name);
  setenv("GATEHOUSE_TICKET_SEED", "nonsense", 1);
  EXPECT_NE(take_tickets(), nullptr);
}

}  // namespace
}  // namespace gatehouse
