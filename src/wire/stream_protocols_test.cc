#include "wire/stream_protocols.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace gatehouse::wire {
namespace {

using namespace std::string_literals;

/// The messages in `bytes`, which come in pieces of `piece` bytes; "REFUSED" at the end when refused.
std::vector<std::string> read(std::string_view scheme, std::string_view bytes, std::size_t piece) {
  const auto protocol = make_stream_protocol(scheme);
  std::vector<std::string> messages;
  std::vector<char> buffer;
  std::size_t seen = 0;
  while (!bytes.empty()) {
    const std::string_view more = bytes.substr(0, piece);
    bytes.remove_prefix(more.size());
    std::vector<char> grown(buffer);  // of exactly that size, for AddressSanitizer
    grown.insert(grown.end(), more.begin(), more.end());
    buffer = grown;
    for (;;) {
      const std::string_view shown(buffer.data(), buffer.size());
      const Input input = protocol->input(shown, seen);
      if (input.kind() == Input::Kind::refuse) {
        EXPECT_NE(input.reason(), "");
        messages.emplace_back("REFUSED");
        return messages;
      }
      seen = buffer.size();
      if (input.kind() == Input::Kind::need_more) break;
      EXPECT_GT(input.size(), 0U);
      EXPECT_LE(input.size(), buffer.size());
      messages.emplace_back(protocol->decode(shown.substr(0, input.size())));
      buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(input.size()));
      seen = 0;
    }
  }
  return messages;
}

/// The same for every size of the pieces.
std::vector<std::string> read(std::string_view scheme, std::string_view bytes) {
  const std::vector<std::string> whole = read(scheme, bytes, bytes.size());
  for (std::size_t piece = 1; piece < bytes.size(); ++piece) EXPECT_EQ(read(scheme, bytes, piece), whole) << piece;
  return whole;
}

std::string encode(std::string_view scheme, std::string_view message) {
  std::string out = "before";
  make_stream_protocol(scheme)->encode(message, out);
  EXPECT_EQ(out.substr(0, 6), "before");
  return out.substr(6);
}

TEST(StreamProtocols, KnowsItsSchemes) {
  EXPECT_NE(make_stream_protocol("text"), nullptr);
  EXPECT_NE(make_stream_protocol("frame"), nullptr);
  EXPECT_NE(make_stream_protocol("tcp"), nullptr);
  EXPECT_EQ(make_stream_protocol("websocket"), nullptr);
  EXPECT_EQ(make_stream_protocol("Text"), nullptr);
  EXPECT_EQ(make_stream_protocol(""), nullptr);
}

TEST(TextProtocol, StripsEveryLineEndAsUpstreamDoes) {
  EXPECT_EQ(read("text", "a\r\nb\n\n  c  \r\r\n"), (std::vector{"a"s, "b"s, ""s, "  c  "s}));
  EXPECT_EQ(read("text", "a\rb\r\n"), std::vector{"a\rb"s});
  EXPECT_EQ(read("text", "\r\r\n"), std::vector{""s});
  EXPECT_TRUE(read("text", "no end").empty());
}

TEST(TextProtocol, EndsWhatItSendsWithOneLineFeed) {
  EXPECT_EQ(encode("text", "a"), "a\n");
  EXPECT_EQ(encode("text", ""), "\n");
  EXPECT_EQ(encode("text", "a\n"), "a\n\n");
}

TEST(TextProtocol, SearchesOnlyWhatIsNew) {
  const auto protocol = make_stream_protocol("text");
  const Input input = protocol->input("seen\nnew", 5);  // the line feed would end a frame if it were looked at
  EXPECT_EQ(input.kind(), Input::Kind::need_more);
  EXPECT_EQ(input.size(), 0U);
  EXPECT_EQ(protocol->input("seen new\n", 5).size(), 9U);
}

TEST(FrameProtocol, ReadsFramesWhoseLengthCountsItself) {
  EXPECT_EQ(read("frame",
                 "\0\0\0\x05"
                 "a\0\0\0\x04\0\0\0\x07"
                 "b\nc"s),
            (std::vector{"a"s, ""s, "b\nc"s}));
}

TEST(FrameProtocol, RefusesALengthThatDoesNotCountItself) {
  for (const char size : {'\0', '\1', '\3'}) {
    EXPECT_EQ(read("frame", "\0\0\0"s + size + "abc"), std::vector{"REFUSED"s});
  }
}

TEST(FrameProtocol, SaysHowLongAFrameWillBeAsSoonAsItKnows) {
  const auto protocol = make_stream_protocol("frame");
  EXPECT_EQ(protocol->input("\0\0\1"s, 0).size(), 0U);
  const Input longest = protocol->input("\xFF\xFF\xFF\xFF", 3);
  EXPECT_EQ(longest.kind(), Input::Kind::need_more);
  EXPECT_EQ(longest.size(), 0xFFFFFFFFU);
}

TEST(FrameProtocol, WritesTheLength) {
  EXPECT_EQ(encode("frame", ""), "\0\0\0\x04"s);
  EXPECT_EQ(encode("frame", std::string(300, 'x')), "\0\0\1\x30"s + std::string(300, 'x'));
}

TEST(FrameProtocol, ThrowsForAMessageThatTheLengthCannotCount) {
  std::string out;
  const std::string_view endless("", std::numeric_limits<std::uint32_t>::max() - 3);  // refused before it is read
  EXPECT_THROW(make_stream_protocol("frame")->encode(endless, out), std::length_error);
  EXPECT_EQ(out, "");
}

TEST(TcpProtocol, TakesEachReadAsAMessage) {
  EXPECT_EQ(read("tcp", "ab\ncd", 3), (std::vector{"ab\n"s, "cd"s}));
  EXPECT_EQ(encode("tcp", "a\n"), "a\n");
  EXPECT_EQ(make_stream_protocol("tcp")->input("", 0).kind(), Input::Kind::need_more);
}

}  // namespace
}  // namespace gatehouse::wire
