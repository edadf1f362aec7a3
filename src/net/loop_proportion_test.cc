// Ending one connection takes as long beside 800 others as beside 50: instructions are counted, not time.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <iostream>
#include <optional>
#include <vector>

#include "base/instruction_count_test_support.h"
#include "net/loop_test_support.h"

namespace gatehouse::net {
namespace {

using gatehouse::testing::count_instructions;

/// A loop with so many connections, all at rest: one socket under as many descriptors.
class RestingLoop {
 public:
  explicit RestingLoop(std::size_t connections) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    ends_ = {Socket(ends[0]), Socket(ends[1])};
    for (std::size_t i = 0; i < connections; ++i) ids_.push_back(loop_.adopt(Socket(::dup(ends[0])), recorder_));
    for (int i = 0; i < 8; ++i) turn();  // each is told once that it may write, some hundred at a time
  }
  void turn() {
    loop_.post([this] { loop_.stop(); });
    loop_.run();
  }
  /// Of ending the middle one, with everything that follows from it.
  std::optional<std::uint64_t> cost_of_ending() {
    return count_instructions([this] {
      loop_.find(ids_[ids_.size() / 2])->destroy();
      turn();
    });
  }
  std::optional<std::uint64_t> cost_of_writing() {
    return count_instructions([this] {
      loop_.find(ids_[ids_.size() / 2])->send("hello");
      turn();
    });
  }

 private:
  testing::Recorder recorder_;
  Loop loop_{Log("test")};
  std::array<Socket, 2> ends_;
  std::vector<ConnectionId> ids_;
};

TEST(LoopProportion, OfEndingAndWriting) {
  if (!count_instructions([] {})) GTEST_SKIP() << "this system lets no process step through its child";
  RestingLoop few(50);
  RestingLoop many(800);
  const auto end_few = few.cost_of_ending();
  const auto end_many = many.cost_of_ending();
  const auto write_few = few.cost_of_writing();
  const auto write_many = many.cost_of_writing();
  ASSERT_TRUE(end_few && end_many && write_few && write_many);
  std::cout << "ending: " << *end_few << " instructions beside 50, " << *end_many << " beside 800; writing: " << *write_few
            << ", " << *write_many << '\n';
  EXPECT_LT(*end_many, *end_few + *end_few / 2 + 500);
  EXPECT_LT(*write_many, *write_few + *write_few / 2 + 500);
}

}  // namespace
}  // namespace gatehouse::net
