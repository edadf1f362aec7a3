#include "gateway/worker_table.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace gatehouse::gateway {
namespace {

WorkerRef add(WorkerTable& table, const std::string& key, std::uint32_t slot) {
  WorkerRef ref;
  EXPECT_EQ(table.add(key, {slot, 1}, false, ref), net::ConnectionId());
  return ref;
}

/// `count` clients that are bound to a worker.
std::vector<WorkerRef> bind(WorkerTable& table, WorkerRef to, int count) {
  std::vector<WorkerRef> clients(static_cast<std::size_t>(count));
  for (WorkerRef& client : clients) EXPECT_NE(table.bind(client, to), nullptr);
  return clients;
}

constexpr LoadBalancing kLeast = LoadBalancing::least_connections;

TEST(WorkerTable, IsEmptyAtFirst) {
  WorkerTable table;
  EXPECT_EQ(table.size(), 0U);
  for (const auto mode : {LoadBalancing::least_connections, LoadBalancing::random, LoadBalancing::round_robin}) {
    EXPECT_EQ(table.choose(mode), WorkerRef());
  }
  EXPECT_EQ(table.find(WorkerRef()), nullptr);
  EXPECT_EQ(table.find("a"), nullptr);
}

TEST(WorkerTable, TheOneWithTheFewestClientsIsChosen) {
  WorkerTable table;
  const WorkerRef a = add(table, "a", 1);
  const WorkerRef b = add(table, "b", 2);
  const WorkerRef c = add(table, "c", 3);
  EXPECT_EQ(table.choose(kLeast), a);
  bind(table, a, 3);
  bind(table, b, 1);
  bind(table, c, 2);
  EXPECT_EQ(table.choose(kLeast), b);
  table.remove(b);
  EXPECT_EQ(table.choose(kLeast), c);
  table.remove(c);
  EXPECT_EQ(table.choose(kLeast), a);
  table.remove(a);
  EXPECT_EQ(table.choose(kLeast).generation, 0);
}

TEST(WorkerTable, RoundRobinTakesThemInTurnWhoeverComesAndGoes) {
  WorkerTable table;
  const WorkerRef a = add(table, "a", 1);
  const WorkerRef b = add(table, "b", 2);
  const WorkerRef c = add(table, "c", 3);
  const auto next = [&] { return table.choose(LoadBalancing::round_robin); };
  EXPECT_EQ(next(), a);
  EXPECT_EQ(next(), b);
  EXPECT_EQ(next(), c);
  EXPECT_EQ(next(), a);
  table.remove(b);
  EXPECT_EQ(next(), c);
  EXPECT_EQ(next(), a);
  const WorkerRef d = add(table, "d", 4);
  EXPECT_EQ(next(), d);
  EXPECT_EQ(next(), c);
  table.remove(a);
  table.remove(d);
  EXPECT_EQ(next(), c);
  EXPECT_EQ(next(), c);
}

TEST(WorkerTable, ByChanceEachIsChosenAndNobodyElse) {
  WorkerTable table;
  std::map<std::uint16_t, int> chosen;
  const WorkerRef a = add(table, "a", 1);
  const WorkerRef gone = add(table, "b", 2);
  const WorkerRef c = add(table, "c", 3);
  const WorkerRef d = add(table, "d", 4);
  table.remove(gone);
  for (int i = 0; i < 3000; ++i) ++chosen[table.choose(LoadBalancing::random).slot];
  EXPECT_EQ(chosen.size(), 3U);
  // 1000 each are expected; the deviation is about 26.
  for (const WorkerRef ref : {a, c, d}) EXPECT_NEAR(chosen[ref.slot], 1000, 200);
}

TEST(WorkerTable, OneThatLeftAndCameBackWithoutClientsIsAnotherOne) {
  WorkerTable table;
  const WorkerRef first = add(table, "a", 1);
  std::vector<WorkerRef> clients = bind(table, first, 1);
  table.find(first)->waiting.push_back(4);
  table.unbind(clients[0]);
  EXPECT_EQ(clients[0], WorkerRef());
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

TEST(WorkerTable, OneThatComesBackHasThoseClientsThatNobodyElseGotAndCountsThem) {
  WorkerTable table;
  const WorkerRef a = add(table, "a", 1);
  const WorkerRef b = add(table, "b", 2);
  std::vector<WorkerRef> of_a = bind(table, a, 10);
  bind(table, b, 10);
  table.remove(a);
  EXPECT_EQ(table.find(a), nullptr);
  EXPECT_EQ(table.find("a"), nullptr);
  EXPECT_EQ(table.choose(kLeast), b);
  for (int i = 0; i < 4; ++i) ASSERT_NE(table.bind(of_a[static_cast<std::size_t>(i)], b), nullptr);
  table.unbind(of_a[4]);  // has gone
  EXPECT_EQ(add(table, "a", 7), a);
  EXPECT_EQ(table.find(a)->clients, 5U);
  EXPECT_EQ(table.find(a)->connection, (net::ConnectionId{7, 1}));
  EXPECT_EQ(table.find(b)->clients, 14U);
  EXPECT_EQ(table.find(of_a[9]), table.find("a"));
}

TEST(WorkerTable, OneThatStaysAwayIsForgottenWithItsLastClient) {
  WorkerTable table;
  const WorkerRef a = add(table, "a", 1);
  std::vector<WorkerRef> clients = bind(table, a, 2);
  table.remove(a);
  table.unbind(clients[0]);
  EXPECT_EQ(table.bind(clients[1], a), nullptr) << "nobody is bound to one that is away";
  table.unbind(clients[1]);
  const WorkerRef b = add(table, "b", 2);
  EXPECT_EQ(b.slot, a.slot);
  EXPECT_NE(b.generation, a.generation);
}

TEST(WorkerTable, ASecondOneWithTheSameKeyReplacesTheFirst) {
  WorkerTable table;
  const WorkerRef first = add(table, "127.0.0.1:chat:0", 1);
  add(table, "127.0.0.1:chat:1", 2);
  WorkerRef second;
  EXPECT_EQ(table.add("127.0.0.1:chat:0", {7, 1}, true, second), (net::ConnectionId{1, 1}));
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(first, second);
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
