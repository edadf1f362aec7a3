#include "link/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "wire/command_size.h"

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

// The sum counts: data, names as JSON writes them, 24 bytes for an id.
TEST(Arguments, ACallCarriesSoMuchAndNoByteMore) {
  constexpr std::size_t kMost = wire::kMostCarried;
  const std::string most(kMost, 'x');
  const std::string id = "7f00000108fc00000001";
  EXPECT_NO_THROW(check_size(Data(most), SendOptions{}));
  EXPECT_THAT(
      [&] { check_size(Data(most + 'x'), SendOptions{}); },
      ThrowsMessage<std::invalid_argument>(
          "data: 33554433 bytes are too many: one call carries at most 33554432, with ids (24 bytes each) and names counted"));
  const std::string_view without_an_id = std::string_view(most).substr(kMostIdBytes);
  EXPECT_NO_THROW(check_size(Data(without_an_id), SendOptions{}, 1));
  EXPECT_THROW(check_size(Data(without_an_id), SendOptions{}, 2), std::invalid_argument);
  EXPECT_NO_THROW(check_size(Data(without_an_id), SendOptions{.except = {id}}));
  EXPECT_THROW(check_size(Data(without_an_id), SendOptions{.except = {id}}, 1), std::invalid_argument);
  EXPECT_THROW(check_size(Data(most), SendOptions{.latest_key = "k"}), std::invalid_argument);
  EXPECT_THAT([&] { check_size(Data("x"), SendOptions{}, kMost); },
              ThrowsMessage<std::invalid_argument>(StartsWith("client_ids: 805306369 bytes ")));
  // ["xx..."]: two brackets and two quotes.
  const std::string name(kMost - 4, 'x');
  EXPECT_NO_THROW(check_size(std::vector<std::string>{name}, "uids"));
  EXPECT_THAT([&] { check_size(std::vector<std::string>{name + 'x'}, "uids"); },
              ThrowsMessage<std::invalid_argument>(StartsWith("uids: 33554433 ")));
  EXPECT_NO_THROW(check_size(Data(""), SendOptions{}, {name}));
  EXPECT_THROW(check_size(Data("x"), SendOptions{}, {name}), std::invalid_argument);
  // "\u623f" is six bytes for three.
  std::string rooms;
  while (rooms.size() < kMost / 2) rooms += "房";
  EXPECT_THROW(check_size(std::vector<std::string>{rooms}, "group"), std::invalid_argument);
  EXPECT_NO_THROW(check_size(std::optional<Data>(most)));
  EXPECT_THROW(check_size(std::optional<Data>(most), "u"), std::invalid_argument);
  EXPECT_NO_THROW(check_name(most, "group"));
  EXPECT_THROW(check_name(most + 'x', "group"), std::invalid_argument);
  EXPECT_THROW(check_session(Value{{"s", most}}, "session"), std::invalid_argument);
}

}  // namespace
}  // namespace gatehouse::link
