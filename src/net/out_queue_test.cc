#include "net/out_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace gatehouse::net {
namespace {

std::string contents(const OutQueue& queue, int most = 100'000) {
  std::vector<iovec> vectors(static_cast<std::size_t>(most));
  const int count = queue.gather(vectors.data(), most);
  std::string all;
  for (int i = 0; i < count; ++i) {
    const iovec& each = vectors[static_cast<std::size_t>(i)];
    all.append(static_cast<const char*>(each.iov_base), each.iov_len);
  }
  return all;
}

int pieces(const OutQueue& queue) {
  std::vector<iovec> vectors(100'000);
  return queue.gather(vectors.data(), static_cast<int>(vectors.size()));
}

TEST(OutQueue, GathersSmallAppendsIntoOneBlock) {
  OutPool pool;
  OutQueue queue(pool);
  for (int i = 0; i < 10; ++i) queue.append(std::string_view("0123456789"));
  EXPECT_EQ(queue.bytes(), 100U);
  EXPECT_EQ(pieces(queue), 1);
  queue.append(std::string_view());
  EXPECT_EQ(queue.bytes(), 100U);
}

TEST(OutQueue, WhatOutgrowsASmallBlockIsStillOnePiece) {
  OutPool pool;
  OutQueue queue(pool);
  const std::string line(100, 'l');
  std::string all;
  while (all.size() + line.size() <= OutPool::kMediumBlock) {
    queue.append(line);
    all += line;
    ASSERT_EQ(queue.only_piece(), all);
  }
  queue.consume(700);
  EXPECT_EQ(queue.only_piece(), std::string_view(all).substr(700));
  queue.append(std::string(OutPool::kMediumBlock, 'm'));
  EXPECT_EQ(queue.only_piece(), "");
  EXPECT_EQ(contents(queue), all.substr(700) + std::string(OutPool::kMediumBlock, 'm'));
}

TEST(OutQueue, PartlyWrittenBytesMoveToALargerBlockToo) {
  OutPool pool;
  OutQueue queue(pool);
  queue.append(std::string(1000, 'a'));
  queue.consume(400);
  queue.append(std::string(1000, 'b'));
  EXPECT_EQ(queue.only_piece(), std::string(600, 'a') + std::string(1000, 'b'));
}

TEST(OutQueue, RefersToSharedBytesInsteadOfCopying) {
  OutPool pool;
  OutQueue queue(pool);
  const SharedBytes frame = SharedBytes::copy_of(std::string(5000, 'f'));
  queue.append(std::string_view("head"));
  queue.append(frame);
  queue.append(SharedBytes());
  queue.append(std::string_view("tail"));
  std::array<iovec, 8> vectors{};
  ASSERT_EQ(queue.gather(vectors.data(), 8), 3);
  EXPECT_EQ(vectors[1].iov_base, frame.view().data());
  EXPECT_EQ(queue.gather(vectors.data(), 2), 2);
  EXPECT_EQ(contents(queue), "head" + std::string(5000, 'f') + "tail");
  queue.consume(4 + 4999);
  EXPECT_EQ(contents(queue), "ftail");
  queue.consume(1);
  queue.append(std::string_view("!"));
  EXPECT_EQ(contents(queue), "tail!");
}

TEST(OutQueue, KeepsSharedBytesAliveUntilTheyAreWritten) {
  OutPool pool;
  OutQueue queue(pool);
  queue.append(SharedBytes::copy_of(std::string(1000, 's')));
  EXPECT_EQ(contents(queue), std::string(1000, 's'));
  queue.consume(1000);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(pieces(queue), 0);
}

TEST(OutQueue, SmallSharedBytesAmongOwnOnesDoNotCostABlockEach) {
  OutPool pool;
  OutQueue queue(pool);
  const SharedBytes tick = SharedBytes::copy_of("tick");
  for (int i = 0; i < 10'000; ++i) {
    queue.append(std::string_view("own"));
    queue.append(tick);
  }
  EXPECT_EQ(queue.bytes(), 70'000U);
  EXPECT_LE(pieces(queue), 5);
}

TEST(OutQueue, LargeAppendsAreOnePieceAndGrowIsContiguous) {
  OutPool pool;
  OutQueue queue(pool);
  for (const std::size_t size : {OutPool::kSmallBlock - 1, OutPool::kSmallBlock, OutPool::kSmallBlock + 1, OutPool::kMediumBlock,
                                 OutPool::kMediumBlock + 1, OutPool::kLargeBlock - 1, OutPool::kLargeBlock,
                                 OutPool::kLargeBlock + 1, std::size_t{3'000'000}}) {
    char* room = queue.grow(size);
    std::memset(room, 'g', size);
    EXPECT_EQ(queue.bytes(), size);
    EXPECT_EQ(contents(queue), std::string(size, 'g'));
    queue.consume(size);
    EXPECT_TRUE(queue.empty());
  }
}

TEST(OutQueue, GrowByNothingChangesNothing) {
  OutPool pool;
  OutQueue queue(pool);
  (void)queue.grow(0);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(contents(queue), "");
  queue.append(SharedBytes::copy_of(std::string(500, 'x')));
  (void)queue.grow(0);
  queue.append(std::string_view("y"));
  queue.consume(500);
  EXPECT_EQ(contents(queue), "y");
  queue.consume(1);
  EXPECT_TRUE(queue.empty());
}

TEST(OutQueue, BehavesLikeAStringUnderRandomUse) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random()) % limit; };
    OutPool pool;
    std::vector<SharedBytes> shared;
    for (std::size_t size : {1UL, 100UL, 255UL, 256UL, 257UL, 5000UL, 100'000UL}) {
      std::string bytes(size, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      shared.push_back(SharedBytes::copy_of(bytes));
    }
    OutQueue* queue = pool.take_queue();
    std::string model;
    for (int step = 0; step < 1500; ++step) {
      switch (below(5)) {
        case 0: {
          std::string bytes(below(below(8) == 0 ? 90'000 : 300), static_cast<char>('a' + below(26)));
          queue->append(bytes);
          model += bytes;
          break;
        }
        case 1: {
          const std::size_t size = below(2000);
          char* room = queue->grow(size);
          for (std::size_t i = 0; i < size; ++i) room[i] = static_cast<char>(i);
          model.append(room, size);
          break;
        }
        case 2: {
          const SharedBytes& each = shared[below(shared.size())];
          queue->append(each);
          model += each.view();
          break;
        }
        default: {
          const std::size_t count = below(10) == 0 ? model.size() : below(std::min<std::size_t>(model.size(), 60'000) + 1);
          queue->consume(count);
          model.erase(0, count);
        }
      }
      ASSERT_EQ(queue->bytes(), model.size());
      ASSERT_EQ(queue->empty(), model.empty());
      if (step % 40 == 0) {
        ASSERT_EQ(contents(*queue), model) << "seed " << seed << " step " << step;
      }
      if (below(100) == 0) {
        pool.give_back(queue);
        queue = pool.take_queue();
        model.clear();
      }
    }
    pool.give_back(queue);
  }
}

TEST(OutQueue, ManyPiecesAreConsumedInLinearTime) {
  OutPool pool;
  OutQueue queue(pool);
  const SharedBytes frame = SharedBytes::copy_of(std::string(300, 'f'));
  constexpr std::size_t kFrames = 200'000;
  for (std::size_t i = 0; i < kFrames; ++i) queue.append(frame);
  // Quadratic, this would move 40 bytes 2 * 10^10 times.
  for (std::size_t i = 0; i < kFrames; ++i) queue.consume(300);
  EXPECT_TRUE(queue.empty());
}

TEST(OutPool, ReusesQueuesAndBlocks) {
  OutPool pool;
  OutQueue* queue = pool.take_queue();
  queue->append(std::string_view("left over"));
  pool.give_back(queue);
  OutQueue* again = pool.take_queue();
  EXPECT_EQ(again, queue);
  EXPECT_TRUE(again->empty());
  EXPECT_EQ(pieces(*again), 0);
  pool.give_back(again);

  for (const std::size_t size : {std::size_t{1}, OutPool::kSmallBlock + 1, OutPool::kMediumBlock + 1}) {
    std::uint32_t capacity = 0;
    char* block = pool.take_block(size, capacity);
    ASSERT_GE(capacity, size);
    pool.give_back(block, capacity);
    std::uint32_t second = 0;
    EXPECT_EQ(pool.take_block(size, second), block);
    EXPECT_EQ(second, capacity);
    pool.give_back(block, capacity);
  }
}

TEST(OutQueue, DropsWholeMessagesTheOldestFirst) {
  OutPool pool;
  OutQueue queue(pool);
  queue.append(std::string_view("[hello]"));
  for (const char* message : {"<one>", "<two>", "<three>"}) queue.append_message(SharedBytes::copy_of(message));
  queue.append(std::string_view("[pong]"));
  queue.append_message(SharedBytes::copy_of("<four>"));
  queue.consume(9);  // into the first message, which must be finished then
  EXPECT_EQ(contents(queue), "ne><two><three>[pong]<four>");
  EXPECT_EQ(queue.messages(), 4U);
  ASSERT_TRUE(queue.drop_oldest_message());
  EXPECT_EQ(contents(queue), "ne><three>[pong]<four>");
  EXPECT_EQ(queue.bytes(), contents(queue).size());
  ASSERT_TRUE(queue.drop_oldest_message());
  ASSERT_TRUE(queue.drop_oldest_message());
  EXPECT_EQ(contents(queue), "ne>[pong]");
  EXPECT_FALSE(queue.drop_oldest_message());
  queue.append_message(SharedBytes::copy_of("<five>"));
  EXPECT_EQ(contents(queue), "ne>[pong]<five>");
  queue.consume(queue.bytes());
  EXPECT_EQ(queue.messages(), 0U);
  EXPECT_TRUE(queue.empty());
  // All that is left may be dropped, and the queue goes on.
  queue.append_message(SharedBytes::copy_of("<six>"));
  ASSERT_TRUE(queue.drop_oldest_message());
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(contents(queue), "");
  queue.append(std::string_view("more"));
  EXPECT_EQ(contents(queue), "more");
}

TEST(OutQueue, DroppingOneMessageAfterAnotherIsLinear) {
  OutPool pool;
  OutQueue queue(pool);
  queue.append(std::string_view("[hello]"));
  constexpr std::size_t kMessages = 200'000;
  const SharedBytes message = SharedBytes::copy_of("m");
  for (std::size_t i = 0; i < kMessages; ++i) queue.append_message(message);
  // Quadratic, this would move 24 bytes 2 * 10^10 times.
  for (std::size_t i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(queue.drop_oldest_message());
    queue.append_message(message);
  }
  EXPECT_EQ(queue.messages(), kMessages);
  EXPECT_EQ(queue.bytes(), kMessages + 7);
  EXPECT_EQ(contents(queue).substr(0, 8), "[hello]m");
}

TEST(OutQueue, OwnBytesBetweenDroppedMessagesShareABlock) {
  OutPool pool;
  OutQueue queue(pool);
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string pong = "<" + std::to_string(i) + ">";
    queue.append(std::string_view(pong));
    expected += pong;
    queue.append_message(SharedBytes::copy_of("message"));
  }
  queue.consume(2);  // into the first
  for (int i = 0; i < 999; ++i) ASSERT_TRUE(queue.drop_oldest_message());
  EXPECT_EQ(contents(queue), expected.substr(2) + "message");
  EXPECT_LT(pieces(queue), 10);
  queue.append_message(SharedBytes::copy_of("last"));
  queue.consume(expected.size());
  EXPECT_EQ(contents(queue), "ssagelast");
}

bool add(OutQueue& queue, const std::string& message, const std::string& key) {
  return queue.append_message(SharedBytes::copy_of(message + key), key.size());
}

TEST(OutQueue, KeysAreNotWritten) {
  OutPool pool;
  OutQueue queue(pool);
  EXPECT_TRUE(add(queue, "<a1>", "a"));
  EXPECT_TRUE(add(queue, "<a2>", "a")) << "all are kept until it is told otherwise";
  EXPECT_TRUE(add(queue, "", "a")) << "nothing to write";
  EXPECT_EQ(contents(queue), "<a1><a2>");
  EXPECT_EQ(queue.bytes(), 8U);
  EXPECT_EQ(queue.messages(), 2U);
  EXPECT_EQ(queue.message_overhead(), 2 * 64U + 2);
  queue.consume(8);
  EXPECT_EQ(queue.message_overhead(), 0U);
}

TEST(OutQueue, KeepsTheLatestOfEachKeyInItsPlace) {
  OutPool pool;
  OutQueue queue(pool);
  queue.append(std::string_view("[hello]"));
  add(queue, "<a1>", "a");
  add(queue, "<b1>", "b");
  add(queue, "<plain>", "");
  queue.append(std::string_view("[pong]"));
  add(queue, "<a2>", "a");
  add(queue, "<c1>", "c");
  add(queue, "<a3>", "a");
  add(queue, "<c2>", "c");
  queue.append(std::string_view("[end]"));
  EXPECT_EQ(queue.keep_latest(), 3U);
  EXPECT_EQ(queue.keep_latest(), 0U) << "already so";
  EXPECT_EQ(contents(queue), "[hello]<b1><plain>[pong]<a3><c2>[end]");
  EXPECT_EQ(queue.bytes(), contents(queue).size());
  EXPECT_EQ(queue.messages(), 4U);
  EXPECT_EQ(queue.latest_size("a"), 4U);
  EXPECT_EQ(queue.latest_size("d"), 0U);
  EXPECT_EQ(queue.latest_size(""), 0U);
  EXPECT_FALSE(add(queue, "<a, longer>", "a"));
  EXPECT_TRUE(add(queue, "<d1>", "d"));
  EXPECT_TRUE(add(queue, "<plain>", ""));
  EXPECT_FALSE(add(queue, "<d2>", "d"));
  EXPECT_EQ(contents(queue), "[hello]<b1><plain>[pong]<a, longer><c2>[end]<d2><plain>");
  EXPECT_EQ(queue.bytes(), contents(queue).size());
  // What has begun to be written is finished, and the next one with its key stands at the end.
  queue.consume(9);
  EXPECT_EQ(queue.latest_size("b"), 0U);
  EXPECT_TRUE(add(queue, "<b2>", "b"));
  EXPECT_FALSE(add(queue, "<b3>", "b"));
  EXPECT_EQ(contents(queue), "1><plain>[pong]<a, longer><c2>[end]<d2><plain><b3>");
  queue.consume(2 + 7 + 6 + 11);
  EXPECT_TRUE(add(queue, "<a4>", "a")) << "the one before is written";
  EXPECT_FALSE(add(queue, "<c3>", "c"));
  EXPECT_EQ(contents(queue), "<c3>[end]<d2><plain><b3><a4>");
  queue.consume(queue.bytes());
  EXPECT_FALSE(queue.keeps_latest()) << "an empty queue keeps all again";
  EXPECT_EQ(queue.message_overhead(), 0U);
}

TEST(OutQueue, TheFirstMessageMayBeBegunWhenOnlyTheLatestIsKept) {
  OutPool pool;
  OutQueue queue(pool);
  add(queue, "<a1>", "a");
  add(queue, "<a2>", "a");
  add(queue, "<a3>", "a");
  queue.consume(1);
  EXPECT_EQ(queue.keep_latest(), 1U);
  EXPECT_EQ(contents(queue), "a1><a3>");
  EXPECT_FALSE(add(queue, "<a4>", "a"));
  EXPECT_EQ(contents(queue), "a1><a4>");
  queue.consume(3);
  EXPECT_FALSE(add(queue, "<a5>", "a"));
  EXPECT_EQ(contents(queue), "<a5>");
}

TEST(OutQueue, TheLatestIsFoundInALongQueueWithoutWalkingIt) {
  OutPool pool;
  OutQueue queue(pool);
  constexpr int kKeys = 100'000;
  for (int i = 0; i < kKeys; ++i) add(queue, "<0>", std::to_string(i));
  EXPECT_EQ(queue.keep_latest(), 0U);
  // Each would cost 100,000 steps.
  for (int i = kKeys - 1; i >= 0; --i) EXPECT_FALSE(add(queue, "<1>", std::to_string(i)));
  queue.consume(3 * 90'000);  // far enough to move what is left to the front
  for (int i = 90'000; i < kKeys; ++i) EXPECT_FALSE(add(queue, "<2>", std::to_string(i)));
  EXPECT_TRUE(add(queue, "<x>", "5"));
  std::string expected;
  for (int i = 0; i < 10'000; ++i) expected += "<2>";
  EXPECT_EQ(contents(queue), expected + "<x>");
}

TEST(OutPool, TakesBackMoreThanItKeeps) {
  OutPool pool;
  std::vector<OutQueue*> queues;
  for (int i = 0; i < 5000; ++i) {
    queues.push_back(pool.take_queue());
    queues.back()->append(std::string_view("x"));
  }
  for (OutQueue* queue : queues) pool.give_back(queue);
  std::vector<std::pair<char*, std::uint32_t>> blocks;
  for (int i = 0; i < 100; ++i) {
    std::uint32_t capacity = 0;
    char* block = pool.take_block(OutPool::kLargeBlock, capacity);
    blocks.emplace_back(block, capacity);
  }
  for (const auto& [block, capacity] : blocks) pool.give_back(block, capacity);
  // The leak checker and the destructor are the judges.
}

}  // namespace
}  // namespace gatehouse::net
