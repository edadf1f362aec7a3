#include "link/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace gatehouse::link {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;

TEST(Arguments, AClientIdIsTwentyHexadecimalDigits) {
  EXPECT_EQ(check_client_id("7f00000108fc00000008"), (wire::ClientId{0x7f000001, 2300, 8}));
  for (const char* bad : {"", "zz", "7f00000108fc0000000", "7f00000108fc000000080", "7g00000108fc00000008"}) {
    EXPECT_THAT([&] { check_client_id(bad); }, ThrowsMessage<std::invalid_argument>(StartsWith("client_id: 20 hexadecimal")))
        << bad;
  }
}

// upstream-behaviour 5c.7: "0" is empty; "0.0", "00" and " " are names.
TEST(Arguments, NamesAreNeitherEmptyNorZero) {
  for (const char* good : {"1", "00", "0.0", " ", "房间"}) EXPECT_NO_THROW(check_name(good, "group"));
  for (const char* bad : {"", "0", "\xff"}) {
    EXPECT_THAT([&] { check_name(bad, "group"); }, ThrowsMessage<std::invalid_argument>(StartsWith("group: must "))) << bad;
  }
  EXPECT_THAT(check_names({"a", "b"}, "uid"), ElementsAre("a", "b"));
  EXPECT_THROW(check_names(std::vector<std::string>{}, "uid"), std::invalid_argument);
  EXPECT_THROW(check_names({"a", "0"}, "uid"), std::invalid_argument);
}

TEST(Arguments, ASessionIsAnObjectAnArrayOrNull) {
  EXPECT_EQ(check_session(Value{{"name", "Tom"}, {"n", 2}}, "session"), R"(a:2:{s:4:"name";s:3:"Tom";s:1:"n";i:2;})");
  EXPECT_EQ(check_session(Value::object(), "session"), "a:0:{}");
  EXPECT_EQ(check_session(Value(), "session"), "");
  EXPECT_THAT([] { check_session(Value(7), "session"); }, ThrowsMessage<std::invalid_argument>(HasSubstr("session: an object")));
  EXPECT_THAT([] { check_session(Value{{"n", ~std::uint64_t{0}}}, "changes"); },
              ThrowsMessage<std::invalid_argument>(StartsWith("changes: ")));
}

}  // namespace
}  // namespace gatehouse::link
