// The cluster under a kernel that fails: every call of a day, one after the other, with every errno that the call may have.
// Whatever fails, the process lives, does not spin, leaks nothing (the sanitizer looks), and serves the next client.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "faults/test_cluster.h"

namespace gatehouse::faults {
namespace {

using testing::Call;
using testing::name_of;

/// What a call can fail with (its man page, and the kernel's sources where those are silent).
const std::map<Call, std::vector<int>>& errors() {
  static const std::map<Call, std::vector<int>> kErrors = {
      {Call::accept4, {EAGAIN, EINTR, ECONNABORTED, EPROTO, EPERM, EMFILE, ENFILE, ENOBUFS, ENOMEM}},
      {Call::recv, {EAGAIN, EINTR, ECONNRESET, ETIMEDOUT, ENOMEM, ENOBUFS}},
      {Call::sendmsg, {EAGAIN, EINTR, ECONNRESET, EPIPE, ETIMEDOUT, ENOBUFS, ENOMEM}},
      {Call::socket, {EMFILE, ENFILE, ENOBUFS, ENOMEM}},
      {Call::connect, {ECONNREFUSED, EADDRNOTAVAIL, ENETUNREACH, EAGAIN, ENOBUFS}},
      {Call::shutdown, {ENOTCONN, ENOBUFS}},
      {Call::epoll_ctl, {ENOMEM, ENOSPC}},
      {Call::epoll_wait, {EINTR}},
      {Call::getsockopt, {ENOBUFS}},
      {Call::setsockopt, {ENOBUFS}},
  };
  return kErrors;
}

/// How many calls of each kind a day without faults makes, the way up included.
const std::map<Call, int>& calls_of_a_day() {
  static const std::map<Call, int> kCounts = [] {
    std::map<Call, int> counts;
    TestCluster cluster;
    cluster.kernel().fault = [&counts](Call call, int /*fd*/) {
      ++counts[call];
      return 0;
    };
    EXPECT_TRUE(cluster.comes_up());
    cluster.have_a_day();
    cluster.kernel().fault = nullptr;
    EXPECT_TRUE(cluster.serves());
    EXPECT_TRUE(cluster.ends());
    return counts;
  }();
  return kCounts;
}

/// The whole life of a cluster with what `arm` has put into its kernel, which stops being so before the last client comes.
template <class Arm>
void live_through(Arm arm) {
  TestCluster cluster;
  arm(cluster);
  cluster.comes_up();
  cluster.have_a_day();
  cluster.kernel().fault = nullptr;
  cluster.kernel().most = nullptr;
  cluster.kernel().descriptor_limit = SIZE_MAX;
  // What was cut off is dialled again after a second; a listener rests for less.
  cluster.run_for(3'000);
  EXPECT_TRUE(cluster.serves());
  EXPECT_TRUE(cluster.ends());
  EXPECT_LT(cluster.kernel().waits(), TestCluster::kMostWaits) << "it spins";
}

class EveryCall : public ::testing::TestWithParam<Call> {};

TEST_P(EveryCall, FailsInTurn) {
  const int count = calls_of_a_day().at(GetParam());
  for (int nth = 0; nth < count; ++nth) {
    for (const int error : errors().at(GetParam())) {
      SCOPED_TRACE(std::string(name_of(GetParam())) + " number " + std::to_string(nth) + ": " +
                   std::generic_category().message(error));
      live_through([&](TestCluster& cluster) {
        cluster.kernel().fault = [call = GetParam(), error, left = nth](Call made, int /*fd*/) mutable {
          return made == call && left-- == 0 ? error : 0;
        };
      });
      if (HasFailure()) return;
    }
  }
}

TEST_P(EveryCall, FailsManyTimesInARow) {
  const int count = calls_of_a_day().at(GetParam());
  for (int nth = 0; nth < count; nth += 3) {
    for (const int error : errors().at(GetParam())) {
      SCOPED_TRACE(std::string(name_of(GetParam())) + " from number " + std::to_string(nth) +
                   " on: " + std::generic_category().message(error));
      live_through([&](TestCluster& cluster) {
        cluster.kernel().fault = [call = GetParam(), error, at = -nth](Call made, int /*fd*/) mutable {
          if (made != call) return 0;
          ++at;
          return at > 0 && at <= 10 ? error : 0;
        };
      });
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(ClusterFaults, EveryCall,
                         ::testing::Values(Call::accept4, Call::recv, Call::sendmsg, Call::socket, Call::connect, Call::shutdown,
                                           Call::epoll_ctl, Call::epoll_wait, Call::getsockopt, Call::setsockopt),
                         [](const auto& each) { return std::string(name_of(each.param)); });

TEST(ClusterFaults, EveryCallOfADayIsMadeToFail) {
  // What refuses a client when descriptors run out, and the loop's own wake-up, are hit below.
  for (const auto& [call, count] : calls_of_a_day()) {
    if (call == Call::read || call == Call::write) continue;
    EXPECT_TRUE(errors().count(call) != 0) << name_of(call);
    EXPECT_GT(count, 0);
  }
}

TEST(ClusterFaults, EveryWriteIsShort) {
  for (const std::size_t most : std::array<std::size_t, 4>{1, 2, 7, 100}) {
    SCOPED_TRACE(most);
    TestCluster cluster;
    cluster.kernel().most = [most](Call call, std::size_t bytes) { return call == Call::sendmsg ? most : bytes; };
    ASSERT_TRUE(cluster.comes_up());
    EXPECT_TRUE(cluster.serves());
    EXPECT_TRUE(cluster.ends());
  }
}

TEST(ClusterFaults, EveryReadIsShort) {
  for (const std::size_t most : std::array<std::size_t, 3>{1, 3, 50}) {
    SCOPED_TRACE(most);
    TestCluster cluster;
    cluster.kernel().most = [most](Call call, std::size_t bytes) { return call == Call::recv ? most : bytes; };
    ASSERT_TRUE(cluster.comes_up());
    EXPECT_TRUE(cluster.serves());
    EXPECT_TRUE(cluster.ends());
  }
}

TEST(ClusterFaults, OneWriteIsShortInTurn) {
  const int count = calls_of_a_day().at(Call::sendmsg);
  for (int nth = 0; nth < count; ++nth) {
    SCOPED_TRACE(nth);
    live_through([&](TestCluster& cluster) {
      cluster.kernel().most = [left = nth](Call call, std::size_t bytes) mutable {
        return call == Call::sendmsg && left-- == 0 ? std::size_t{1} : bytes;
      };
    });
    if (::testing::Test::HasFailure()) return;
  }
}

/// The peer's buffer is full from the nth write on, for two seconds; nothing may be lost then, and nothing asked again and again.
TEST(ClusterFaults, ASendBufferIsFullInTurn) {
  const int count = calls_of_a_day().at(Call::sendmsg);
  for (int nth = 0; nth < count; ++nth) {
    SCOPED_TRACE(nth);
    live_through([&](TestCluster& cluster) {
      testing::FakeKernel& kernel = cluster.kernel();
      kernel.fault = [&kernel, &cluster, left = nth](Call call, int fd) mutable {
        if (call != Call::sendmsg || left-- != 0) return 0;
        const int peer = kernel.peer_of(fd);
        kernel.set_room(peer, 0);
        cluster.loop().after(std::chrono::seconds(2), [&kernel, peer] { kernel.set_room(peer, 64 * 1024); });
        return 0;
      };
    });
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(ClusterFaults, DescriptorsRunOutAndComeBack) {
  for (std::size_t spare = 0; spare < 12; ++spare) {
    SCOPED_TRACE(spare);
    live_through([&](TestCluster& cluster) { cluster.kernel().descriptor_limit = cluster.kernel().descriptors() + spare; });
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(ClusterFaults, ClientsThatAreThereAreServedWhenDescriptorsHaveRunOut) {
  TestCluster cluster;
  ASSERT_TRUE(cluster.comes_up());
  TestCluster::Client old(cluster);
  ASSERT_TRUE(old.shakes_hands());
  cluster.kernel().descriptor_limit = cluster.kernel().descriptors();
  TestCluster::Client refused(cluster);
  EXPECT_FALSE(refused.shakes_hands());
  old.say("still here");
  EXPECT_TRUE(old.hears("echo still here"));
  // Calm: a rest of the listener takes 200 ms, so that ten seconds are some dozens of turns.
  const std::uint64_t waits = cluster.kernel().waits();
  cluster.run_for(10'000);
  EXPECT_LT(cluster.kernel().waits() - waits, 300U);
  cluster.kernel().descriptor_limit = SIZE_MAX;
  cluster.run_for(500);
  TestCluster::Client later(cluster);
  EXPECT_TRUE(later.shakes_hands());
  old.leave();
  later.leave();
  EXPECT_TRUE(cluster.ends());
}

/// How many lives under random faults; FAULT_SEEDS=5000 is the long form.
unsigned seeds() {
  const char* const wanted = std::getenv("FAULT_SEEDS");  // NOLINT(concurrency-mt-unsafe): one thread
  return wanted == nullptr ? 60U : static_cast<unsigned>(std::strtoul(wanted, nullptr, 10));
}

TEST(ClusterFaults, RandomFaultsOfAllKinds) {
  for (unsigned seed = 1; seed <= seeds(); ++seed) {
    SCOPED_TRACE(seed);
    live_through([&](TestCluster& cluster) {
      cluster.kernel().fault = [random = std::mt19937(seed)](Call call, int /*fd*/) mutable {
        const auto found = errors().find(call);
        if (found == errors().end() || random() % 20 != 0) return 0;
        return found->second[random() % found->second.size()];
      };
      cluster.kernel().most = [random = std::mt19937(seed)](Call /*call*/, std::size_t bytes) mutable {
        return random() % 5 == 0 ? std::size_t{1} + random() % 100 : bytes;
      };
    });
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace gatehouse::faults
