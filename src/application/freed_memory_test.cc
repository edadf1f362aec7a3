#include "application/freed_memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

namespace gatehouse {
namespace {

constexpr std::size_t kMb = 1024 * 1024;

/// A heap of which the test says how much is free.
struct FakeHeap {
  std::size_t free = 0;
  int given_back = 0;
  std::size_t stays = 0;  // of the free bytes, after they were given back
  FreedMemory::Heap heap() {
    return {[this] { return free; },
            [this] {
              ++given_back;
              free = stays;
            }};
  }
};

TEST(FreedMemory, IsGivenBackASecondAfterABurst) {
  FakeHeap heap;
  FreedMemory memory(heap.heap());
  memory.look();
  heap.free = FreedMemory::kMost;
  memory.look();
  memory.look();
  EXPECT_EQ(heap.given_back, 0) << "so much is kept";
  heap.free = FreedMemory::kMost + 1;
  memory.look();
  EXPECT_EQ(heap.given_back, 0) << "more may be about to be freed";
  memory.look();
  EXPECT_EQ(heap.given_back, 1);
  memory.look();
  EXPECT_EQ(heap.given_back, 1);
}

TEST(FreedMemory, IsNotPutOffForEver) {
  FakeHeap heap;
  FreedMemory memory(heap.heap());
  for (int i = 1; i <= 10; ++i) {
    heap.free = static_cast<std::size_t>(i) * 20 * kMb;
    memory.look();
  }
  EXPECT_GE(heap.given_back, 4);
}

// Pages in the middle of the heap go, and the allocator goes on counting them as free.
TEST(FreedMemory, WhatWasGivenBackIsNotGivenBackAgainUntilItWasUsed) {
  FakeHeap heap;
  FreedMemory memory(heap.heap());
  heap.free = heap.stays = 100 * kMb;
  memory.look();
  memory.look();
  ASSERT_EQ(heap.given_back, 1);
  for (int i = 0; i < 5; ++i) memory.look();
  EXPECT_EQ(heap.given_back, 1);
  heap.free = 20 * kMb;  // 80 are used again,
  memory.look();
  heap.free = 100 * kMb;  // and freed again
  memory.look();
  memory.look();
  EXPECT_EQ(heap.given_back, 2);
}

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// What the burst was that came to be known: many small pieces, with something that stays between and behind them.
TEST(FreedMemory, OfThisProcessGoesBackToTheKernelThoughSomethingStaysBehindIt) {
  FreedMemory memory(FreedMemory::heap_of_process());
  memory.look();
  memory.look();
  const std::size_t before = resident_bytes();
  std::vector<std::unique_ptr<std::string>> burst;
  std::vector<std::unique_ptr<std::string>> staying;
  burst.reserve(12'000);
  for (int i = 0; i < 12'000; ++i) {
    burst.push_back(std::make_unique<std::string>(9000, 'x'));
    if (i % 100 == 99) staying.push_back(std::make_unique<std::string>(1000, 'y'));
  }
  const std::size_t during = resident_bytes();
  ASSERT_GT(during, before + 90 * kMb);
  burst.clear();
  memory.look();
  memory.look();
  EXPECT_LT(resident_bytes(), before + 20 * kMb);
}
#endif

}  // namespace
}  // namespace gatehouse
