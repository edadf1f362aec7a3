#include "gateway/worker_table.h"

#include <gtest/gtest.h>

namespace gatehouse::gateway {
namespace {

WorkerRef add(WorkerTable& table, const std::string& key, std::uint32_t slot) {
  WorkerRef ref;
  EXPECT_EQ(table.add(key, {slot, 1}, false, ref), net::ConnectionId());
  return ref;
}

TEST(WorkerTable, IsEmptyAtFirst) {
  WorkerTable table;
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.least_loaded(), WorkerRef());
  EXPECT_EQ(table.find(WorkerRef()), nullptr);
  EXPECT_EQ(table.find("a"), nullptr);
}

TEST(WorkerTable, TheOneWithTheFewestClientsIsChosen) {
  WorkerTable table;
  const WorkerRef a = add(table, "a", 1);
  const WorkerRef b = add(table, "b", 2);
  const WorkerRef c = add(table, "c", 3);
  EXPECT_EQ(table.least_loaded(), a);
  table.find(a)->clients = 3;
  table.find(b)->clients = 1;
  table.find(c)->clients = 2;
  EXPECT_EQ(table.least_loaded(), b);
  table.remove(b);
  EXPECT_EQ(table.least_loaded(), c);
  table.remove(c);
  EXPECT_EQ(table.least_loaded(), a);
  table.remove(a);
  EXPECT_EQ(table.least_loaded().generation, 0);
}

TEST(WorkerTable, OneThatLeftAndCameBackIsAnotherOne) {
  WorkerTable table;
  const WorkerRef first = add(table, "a", 1);
  table.find(first)->clients = 9;
  table.find(first)->waiting.push_back(4);
  table.remove(first);
  EXPECT_EQ(table.find(first), nullptr);
  table.remove(first);
  EXPECT_EQ(table.size(), 0U);
  const WorkerRef second = add(table, "a", 1);
  EXPECT_NE(first, second);
  EXPECT_EQ(table.find(first), nullptr);
  ASSERT_NE(table.find(second), nullptr);
  EXPECT_EQ(table.find(second)->clients, 0U);
  EXPECT_TRUE(table.find(second)->waiting.empty());
}

TEST(WorkerTable, ASecondOneWithTheSameKeyReplacesTheFirst) {
  WorkerTable table;
  const WorkerRef first = add(table, "127.0.0.1:chat:0", 1);
  add(table, "127.0.0.1:chat:1", 2);
  WorkerRef second;
  EXPECT_EQ(table.add("127.0.0.1:chat:0", {7, 1}, true, second), (net::ConnectionId{1, 1}));
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(table.find(first), nullptr);
  ASSERT_NE(table.find(second), nullptr);
  EXPECT_EQ(table.find("127.0.0.1:chat:0"), table.find(second));
  EXPECT_TRUE(table.find(second)->extension);
  EXPECT_EQ(table.find(second)->connection, (net::ConnectionId{7, 1}));
}

TEST(WorkerTable, AGenerationThatWrapsNeverNamesNothing) {
  WorkerTable table;
  for (int i = 0; i < 70'000; ++i) {
    const WorkerRef ref = add(table, "a", 1);
    ASSERT_NE(ref.generation, 0);
    ASSERT_EQ(ref.slot, 0);
    table.remove(ref);
  }
}

}  // namespace
}  // namespace gatehouse::gateway
