#include "net/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace gatehouse::net {
namespace {

/// Advances from deadline to deadline as a loop does, and fails when a deadline is not a later time.
void run_to(TimerWheel& wheel, std::uint64_t& now, std::uint64_t end) {
  while (now < end) {
    const int wait = wheel.next_in_ms(now);
    ASSERT_NE(wait, 0) << "something is due and was not fired at " << now;
    now = wait < 0 ? end : std::min(now + static_cast<std::uint64_t>(wait), end);
    wheel.advance(now);
  }
}

TEST(TimerWheel, FiresAtItsTimeAndNeverBefore) {
  TimerWheel wheel(1000);
  int fired = 0;
  wheel.after(10, [&] { ++fired; });
  wheel.advance(1009);
  EXPECT_EQ(fired, 0);
  wheel.advance(1010);
  EXPECT_EQ(fired, 1);
  wheel.advance(5000);
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(wheel.size(), 0U);
}

TEST(TimerWheel, FiresInOrderOfTimeThenOfStart) {
  TimerWheel wheel(0);
  std::string order;
  wheel.after(20, [&] { order += 'd'; });
  wheel.after(10, [&] { order += 'a'; });
  wheel.after(10, [&] { order += 'b'; });
  wheel.after(15, [&] { order += 'c'; });
  wheel.advance(1000);
  EXPECT_EQ(order, "abcd");
}

TEST(TimerWheel, KeepsTheOrderOfStartAcrossLevels) {
  for (const std::uint64_t due : {300ULL, 70'000ULL, 17'000'000ULL}) {
    TimerWheel wheel(7);
    std::string order;
    wheel.after(due - 7, [&] { order += 'a'; });
    wheel.after(due - 7, [&] { order += 'b'; });
    wheel.after(due - 7, [&] { order += 'c'; });
    wheel.advance(due - 100);  // so near that the next ones go straight into the lowest level
    wheel.after(100, [&] { order += 'd'; });
    wheel.after(100, [&] { order += 'e'; });
    wheel.advance(due);
    EXPECT_EQ(order, "abcde") << due;
  }
}

TEST(TimerWheel, NoDelayFiresWithTheNextAdvanceEvenWhenTimePassed) {
  TimerWheel wheel(100);
  int fired = 0;
  wheel.after(0, [&] { ++fired; });
  EXPECT_EQ(wheel.next_in_ms(100), 0);
  wheel.advance(100);
  EXPECT_EQ(fired, 1);
  wheel.after(0, [&] { ++fired; });
  wheel.advance(105);
  EXPECT_EQ(fired, 2);
}

TEST(TimerWheel, ATimerThatRestartsItselfWithNoDelayDoesNotHoldAdvance) {
  TimerWheel wheel(0);
  int fired = 0;
  std::function<void()> again = [&] {
    ++fired;
    wheel.after(0, again);
  };
  wheel.after(0, again);
  wheel.advance(0);
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(wheel.next_in_ms(0), 0);
  wheel.advance(3);
  EXPECT_GE(fired, 2);
  EXPECT_LE(fired, 5);
}

TEST(TimerWheel, DelaysCountFromTheTimeTold) {
  TimerWheel wheel(0);
  int fired = 0;
  wheel.observe(60'000);  // a loop that slept long and has an event to deliver before its timers
  wheel.after(1000, [&] { ++fired; });
  wheel.advance(60'000);
  EXPECT_EQ(fired, 0);
  EXPECT_LE(wheel.next_in_ms(60'000), 1000);
  wheel.advance(60'999);
  EXPECT_EQ(fired, 0);
  wheel.advance(61'000);
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, CancelTellsWhetherItWasStillToCome) {
  TimerWheel wheel(0);
  int fired = 0;
  const TimerId id = wheel.after(5, [&] { ++fired; });
  EXPECT_TRUE(wheel.cancel(id));
  EXPECT_FALSE(wheel.cancel(id));
  EXPECT_FALSE(wheel.cancel(TimerId{}));
  EXPECT_FALSE(wheel.cancel(TimerId{.slot = 99, .generation = 1}));
  const TimerId reuses = wheel.after(5, [&] { ++fired; });
  EXPECT_EQ(reuses.slot, id.slot);
  EXPECT_FALSE(wheel.cancel(id));
  wheel.advance(10);
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(wheel.cancel(reuses));
  EXPECT_EQ(wheel.next_in_ms(10), -1);
}

TEST(TimerWheel, CancelsAnotherOfTheSameMillisecondInACallback) {
  TimerWheel wheel(0);
  std::string order;
  TimerId second;
  wheel.after(5, [&] {
    order += 'a';
    EXPECT_TRUE(wheel.cancel(second));
    // Takes the slot of the cancelled one, whose turn in this millisecond is still noted.
    wheel.after(5, [&] { order += 'n'; });
  });
  second = wheel.after(5, [&] { order += 'b'; });
  wheel.after(5, [&] { order += 'c'; });
  wheel.advance(9);
  EXPECT_EQ(order, "ac");
  wheel.advance(14);
  EXPECT_EQ(order, "acn");
}

TEST(TimerWheel, CancelsItselfInItsCallback) {
  TimerWheel wheel(0);
  int fired = 0;
  TimerId periodic;
  periodic = wheel.every(10, [&] {
    if (++fired == 3) {
      EXPECT_TRUE(wheel.cancel(periodic));
    }
  });
  TimerId once;
  once = wheel.after(10, [&] { EXPECT_FALSE(wheel.cancel(once)); });
  std::uint64_t now = 0;
  run_to(wheel, now, 1000);
  EXPECT_EQ(fired, 3);
  EXPECT_EQ(wheel.size(), 0U);
}

TEST(TimerWheel, ACallbackMayCancelItselfAndStartOthersWhileItsStateIsInUse) {
  TimerWheel wheel(0);
  TimerId id;
  const std::string big(100, 'x');  // so that the callback lives on the heap
  std::string seen;
  id = wheel.every(1, [&, big] {
    wheel.cancel(id);
    for (int i = 0; i < 100; ++i) wheel.after(1000, [] {});  // grows the table
    seen = big;
  });
  wheel.advance(1);
  EXPECT_EQ(seen, big);
  EXPECT_EQ(wheel.size(), 100U);
}

TEST(TimerWheel, PeriodsHoldTheirPhase) {
  TimerWheel wheel(0);
  std::vector<std::uint64_t> at;
  std::uint64_t now = 0;
  wheel.every(100, [&] { at.push_back(now); });
  for (now = 3; now <= 1003; now += 10) wheel.advance(now);  // each a little late
  EXPECT_EQ(at, (std::vector<std::uint64_t>{103, 203, 303, 403, 503, 603, 703, 803, 903, 1003}));
}

TEST(TimerWheel, MissedPeriodsAreLeftOut) {
  TimerWheel wheel(0);
  int fired = 0;
  wheel.every(100, [&] { ++fired; });
  wheel.advance(100'050);  // the process was stopped
  EXPECT_EQ(fired, 1);
  wheel.advance(100'149);
  EXPECT_EQ(fired, 1);
  wheel.advance(100'150);
  EXPECT_EQ(fired, 2);
}

TEST(TimerWheel, APeriodOfZeroIsOneMillisecond) {
  TimerWheel wheel(0);
  int fired = 0;
  wheel.every(0, [&] { ++fired; });
  std::uint64_t now = 0;
  run_to(wheel, now, 10);
  EXPECT_EQ(fired, 10);
}

TEST(TimerWheel, FarTimersAroundEveryLevelBoundary) {
  std::vector<std::uint64_t> delays;
  for (const std::uint64_t edge : {1ULL << 8, 1ULL << 16, 1ULL << 24, (1ULL << 32) - 2}) {
    for (std::uint64_t delay = edge - 2; delay <= edge + 1; ++delay) delays.push_back(delay);
  }
  for (const std::uint64_t start : {0ULL, 1ULL, 255ULL, 256ULL, 65'535ULL, 65'536ULL, 0xffffffULL, 0x1000000ULL, 0xffffffffULL,
                                    0x1'0000'0000ULL, 0x123456789abULL}) {
    for (const std::uint64_t delay : delays) {
      if (delay > 0xffffffffULL) continue;  // more than the wheel holds
      TimerWheel wheel(start);
      std::uint64_t now = start;
      std::uint64_t fired_at = 0;
      wheel.after(delay, [&] { fired_at = now; });
      while (fired_at == 0 && now <= start + delay) {
        const int wait = wheel.next_in_ms(now);
        ASSERT_GT(wait, 0);
        // Straight to the last moment before it, then on as told.
        now = now + 1'000'000 < start + delay ? start + delay - 1'000'000 : now + static_cast<std::uint64_t>(wait);
        wheel.advance(now);
      }
      ASSERT_EQ(fired_at, start + delay) << "start " << start << " delay " << delay;
    }
  }
}

TEST(TimerWheel, ADelayBeyondTheWheelIsCutToItsEnd) {
  TimerWheel wheel(0);
  int fired = 0;
  wheel.after(~0ULL, [&] { ++fired; });
  wheel.advance(0xfffffffeULL);
  EXPECT_EQ(fired, 0);
  wheel.advance(0xffffffffULL);
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, NextIsNoLaterThanTheTimerAndAtMostAMinute) {
  TimerWheel wheel(12'345);
  EXPECT_EQ(wheel.next_in_ms(12'345), -1);
  const TimerId far = wheel.after(3'600'000, [] {});
  EXPECT_GT(wheel.next_in_ms(12'345), 0);
  EXPECT_LE(wheel.next_in_ms(12'345), 60'000);
  wheel.after(40, [] {});
  EXPECT_LE(wheel.next_in_ms(12'345), 40);
  EXPECT_EQ(wheel.next_in_ms(12'345 + 41), 0);
  wheel.cancel(far);
}

TEST(TimerWheel, AFarTimerWakesTheLoopOnlyAFewTimes) {
  TimerWheel wheel(777);
  bool fired = false;
  wheel.after(86'400'000, [&] { fired = true; });
  std::uint64_t now = 777;
  int wakes = 0;
  while (!fired) {
    const int wait = wheel.next_in_ms(now);
    ASSERT_GT(wait, 0);
    now += static_cast<std::uint64_t>(wait);
    wheel.advance(now);
    ++wakes;
  }
  EXPECT_EQ(now, 777U + 86'400'000U);
  EXPECT_LE(wakes, 1440 + 10);  // once a minute, and the spreading
}

/// Against a sorted map, over simulated days: every timer fires at the first advance() at or after its time, in order.
TEST(TimerWheel, RandomTimersBehaveLikeASortedMap) {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    std::mt19937_64 random(seed);
    const auto below = [&](std::uint64_t limit) { return random() % limit; };
    std::uint64_t now = below(1ULL << 40);
    TimerWheel wheel(now);
    std::map<std::pair<std::uint64_t, int>, TimerId> model;  // by due time and order of start
    std::vector<std::pair<std::uint64_t, int>> fired;
    int started = 0;
    const std::uint64_t end = now + 3 * 86'400'000ULL;
    const auto start_one = [&] {
      const std::uint64_t delay = below(1ULL << (1 + below(28)));
      const std::pair<std::uint64_t, int> key{now + delay, started++};
      model[key] = wheel.after(delay, [&fired, key] { fired.push_back(key); });
    };
    while (now < end) {
      if (model.size() < 200 && below(3) != 0) start_one();
      if (below(10) == 0 && !model.empty()) {
        auto victim = model.lower_bound({now + below(1ULL << 20), 0});
        if (victim != model.end()) {
          ASSERT_TRUE(wheel.cancel(victim->second));
          model.erase(victim);
        }
      }
      const int wait = wheel.next_in_ms(now);
      if (!model.empty()) {
        const std::uint64_t first = model.begin()->first.first;
        ASSERT_GE(wait, 0);
        ASSERT_LE(static_cast<std::uint64_t>(wait), first > now ? first - now : 0) << "too late";
      }
      // As told, or later because the process was busy, or earlier because something happened.
      now += below(4) == 0   ? below(500'000)
             : wait < 0      ? 1000
             : below(2) == 0 ? static_cast<std::uint64_t>(wait)
                             : below(wait + 1);
      fired.clear();
      wheel.advance(now);
      std::vector<std::pair<std::uint64_t, int>> expected;
      while (!model.empty() && model.begin()->first.first <= now) {
        expected.push_back(model.begin()->first);
        model.erase(model.begin());
      }
      ASSERT_EQ(fired, expected) << "seed " << seed << " at " << now;
      ASSERT_EQ(wheel.size(), model.size());
      ASSERT_NE(wheel.next_in_ms(now), 0);
    }
  }
}

TEST(TimerWheel, ALongSleepIsPassedOverQuickly) {
  TimerWheel wheel(0);
  int fired = 0;
  wheel.every(1000, [&] { ++fired; });
  for (std::uint64_t day = 1; day <= 10'000; ++day) wheel.advance(day * 86'400'000ULL);  // tick by tick this would take hours
  EXPECT_EQ(fired, 10'000);
}

}  // namespace
}  // namespace gatehouse::net
