#include "gateway/client_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace gatehouse::gateway {
namespace {

TEST(ClientTable, IdsStartAtTheGivenNumberAndCountUp) {
  ClientTable table(100);
  EXPECT_EQ(table[table.add()].id, 100U);
  EXPECT_EQ(table[table.add()].id, 101U);
  EXPECT_EQ(table.size(), 2U);
}

TEST(ClientTable, IdsWrapAndLeaveOutZero) {
  ClientTable table(0xfffffffeU);
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(table[table.add()].id);
  EXPECT_EQ(ids, (std::vector<std::uint32_t>{0xfffffffeU, 0xffffffffU, 1, 2}));
  ClientTable zero(0);
  EXPECT_EQ(zero[zero.add()].id, 1U);
}

TEST(ClientTable, AnIdIsNotGivenAgainSoonAfterItsClientHasGone) {
  ClientTable table(1);
  for (std::uint32_t id = 1; id < 5000; ++id) {
    const std::uint32_t index = table.add();
    ASSERT_EQ(table[index].id, id);
    ASSERT_EQ(index, 0U);
    table.remove(index);
    ASSERT_EQ(table.find(id), ClientTable::kNone);
  }
}

TEST(ClientTable, IdsInUseAreLeftOut) {
  ClientTable table(1);
  const std::uint32_t old = table.add();
  // Stands in for a client that has lived through 2^32 others: an id that is found where its own was put.
  std::uint32_t used = 2;
  for (table[old].id = used; table.find(used) != old; table[old].id = used) ++used;
  for (std::uint32_t id = 2; id < used; ++id) {
    const std::uint32_t index = table.add();
    ASSERT_EQ(table[index].id, id);
    table.remove(index);
  }
  EXPECT_EQ(table[table.add()].id, used + 1);
  EXPECT_EQ(table.find(used), old);
}

TEST(ClientTable, ARecordIsCleanWhenItIsUsedAgain) {
  ClientTable table(1);
  const std::uint32_t index = table.add();
  ClientRecord& record = table[index];
  record.session = Blob("session");
  record.groups = std::make_unique<std::vector<Membership>>(3);
  record.held = std::make_unique<HeldOutput>();
  record.uid = 5;
  record.announced = true;
  record.silent_ticks = 9;
  record.stage = ClientRecord::Stage::open;
  record.websocket.closed = true;
  table.remove(index);
  EXPECT_EQ(record.id, 0U);
  ASSERT_EQ(table.add(), index);
  EXPECT_TRUE(record.session.empty());
  EXPECT_EQ(record.groups, nullptr);
  EXPECT_EQ(record.held, nullptr);
  EXPECT_EQ(record.uid, ClientRecord::kNoUid);
  EXPECT_FALSE(record.announced);
  EXPECT_EQ(record.silent_ticks, -1);
  EXPECT_EQ(record.stage, ClientRecord::Stage::free);
  EXPECT_FALSE(record.websocket.closed);
}

TEST(ClientTable, FindsNobodyInAnEmptyTableAndNeverZero) {
  ClientTable table(7);
  EXPECT_EQ(table.find(7), ClientTable::kNone);
  EXPECT_EQ(table.find(0), ClientTable::kNone);
  table.add();
  EXPECT_EQ(table.find(0), ClientTable::kNone);
  EXPECT_EQ(table.find(8), ClientTable::kNone);
}

TEST(ClientTable, RecordsDoNotMove) {
  ClientTable table(1);
  std::vector<ClientRecord*> records;
  for (int i = 0; i < 2000; ++i) records.push_back(&table[table.add()]);
  for (std::uint32_t i = 0; i < 2000; ++i) EXPECT_EQ(records[i]->id, i + 1);
}

TEST(ClientTable, ARecordIsAsSmallAsItSays) { EXPECT_LE(sizeof(ClientRecord), 88U); }

/// Against a map, with long-lived clients whose ids share their low bits with new ones, and across the wrap.
TEST(ClientTable, RandomAddsAndRemovesBehaveLikeAMap) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    std::mt19937 random(seed);
    ClientTable table(0U - 5000U * seed);
    std::map<std::uint32_t, std::uint32_t> model;  // id to index
    std::uint32_t last_id = 0;
    const std::uint32_t most = 50U << (seed % 4);
    for (int step = 0; step < 40'000; ++step) {
      const bool grow = model.size() < most / 4 || (model.size() < most && random() % 2 == 0);
      if (grow) {
        const std::uint32_t index = table.add();
        const std::uint32_t id = table[index].id;
        ASSERT_NE(id, 0U);
        ASSERT_TRUE(model.emplace(id, index).second) << "an id twice";
        last_id = id;
      } else {
        auto victim = model.lower_bound(static_cast<std::uint32_t>(random()));
        // Mostly the young go, so that some stay for long.
        if (victim == model.end() || random() % 4 != 0) victim = std::prev(model.end());
        table.remove(victim->second);
        ASSERT_EQ(table.find(victim->first), ClientTable::kNone);
        model.erase(victim);
      }
      ASSERT_EQ(table.size(), model.size());
      ASSERT_EQ(table.find(last_id + 1), ClientTable::kNone);
      if (step % 97 != 0) continue;
      for (const auto& [id, index] : model) ASSERT_EQ(table.find(id), index) << "seed " << seed << " step " << step;
      std::map<std::uint32_t, std::uint32_t> visited;
      table.for_each([&](std::uint32_t index, const ClientRecord& record) { visited.emplace(record.id, index); });
      ASSERT_EQ(visited, model);
    }
  }
}

TEST(ClientTable, RemovingWhileVisitingIsAllowed) {
  ClientTable table(1);
  for (int i = 0; i < 300; ++i) table.add();
  table.for_each([&](std::uint32_t index, const ClientRecord& record) {
    if (record.id % 3 != 0) table.remove(index);
  });
  EXPECT_EQ(table.size(), 100U);
  for (std::uint32_t id = 1; id <= 300; ++id) EXPECT_EQ(table.find(id) != ClientTable::kNone, id % 3 == 0) << id;
}

}  // namespace
}  // namespace gatehouse::gateway
