#include <gatehouse/task.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "link/testing.h"
#include "worker/loop_scheduler.h"
#include "worker/root_task.h"

namespace gatehouse {
namespace {

using link::testing::run_until;
using namespace std::chrono_literals;

// Symmetric transfer needs the tail calls of an optimized build; otherwise each level takes stack. (__OPTIMIZE__ does not say: a
// "#pragma GCC optimize" in fmt's headers leaves it defined at -O0.)
#if !defined(__NO_INLINE__) && !defined(__SANITIZE_ADDRESS__)
constexpr int kDeep = 100'000;
#else
constexpr int kDeep = 500;
#endif

class TaskTest : public ::testing::Test {
 protected:
  net::Loop loop_{Log("task test")};
  LoopScheduler scheduler_{loop_};
  RootTask root_;
  bool done_ = false;

  /// Runs the task to its end.
  void run(Task<> task) {
    if (root_.start(std::move(task), scheduler_)) return;
    root_.when_done([this] { done_ = true; });
    ASSERT_TRUE(run_until(loop_, [this] { return done_; }));
  }
};

Task<int> seven() { co_return 7; }
Task<std::unique_ptr<int>> move_only() { co_return std::make_unique<int>(8); }
Task<int> thrower() {
  throw std::runtime_error("no value");
  co_return 0;
}
Task<int> nested(int depth) {
  if (depth == 0) co_return 0;
  co_return 1 + co_await nested(depth - 1);
}
Task<int> nested_and_sleeping(int depth) {
  if (depth == 0) {
    co_await sleep(1ms);
    co_return 0;
  }
  co_return 1 + co_await nested_and_sleeping(depth - 1);
}

TEST_F(TaskTest, GivesValues) {
  int sum = 0;
  run([](int& out) -> Task<> { out = co_await seven() + *co_await move_only(); }(sum));
  EXPECT_EQ(sum, 15);
}

TEST_F(TaskTest, IsLazy) {
  bool ran = false;
  const auto work = [](bool& flag) -> Task<> {
    flag = true;
    co_return;
  };
  {
    const Task<> never = work(ran);
  }
  EXPECT_FALSE(ran);
  run(work(ran));
  EXPECT_TRUE(ran);
}

TEST_F(TaskTest, ExceptionsReachWhoeverAwaits) {
  std::string what;
  run([](std::string& out) -> Task<> {
    try {
      co_await thrower();
    } catch (const std::runtime_error& error) {
      out = error.what();
    }
  }(what));
  EXPECT_EQ(what, "no value");
  run([]() -> Task<> { co_await thrower(); }());
  EXPECT_THROW(root_.result(), std::runtime_error);
}

TEST_F(TaskTest, DeepNestingDoesNotGrowTheStack) {
  int depth = 0;
  run([](int& out) -> Task<> { out = co_await nested(kDeep); }(depth));
  EXPECT_EQ(depth, kDeep);
  run([](int& out) -> Task<> { out = co_await nested_and_sleeping(kDeep); }(depth));
  EXPECT_EQ(depth, kDeep);
}

TEST_F(TaskTest, ManyAwaitsInALoopDoNotGrowTheStack) {
  int sum = 0;
  run([](int& out) -> Task<> {
    for (int i = 0; i < kDeep; ++i) out += co_await seven();
  }(sum));
  EXPECT_EQ(sum, 7 * kDeep);
}

TEST_F(TaskTest, SleepsAtLeastThatLong) {
  const auto began = std::chrono::steady_clock::now();
  run([]() -> Task<> { co_await sleep(30ms); }());
  EXPECT_GE(std::chrono::steady_clock::now() - began, 30ms);
  run([]() -> Task<> { co_await sleep(0ms); }());
}

struct Witness {
  explicit Witness(int& count) : count_(count) {}
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  ~Witness() { ++count_; }
  int& count_;
};

TEST_F(TaskTest, DestroyedWhileItSleepsItIsNeverResumed) {
  int destroyed = 0;
  bool resumed = false;
  const auto inner = [](int& count, bool& flag) -> Task<int> {
    const Witness witness(count);
    co_await sleep(5ms);
    flag = true;
    co_return 1;
  };
  const auto outer = [](auto make, int& count, bool& flag) -> Task<> {
    const Witness witness(count);
    co_await make(count, flag);
  };
  ASSERT_FALSE(root_.start(outer(inner, destroyed, resumed), scheduler_));
  root_.when_done([this] { done_ = true; });
  root_.reset();
  EXPECT_EQ(destroyed, 2);
  link::testing::run_for(loop_, 20);
  EXPECT_FALSE(resumed);
  EXPECT_FALSE(done_);
}

TEST_F(TaskTest, TheRootMayBeDestroyedInItsOwnCallback) {
  auto root = std::make_unique<RootTask>();
  ASSERT_FALSE(root->start([]() -> Task<> { co_await sleep(1ms); }(), scheduler_));
  root->when_done([&] {
    root->result();
    root.reset();
  });
  EXPECT_TRUE(run_until(loop_, [&] { return root == nullptr; }));
}

TEST_F(TaskTest, AnEmptyTaskCountsAsFinished) {
  EXPECT_TRUE(root_.start(Task<>(), scheduler_));
  EXPECT_NO_THROW(root_.result());
  bool went_on = false;
  run([](bool& past) -> Task<> {
    co_await Task<>();
    past = true;
  }(went_on));
  EXPECT_TRUE(went_on) << "a handler may await the one that it overrides, which has nothing to do";
}

TEST_F(TaskTest, MovesAndSwaps) {
  Task<> first = []() -> Task<> { co_return; }();
  Task<> second = std::move(first);
  EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_TRUE(second.valid());
  first = std::move(second);
  EXPECT_TRUE(root_.start(std::move(first), scheduler_));
}

}  // namespace
}  // namespace gatehouse
