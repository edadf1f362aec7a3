#include "master/exit_reason.h"

#include <gtest/gtest.h>

#include <csignal>

namespace gatehouse::master {
namespace {

// The encoding of a wait status on Linux: the exit status in the second byte, a signal in the lowest seven bits, 0x80 for a core.
TEST(DescribeExit, NamesStatusesAndSignals) {
  EXPECT_EQ(describe_exit(0), "exit status 0");
  EXPECT_EQ(describe_exit(3 << 8), "exit status 3");
  EXPECT_EQ(describe_exit(SIGKILL), "SIGKILL");
  EXPECT_EQ(describe_exit(SIGSEGV | 0x80), "SIGSEGV (core dumped)");
  EXPECT_EQ(describe_exit(SIGRTMIN + 3), "signal " + std::to_string(SIGRTMIN + 3));
}

}  // namespace
}  // namespace gatehouse::master
