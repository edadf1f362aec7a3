#include "call_output.h"

#include <gtest/gtest.h>

namespace gatehouse::call {
namespace {

TEST(CallOutput, IsOneValuePerLine) {
  EXPECT_EQ(as_text(nullptr, false), "");
  EXPECT_EQ(as_text(true, false), "true\n");
  EXPECT_EQ(as_text(7, false), "7\n");
  EXPECT_EQ(as_text("u1", false), "u1\n");
  EXPECT_EQ(as_text(Value::array(), false), "");
  EXPECT_EQ(as_text(Value{"a", "b"}, false), "a\nb\n");
  EXPECT_EQ(as_text(Value{{"g", 2}, {"h", 0}}, false), "g\t2\nh\t0\n");
  EXPECT_EQ(as_text(Value{{"g", {"a", "b"}}, {"h", Value::array()}}, false), "g\ta\ng\tb\n");
  EXPECT_EQ(as_text(Value{{"id", {{"name", "Tom"}}}}, false), "id\t{\"name\":\"Tom\"}\n");
  EXPECT_EQ(as_text(Value{{"name", "Tom"}}, true), "{\"name\":\"Tom\"}\n");
  EXPECT_EQ(as_text(nullptr, true), "null\n");
  EXPECT_EQ(as_text(Value{"two\nlines\t"}, false), "two\\x0alines\\x09\n");
}

TEST(CallOutput, JsonIsAlwaysADocument) {
  EXPECT_EQ(as_json(nullptr), "null\n");
  EXPECT_EQ(as_json(Value{"a", 1}), "[\"a\",1]\n");
  EXPECT_EQ(as_json("\xff"), "\"\xef\xbf\xbd\"\n");
}

}  // namespace
}  // namespace gatehouse::call
