#include "post.h"

#include <gtest/gtest.h>

#include <chrono>

namespace chat {
namespace {

using gatehouse::Value;

TEST(Post, IsAJsonObjectForThePage) {
  const Post post = {.kind = Post::Kind::chat,
                     .from = "\"ann\"",
                     .via = Via::terminal,
                     .room = "lobby",
                     .text = "<b>\n\\",
                     .time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1500))};
  const Value expected = {{"type", "chat"},  {"from", "\"ann\""}, {"via", "terminal"},
                          {"room", "lobby"}, {"text", "<b>\n\\"}, {"time", 1500}};
  EXPECT_EQ(Value::parse(post.for_page()), expected);
}

TEST(Post, TellsThePageWhoCameAndWent) {
  const Value joined = Value::parse(Post{.kind = Post::Kind::joined, .from = "bob", .room = "garden"}.for_page());
  EXPECT_EQ(joined["type"], "notice");
  EXPECT_EQ(joined["event"], "joined");
  EXPECT_EQ(joined["name"], "bob");
  EXPECT_EQ(joined["room"], "garden");
  EXPECT_EQ(Value::parse(Post{.kind = Post::Kind::left, .from = "bob"}.for_page())["event"], "left");
}

TEST(Post, IsOneLineForATerminal) {
  const Post post = {.kind = Post::Kind::chat, .from = "ann", .text = "one\n[12:00] bob: two\tthree"};
  const std::string line = post.for_terminal();
  ASSERT_EQ(line.size(), sizeof("[12:01] ann: one / [12:00] bob: two three") - 1);
  EXPECT_EQ(line.substr(7), " ann: one / [12:00] bob: two three");
  EXPECT_EQ(line[0], '[');
  EXPECT_EQ(line[6], ']');
}

TEST(Post, NamesBothPeopleOfPrivateWords) {
  const Post post = {.kind = Post::Kind::private_words, .from = "ann", .to = "bob", .text = "psst"};
  EXPECT_EQ(post.for_terminal().substr(8), "ann to bob alone: psst");
  const Value page = Value::parse(post.for_page());
  EXPECT_EQ(page["type"], "private");
  EXPECT_EQ(page["to"], "bob");
}

TEST(ToText, ReplacesWhatIsNotUtf8) { EXPECT_EQ(to_text({{"a", "\xFF"}}), "{\"a\":\"\xEF\xBF\xBD\"}"); }

}  // namespace
}  // namespace chat
