#include "netstring.h"

#include <gtest/gtest.h>

#include <string>

using Kind = gatehouse::Input::Kind;

TEST(Netstring, FindsAFrameAndTheMessageInIt) {
  const Netstring protocol;
  const std::string bytes = "12:hello, world,5:next!,";
  const auto input = protocol.input(bytes, 0);
  ASSERT_EQ(input.kind(), Kind::frame);
  ASSERT_EQ(input.size(), 16U);
  EXPECT_EQ(protocol.decode(std::string_view(bytes).substr(0, 16)), "hello, world");
}

TEST(Netstring, TakesAnEmptyMessage) {
  const Netstring protocol;
  ASSERT_EQ(protocol.input("0:,", 0).size(), 3U);
  EXPECT_EQ(protocol.decode("0:,"), "");
}

TEST(Netstring, WaitsAtEveryCutAndKnowsTheSizeOnceTheColonHasCome) {
  const Netstring protocol;
  const std::string bytes = "10:0123456789,";
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    const auto input = protocol.input(std::string_view(bytes).substr(0, cut), 0);
    EXPECT_EQ(input.kind(), Kind::need_more) << cut;
    EXPECT_EQ(input.size(), cut < 3 ? 0U : bytes.size()) << cut;
  }
}

TEST(Netstring, RefusesWhatIsNoNetstring) {
  const Netstring protocol;
  for (const char* bytes : {":,", "x", "-1:,", "05:hello,", "00:,", "5hello", "5:hello;", "1234567890", "GET / HTTP/1.1\r\n"}) {
    EXPECT_EQ(protocol.input(bytes, 0).kind(), Kind::refuse) << bytes;
    EXPECT_FALSE(protocol.input(bytes, 0).reason().empty()) << bytes;
  }
}

TEST(Netstring, TakesTheLongestLengthAndNoLonger) {
  const Netstring protocol;
  EXPECT_EQ(protocol.input("999999999:", 0).size(), 999'999'999U + 11);
  EXPECT_EQ(protocol.input("999999999", 0).kind(), Kind::need_more);
  EXPECT_EQ(protocol.input("9999999990", 0).kind(), Kind::refuse);
}

TEST(Netstring, EncodesWhatItDecodes) {
  const Netstring protocol;
  for (const std::string& message : {std::string(), std::string("a"), std::string("1:,\n\0", 5), std::string(1000, ',')}) {
    std::string out = "before";
    protocol.encode(message, out);
    const std::string_view frame = std::string_view(out).substr(6);
    ASSERT_EQ(protocol.input(frame, 0).size(), frame.size());
    EXPECT_EQ(protocol.decode(frame), message);
  }
}
