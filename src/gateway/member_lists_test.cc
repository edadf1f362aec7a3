#include "gateway/member_lists.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace gatehouse::gateway {
namespace {

using Model = std::map<std::string, std::vector<std::pair<std::uint32_t, std::uint32_t>>>;

std::uint32_t add(MemberLists& lists, std::string_view name, std::uint32_t client) {
  return lists.add(lists.find_or_make(name), {client, 0});
}

void expect_same(const MemberLists& lists, const Model& model) {
  ASSERT_EQ(lists.size(), model.size());
  std::set<std::string> visited;
  lists.for_each([&](std::uint32_t list) { visited.emplace(lists.name(list)); });
  ASSERT_EQ(visited.size(), model.size());
  for (const auto& [name, members] : model) {
    const std::uint32_t list = lists.find(name);
    ASSERT_NE(list, MemberLists::kNone) << name;
    ASSERT_EQ(lists.name(list), name);
    ASSERT_TRUE(visited.contains(name));
    ASSERT_EQ(lists.members(list).size(), members.size());
    for (std::size_t i = 0; i < members.size(); ++i) {
      ASSERT_EQ(lists.members(list)[i].client, members[i].first);
      ASSERT_EQ(lists.members(list)[i].back, members[i].second);
    }
  }
}

TEST(MemberLists, AListExistsWhileItHasAMember) {
  MemberLists lists;
  EXPECT_EQ(lists.find("room"), MemberLists::kNone);
  EXPECT_EQ(add(lists, "room", 7), 0U);
  const std::uint32_t list = lists.find("room");
  ASSERT_NE(list, MemberLists::kNone);
  EXPECT_EQ(lists.size(), 1U);
  EXPECT_EQ(lists.find_or_make("room"), list);
  EXPECT_FALSE(lists.remove(list, 0).any);
  EXPECT_EQ(lists.find("room"), MemberLists::kNone);
  EXPECT_EQ(lists.size(), 0U);
}

TEST(MemberLists, TheLastMemberTakesTheFreedPlaceAndIsReported) {
  MemberLists lists;
  for (std::uint32_t client = 0; client < 4; ++client) EXPECT_EQ(add(lists, "room", client), client);
  const std::uint32_t list = lists.find("room");
  lists.set_back(list, 3, 42);
  const MemberLists::Moved moved = lists.remove(list, 1);
  EXPECT_TRUE(moved.any);
  EXPECT_EQ(moved.member.client, 3U);
  EXPECT_EQ(moved.member.back, 42U);
  EXPECT_EQ(lists.members(list)[1].client, 3U);
  EXPECT_FALSE(lists.remove(list, 2).any);  // the last one: nobody moves
  EXPECT_EQ(lists.members(list).size(), 2U);
}

TEST(MemberLists, NamesAreBytes) {
  using namespace std::string_view_literals;
  MemberLists lists;
  for (const std::string_view name : {"a\0b"sv, "a"sv, "a\0"sv, "\xff\xfe"sv, " "sv}) add(lists, name, 1);
  EXPECT_EQ(lists.size(), 5U);
  EXPECT_EQ(lists.name(lists.find("a\0b"sv)), "a\0b"sv);
  EXPECT_EQ(lists.find("b"), MemberLists::kNone);
}

TEST(MemberLists, GivesMemoryBackAfterABurst) {
  MemberLists lists;
  for (std::uint32_t client = 0; client < 10'000; ++client) add(lists, "room", client);
  const std::uint32_t list = lists.find("room");
  std::set<const Member*> places{lists.members(list).data()};
  while (lists.members(list).size() > 1) {
    lists.remove(list, 0);
    places.insert(lists.members(list).data());
  }
  EXPECT_GE(places.size(), 3U) << "the members were never moved to a smaller place";
  EXPECT_EQ(lists.members(list)[0].client, 1U);  // each removal brought the last one to the front
}

TEST(MemberLists, ManyNamesComeAndGo) {
  MemberLists lists;
  Model model;
  for (int i = 0; i < 5000; ++i) {
    const std::string name = "room-" + std::to_string(i);
    add(lists, name, static_cast<std::uint32_t>(i));
    model[name] = {{static_cast<std::uint32_t>(i), 0}};
  }
  expect_same(lists, model);
  for (int i = 0; i < 5000; ++i) {
    if (i % 7 == 0) continue;
    const std::string name = "room-" + std::to_string(i);
    lists.remove(lists.find(name), 0);
    model.erase(name);
  }
  expect_same(lists, model);
  for (int i = 0; i < 5000; ++i) EXPECT_EQ(lists.find("room-" + std::to_string(i)) != MemberLists::kNone, i % 7 == 0);
}

TEST(MemberLists, RandomChangesBehaveLikeAMapOfVectors) {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    std::mt19937 random(seed);
    MemberLists lists;
    Model model;
    const unsigned names = 3U << (2 * seed % 9);
    for (int step = 0; step < 30'000; ++step) {
      const std::string name = std::to_string(random() % names);
      const std::uint32_t list = lists.find(name);
      ASSERT_EQ(list != MemberLists::kNone, model.contains(name));
      // Long spells of growth and of decay, so that lists become long and go altogether.
      const bool grow = random() % 100 < ((step / 3000) % 2 == 0 ? 80U : 25U);
      if (list == MemberLists::kNone || grow) {
        const auto client = static_cast<std::uint32_t>(random());
        auto& members = model[name];
        ASSERT_EQ(add(lists, name, client), members.size());
        members.emplace_back(client, 0);
        continue;
      }
      auto& members = model[name];
      const auto position = static_cast<std::uint32_t>(random() % members.size());
      if (random() % 5 == 0) {
        members[position].second = static_cast<std::uint32_t>(step);
        lists.set_back(list, position, static_cast<std::uint32_t>(step));
        continue;
      }
      const MemberLists::Moved moved = lists.remove(list, position);
      ASSERT_EQ(moved.any, position + 1 != members.size());
      if (moved.any) {
        ASSERT_EQ(std::make_pair(moved.member.client, moved.member.back), members.back());
        members[position] = members.back();
      }
      members.pop_back();
      if (members.empty()) model.erase(name);
      if (step % 500 == 0) expect_same(lists, model);
    }
    expect_same(lists, model);
  }
}

}  // namespace
}  // namespace gatehouse::gateway
