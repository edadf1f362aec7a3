#include "page_request.h"

#include <gtest/gtest.h>

#include <string>

namespace chat {
namespace {

TEST(PageRequest, ReadsWhatThePageSends) {
  const auto request = parse_page_request(R"({"type":"join","name":"<b>ann</b>","room":"lobby","key":"k","extra":[1]})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->type, "join");
  EXPECT_EQ(request->name, "<b>ann</b>");
  EXPECT_EQ(request->room, "lobby");
  EXPECT_EQ(request->key, "k");
  EXPECT_EQ(request->text, "");
}

TEST(PageRequest, RefusesWhatIsNoRequest) {
  for (const char* message :
       {"", "{", "null", "[]", "7", "\"join\"", "{}", R"({"type":7})", R"({"type":""})", R"({"type":"say","text":null})",
        R"({"type":"say","text":["a"]})", R"({"type":"say"} x)", "{\"type\":\"say\",\"text\":\"\xFF\"}",
        R"({"type":"say","text":"\ud800"})", R"({"type":"say",})"}) {
    EXPECT_FALSE(parse_page_request(message)) << message;
  }
}

TEST(PageRequest, RefusesDeepNestingButNotTheDepthBelow) {
  const auto nested = [](std::size_t depth) {
    return R"({"type":"say","x":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(parse_page_request(nested(7)));
  EXPECT_FALSE(parse_page_request(nested(9)));
  EXPECT_FALSE(parse_page_request(nested(100'000)));
  EXPECT_FALSE(parse_page_request(std::string(100'000, '[')));
}

}  // namespace
}  // namespace chat
