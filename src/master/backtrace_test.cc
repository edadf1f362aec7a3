#include "master/backtrace.h"

#include <gtest/gtest.h>

namespace gatehouse::master {
namespace {

constexpr const char* kReport =
    "bin/chat(+0x1a2b)[0x55e0a2b41a2b]\n"
    "/lib/x86_64-linux-gnu/libstdc++.so.6(_ZSt9terminatev+0x11)[0x7f1000000011]\n"
    "bin/chat(+0x2000)[0x55e0a2b42000]\n"
    "/lib/x86_64-linux-gnu/libc.so.6(abort+0xd3)[0x7f20000000d3]\n"
    "bin/old()[0x401234]\n"
    "[0x10]\n"
    "nonsense\n"
    "half a line(+0x";

TEST(Backtrace, ReadsWhatGlibcWrites) {
  const std::vector<Frame> frames = parse_frames(kReport);
  ASSERT_EQ(frames.size(), 6U);
  EXPECT_EQ(frames[0].module, "bin/chat");
  EXPECT_EQ(frames[0].offset, 0x1a2bU);
  EXPECT_TRUE(frames[0].is_in_module());
  EXPECT_EQ(frames[1].symbol, "std::terminate()");
  EXPECT_EQ(frames[3].symbol, "abort");
  EXPECT_EQ(frames[4].offset, 0x401234U);
  EXPECT_EQ(frames[5].address, 0x10U);
  EXPECT_EQ(frames[5].module, "");
}

TEST(Backtrace, AsksForTheCallRatherThanForWhereItReturnsTo) {
  EXPECT_EQ(addresses_of(parse_frames(kReport), "bin/chat"), (std::vector<std::string>{"0x1a2b", "0x1fff"}));
}

TEST(Backtrace, PutsNamesWhereTheyBelong) {
  const auto names = parse_addr2line(
      "0x0000000000001a2b: Room::say(int) at /src/room.cc:12 (discriminator 3)\n"
      " (inlined by) Room::on_message() at /src/room.cc:40\n"
      "0x0000000000001fff: ?? ??:0\n");
  ASSERT_EQ(names.size(), 2U);
  EXPECT_EQ(format_frames(parse_frames(kReport), "bin/chat", names),
            "#0 Room::say(int) at /src/room.cc:12\n"
            "      (inlined by) Room::on_message() at /src/room.cc:40\n"
            "#1 std::terminate() in /lib/x86_64-linux-gnu/libstdc++.so.6\n"
            "#2 bin/chat+0x2000\n"
            "#3 abort in /lib/x86_64-linux-gnu/libc.so.6\n"
            "#4 bin/old+0x401234\n"
            "#5 0x10");
  EXPECT_EQ(format_frames(parse_frames("a(+0x1)[0x2]\n"), "a", {}), "#0 a+0x1");
}

TEST(Backtrace, ALongOneIsCut) {
  std::string report;
  for (int i = 0; i < 100; ++i) report += "a(+0x1)[0x2]\n";
  EXPECT_EQ(parse_frames(report).size(), kMostFrames);
  EXPECT_TRUE(parse_frames("").empty());
}

}  // namespace
}  // namespace gatehouse::master
