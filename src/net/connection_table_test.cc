#include "net/connection_table.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace gatehouse::net {
namespace {

// A connection's state is the loop's to set, and a slot without one counts as free: the table alone is tested with ids and sizes
// here, and with living connections in loop_test.cc.

TEST(ConnectionTable, TakesTheLowestFreeSlotFirst) {
  ConnectionTable table;
  Connection& first = table.add();
  Connection& second = table.add();
  EXPECT_EQ(first.id().slot, 0U);
  EXPECT_EQ(second.id().slot, 1U);
  EXPECT_EQ(table.size(), 2U);
  table.remove(first);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(table.add().id().slot, 0U);
}

TEST(ConnectionTable, AReusedSlotHasAnotherGenerationAndCleanContents) {
  ConnectionTable table;
  Connection& connection = table.add();
  connection.tag = 77;
  const ConnectionId old = connection.id();
  table.remove(connection);
  Connection& again = table.add();
  EXPECT_EQ(&again, &connection);
  EXPECT_EQ(again.id().slot, old.slot);
  EXPECT_NE(again.id(), old);
  EXPECT_EQ(again.tag, 0U);
  EXPECT_EQ(again.fd(), -1);
  EXPECT_FALSE(again.is_open());
}

TEST(ConnectionTable, ConnectionsDoNotMoveWhenItGrows) {
  ConnectionTable table;
  std::vector<Connection*> all;
  std::set<std::uint32_t> slots;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    all.push_back(&table.add());
    all.back()->tag = i;
    slots.insert(all.back()->id().slot);
  }
  EXPECT_EQ(slots.size(), 3000U);
  for (std::uint32_t i = 0; i < 3000; ++i) EXPECT_EQ(all[i]->tag, i);
}

TEST(ConnectionTable, FindsNothingForIdsItNeverGave) {
  ConnectionTable table;
  EXPECT_EQ(table.find({}), nullptr);
  EXPECT_EQ(table.find({0, 1}), nullptr);
  EXPECT_EQ(table.find({0xffffffffU, 1}), nullptr);
  const ConnectionId id = table.add().id();
  EXPECT_NE(id.generation, 0U);
  EXPECT_EQ(table.find({id.slot, 0}), nullptr);
  EXPECT_EQ(table.find({id.slot, id.generation + 1}), nullptr);
  EXPECT_EQ(table.find({256, id.generation}), nullptr);  // one past the first chunk
}

TEST(ConnectionTable, FitsTheBudgetOfAnIdleConnection) {
  EXPECT_LE(sizeof(Connection), 144U);  // 256 bytes with everything that a gateway keeps for it
}

}  // namespace
}  // namespace gatehouse::net
