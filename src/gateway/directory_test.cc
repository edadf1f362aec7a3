#include "gateway/directory.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace gatehouse::gateway {
namespace {

struct Known {
  std::string uid;
  std::set<std::string> groups;
};
using Model = std::map<std::uint32_t, Known>;  // by client

std::set<std::uint32_t> members_of(const MemberLists& lists, std::string_view name) {
  std::set<std::uint32_t> out;
  const std::uint32_t list = lists.find(name);
  if (list == MemberLists::kNone) return out;
  for (const Member& member : lists.members(list)) EXPECT_TRUE(out.insert(member.client).second) << "twice in " << name;
  return out;
}

/// Both sides of every membership say the same, and what the model says.
void expect_same(ClientTable& table, const Directory& directory, const Model& model) {
  std::map<std::string, std::set<std::uint32_t>> groups;
  std::map<std::string, std::set<std::uint32_t>> uids;
  for (const auto& [client, known] : model) {
    const ClientRecord& record = table[client];
    ASSERT_EQ(directory.uid_of(record), known.uid);
    if (!known.uid.empty()) {
      ASSERT_EQ(directory.uids().members(record.uid)[record.uid_position].client, client);
      uids[known.uid].insert(client);
    }
    std::set<std::string> of_record;
    if (record.groups != nullptr) {
      ASSERT_FALSE(record.groups->empty()) << "memory is kept for no group";
      for (std::size_t place = 0; place < record.groups->size(); ++place) {
        const Membership& membership = (*record.groups)[place];
        const Member& member = directory.groups().members(membership.list)[membership.position];
        ASSERT_EQ(member.client, client);
        ASSERT_EQ(member.back, place);
        of_record.emplace(directory.groups().name(membership.list));
      }
    }
    ASSERT_EQ(of_record, known.groups);
    for (const std::string& group : known.groups) groups[group].insert(client);
  }
  ASSERT_EQ(directory.groups().size(), groups.size());
  ASSERT_EQ(directory.uids().size(), uids.size());
  for (const auto& [name, clients] : groups) ASSERT_EQ(members_of(directory.groups(), name), clients) << name;
  for (const auto& [name, clients] : uids) ASSERT_EQ(members_of(directory.uids(), name), clients) << name;
}

class DirectoryTest : public ::testing::Test {
 protected:
  ClientTable table_{1};
  Directory directory_{table_};
};

TEST_F(DirectoryTest, AClientHasOneUidAndAUidManyClients) {
  const std::uint32_t a = table_.add();
  const std::uint32_t b = table_.add();
  directory_.bind_uid(a, "u1");
  directory_.bind_uid(b, "u1");
  EXPECT_EQ(members_of(directory_.uids(), "u1"), (std::set<std::uint32_t>{a, b}));
  directory_.bind_uid(a, "u2");
  EXPECT_EQ(directory_.uid_of(table_[a]), "u2");
  EXPECT_EQ(members_of(directory_.uids(), "u1"), std::set<std::uint32_t>{b});
  directory_.bind_uid(b, "u2");
  EXPECT_EQ(directory_.uids().find("u1"), MemberLists::kNone);
  directory_.unbind_uid(b);
  directory_.unbind_uid(b);
  EXPECT_EQ(directory_.uid_of(table_[b]), "");
  EXPECT_EQ(members_of(directory_.uids(), "u2"), std::set<std::uint32_t>{a});
}

TEST_F(DirectoryTest, BindingTheSameUidAgainChangesNothing) {
  const std::uint32_t a = table_.add();
  directory_.bind_uid(a, "u1");
  directory_.bind_uid(a, "u1");
  EXPECT_EQ(members_of(directory_.uids(), "u1"), std::set<std::uint32_t>{a});
}

TEST_F(DirectoryTest, JoiningTwiceIsJoiningOnce) {
  const std::uint32_t a = table_.add();
  directory_.join(a, "g");
  directory_.join(a, "g");
  EXPECT_EQ(members_of(directory_.groups(), "g"), std::set<std::uint32_t>{a});
  directory_.leave(a, "g");
  EXPECT_EQ(directory_.groups().find("g"), MemberLists::kNone);
  EXPECT_EQ(table_[a].groups, nullptr);
}

TEST_F(DirectoryTest, LeavingWhatOneIsNotInChangesNothing) {
  const std::uint32_t a = table_.add();
  const std::uint32_t b = table_.add();
  directory_.join(a, "g");
  directory_.leave(b, "g");
  directory_.leave(a, "h");
  directory_.ungroup("h");
  EXPECT_EQ(members_of(directory_.groups(), "g"), std::set<std::uint32_t>{a});
}

TEST_F(DirectoryTest, AUidAndAGroupOfOneNameAreTwoThings) {
  const std::uint32_t a = table_.add();
  directory_.join(a, "x");
  directory_.bind_uid(a, "x");
  directory_.ungroup("x");
  EXPECT_EQ(directory_.uid_of(table_[a]), "x");
}

TEST_F(DirectoryTest, AClientIsInSoManyGroupsAtMost) {
  const std::uint32_t a = table_.add();
  for (std::size_t i = 0; i < Directory::kMostGroups; ++i) ASSERT_TRUE(directory_.join(a, "g" + std::to_string(i)));
  EXPECT_FALSE(directory_.join(a, "one past"));
  EXPECT_EQ(directory_.groups().find("one past"), MemberLists::kNone);
  EXPECT_TRUE(directory_.join(a, "g5")) << "it is in it";
  directory_.leave(a, "g5");
  EXPECT_TRUE(directory_.join(a, "one past"));
  EXPECT_EQ(table_[a].groups->size(), Directory::kMostGroups);
  directory_.forget(a);
  EXPECT_EQ(directory_.groups().size(), 0U);
}

TEST_F(DirectoryTest, RandomChangesKeepBothSidesInStep) {
  for (unsigned seed = 1; seed <= 7; ++seed) {
    std::mt19937 random(seed);
    ClientTable table(1);
    Directory directory(table);
    Model model;
    const unsigned clients = seed % 2 == 0 ? 300 : 12;
    const unsigned names = seed < 4 ? 5 : seed < 7 ? 60 : 300;  // with 300, clients have more groups than are looked through
    const auto any_name = [&] { return std::to_string(random() % names); };
    for (int step = 0; step < 20'000; ++step) {
      if (model.size() < clients / 2 || (model.size() < clients && random() % 20 == 0)) {
        model.emplace(table.add(), Known());
        continue;
      }
      auto some = model.begin();
      std::advance(some, random() % model.size());
      const std::uint32_t client = some->first;
      Known& known = some->second;
      const std::string name = any_name();
      switch (random() % 16) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
        case 5:
          directory.join(client, name);
          known.groups.insert(name);
          break;
        case 6:
        case 7:
        case 8:
        case 9:
          directory.leave(client, name);
          known.groups.erase(name);
          break;
        case 10:
          directory.ungroup(name);
          for (auto& [other, each] : model) each.groups.erase(name);
          break;
        case 11:
        case 12:
        case 13:
          directory.bind_uid(client, name);
          known.uid = name;
          break;
        case 14:
          directory.unbind_uid(client);
          known.uid.clear();
          break;
        default:
          directory.forget(client);
          table.remove(client);
          model.erase(some);
      }
      if (step % 50 == 0) expect_same(table, directory, model);
    }
    expect_same(table, directory, model);
    for (const auto& [client, known] : model) directory.forget(client);
    EXPECT_EQ(directory.groups().size(), 0U);
    EXPECT_EQ(directory.uids().size(), 0U);
  }
}

}  // namespace
}  // namespace gatehouse::gateway
