#include "gateway/unfinished_messages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gatehouse::gateway {
namespace {

using Indexes = std::vector<std::uint32_t>;

constexpr std::size_t kShare = UnfinishedMessages::kShare;
constexpr std::size_t kProgress = UnfinishedMessages::kProgress;

class UnfinishedMessagesTest : public ::testing::Test {
 protected:
  std::uint32_t add() { return table_.add(); }
  void note(std::uint32_t client, std::size_t bytes, std::uint64_t now_ms, bool is_new = false) {
    unfinished_.note(client, bytes, is_new, now_ms);
  }
  [[nodiscard]] Indexes heaviest(std::uint64_t now_ms) const {
    return unfinished_.heaviest(now_ms, [](std::uint32_t) { return false; });
  }

  ClientTable table_{1};
  wire::WebSocketReader websockets_{wire::WebSocketReader::Role::server, {}};
  UnfinishedMessages unfinished_{table_, websockets_, {.most_bytes = 1'000'000, .timeout_ms = 60'000}};
};

TEST_F(UnfinishedMessagesTest, ASharePerClientCountsForNothing) {
  for (int i = 0; i < 1000; ++i) note(add(), kShare, 0);
  EXPECT_EQ(unfinished_.held_bytes(), 1000 * kShare);
  EXPECT_EQ(unfinished_.counted_bytes(), 0U);
  EXPECT_FALSE(unfinished_.is_over());
  EXPECT_EQ(heaviest(1'000'000), Indexes());
}

TEST_F(UnfinishedMessagesTest, IsOverOnePastTheLimit) {
  const std::uint32_t one = add();
  const std::uint32_t two = add();
  note(one, kShare + 600'000, 0);
  note(two, kShare + 400'000, 0);
  EXPECT_FALSE(unfinished_.is_over());
  note(two, kShare + 400'001, 0);
  EXPECT_TRUE(unfinished_.is_over());
  EXPECT_EQ(heaviest(0), Indexes{one}) << "who holds most, and not who added to it";
  unfinished_.forget(one);
  EXPECT_FALSE(unfinished_.is_over());
  EXPECT_EQ(unfinished_.size(), 1U);
}

TEST_F(UnfinishedMessagesTest, WhoHasStalledLongestGoesAmongThoseWhoHoldAsMuch) {
  const std::uint32_t stalled = add();
  const std::uint32_t slow = add();
  note(stalled, 400'000, 0);
  note(slow, 400'000, 0);
  for (std::uint64_t now = 1000; now <= 20'000; now += 1000) note(slow, 400'000 + now / 1000 * kProgress, now);
  EXPECT_TRUE(unfinished_.is_over() || unfinished_.counted_bytes() > 900'000);
  note(add(), 280'000, 20'000);
  ASSERT_TRUE(unfinished_.is_over());
  EXPECT_EQ(heaviest(20'000), Indexes{stalled}) << "although the other holds more";
}

// What the attack was: as many bytes as there may be, from few, and then a byte each now and then.
TEST_F(UnfinishedMessagesTest, ADripIsNoProgress) {
  Indexes greedy;
  for (int i = 0; i < 10; ++i) note(greedy.emplace_back(add()), kShare + 100'000, 0);
  for (std::uint64_t now = 1000; now <= 30'000; now += 1000) {
    for (const std::uint32_t each : greedy) note(each, kShare + 100'000 - 1 + now % 2, now);
  }
  // One that means well has said nearly all of a much larger message.
  const std::uint32_t honest = add();
  note(honest, 900'000, 29'900, true);
  const Indexes gone = heaviest(30'000);
  EXPECT_EQ(std::count(gone.begin(), gone.end(), honest), 0);
  EXPECT_GE(gone.size(), 9U);
}

TEST_F(UnfinishedMessagesTest, WhoIsNotReadFromHasNotStalled) {
  const std::uint32_t paused = add();
  const std::uint32_t other = add();
  note(paused, kShare + 520'000, 0);
  note(other, kShare + 500'000, 50'000);
  EXPECT_EQ(unfinished_.heaviest(55'000, [&](std::uint32_t client) { return client == paused; }), Indexes{other});
  EXPECT_EQ(heaviest(55'000), Indexes{paused});
}

TEST_F(UnfinishedMessagesTest, MakesALittleMoreRoomThanIsNeeded) {
  Indexes many;
  for (int i = 0; i < 1001; ++i) note(many.emplace_back(add()), kShare + 1000, static_cast<std::uint64_t>(i));
  ASSERT_TRUE(unfinished_.is_over());
  const Indexes gone = heaviest(2000);
  EXPECT_EQ(gone.size(), 1U + 16U) << "the one that is too much, and a 64th of the limit";
  EXPECT_EQ(gone, Indexes(many.begin(), many.begin() + 17)) << "the longest without progress first";
}

TEST_F(UnfinishedMessagesTest, AMessageHasItsTimeFromItsFirstByteAndAnewWithEverySixteenKilobytes) {
  const std::uint32_t drip = add();
  const std::uint32_t slow = add();
  note(drip, 1, 1000);
  note(slow, 1, 1000);
  note(drip, kProgress, 60'000);  // one byte short
  note(slow, 1 + kProgress, 60'000);
  EXPECT_EQ(unfinished_.late(60'999), Indexes());
  EXPECT_EQ(unfinished_.late(61'000), Indexes{drip});
  unfinished_.forget(drip);
  EXPECT_EQ(unfinished_.late(119'999), Indexes());
  EXPECT_EQ(unfinished_.late(120'000), Indexes{slow});
  unfinished_.excuse(slow, 120'000);
  EXPECT_EQ(unfinished_.late(179'999), Indexes());
  EXPECT_EQ(unfinished_.late(180'000), Indexes{slow});
  note(slow, 100, 180'000, true);
  EXPECT_EQ(unfinished_.late(180'000), Indexes()) << "another message";
}

// The header of each fragment is kept until the fragment is whole, and then is not: that must not look like a new beginning.
TEST_F(UnfinishedMessagesTest, TinyFragmentsAreNoProgress) {
  const std::uint32_t client = add();
  note(client, 0, 0);
  for (std::uint64_t now = 0; now < 60'000; now += 1000) {
    note(client, 500 + now / 1000 + 6, now);
    note(client, 500 + now / 1000, now);
  }
  EXPECT_EQ(unfinished_.late(60'000), Indexes{client});
}

TEST_F(UnfinishedMessagesTest, FragmentsCountWithWhatIsUnread) {
  const std::uint32_t client = add();
  std::string frame;
  wire::append_masked_frame(frame, wire::Opcode::binary, std::string(20'000, 'x'), 1, false);
  (void)websockets_.next(table_[client].websocket, frame);
  note(client, 5, 0, true);
  EXPECT_EQ(unfinished_.held_bytes(), 20'005U);
  EXPECT_EQ(unfinished_.counted_bytes(), 20'005 - kShare);
  unfinished_.forget(client);
  EXPECT_EQ(unfinished_.held_bytes(), 0U);
  EXPECT_EQ(websockets_.held_bytes(), 0U);
  EXPECT_EQ(table_[client].websocket.fragments, nullptr);
}

TEST_F(UnfinishedMessagesTest, PlacesAreKeptTogether) {
  Indexes clients;
  for (std::size_t i = 0; i < 2000; ++i) note(clients.emplace_back(add()), kShare + i, i);
  for (std::size_t i = 0; i < 2000; i += 2) note(clients[i], 0, 3000);
  EXPECT_EQ(unfinished_.size(), 1000U);
  EXPECT_EQ(unfinished_.counted_bytes(), 1000U * 1000U);
  for (std::size_t i = 1; i < 2000; i += 2) EXPECT_NE(table_[clients[i]].websocket.place, 0U);
  EXPECT_EQ(unfinished_.late(60'000 + 99).size(), 50U) << "those that began up to 99";
  for (const std::uint32_t each : clients) unfinished_.forget(each);
  EXPECT_EQ(unfinished_.size(), 0U);
  EXPECT_EQ(unfinished_.held_bytes(), 0U);
  EXPECT_EQ(unfinished_.counted_bytes(), 0U);
}

TEST(UnfinishedMessages, WithoutATimeNobodyIsLate) {
  ClientTable table(1);
  wire::WebSocketReader websockets(wire::WebSocketReader::Role::server, {});
  UnfinishedMessages unfinished(table, websockets, {.timeout_ms = 0});
  unfinished.note(table.add(), 1, true, 0);
  EXPECT_EQ(unfinished.late(~0ULL), Indexes());
}

}  // namespace
}  // namespace gatehouse::gateway
