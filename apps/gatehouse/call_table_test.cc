#include "call_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace gatehouse::call {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Words = std::vector<std::string>;

TEST(CallTable, NamesAreThereOnceAndEverythingIsSaid) {
  std::set<std::string_view> seen;
  for (const Call& call : all_calls()) {
    EXPECT_TRUE(seen.insert(call.name).second) << call.name;
    EXPECT_FALSE(call.help.empty()) << call.name;
    EXPECT_NE(call.run, nullptr) << call.name;
    EXPECT_EQ(find_call(call.name), &call);
  }
  EXPECT_EQ(find_call("send_to"), nullptr);
  EXPECT_EQ(find_call("send_to_group")->usage(), "send_to_group GROUP... DATA");
  EXPECT_EQ(find_call("close_uid")->usage(), "close_uid UID [LAST_WORDS]");
}

TEST(CallTable, WordsAreGivenToParameters) {
  const auto given = [](const char* name, const Words& words) { return distribute(*find_call(name), words).value(); };
  EXPECT_THAT(given("client_count", {}), IsEmpty());
  EXPECT_THAT(given("send_to_group", {"g", "x"}), ElementsAre(Words{"g"}, Words{"x"}));
  EXPECT_THAT(given("send_to_group", {"g", "h", "i", "x"}), ElementsAre(Words{"g", "h", "i"}, Words{"x"}));
  EXPECT_THAT(given("are_uids_online", {"a", "b"}), ElementsAre(Words{"a", "b"}));
  EXPECT_THAT(given("close_client", {"id"}), ElementsAre(Words{"id"}, Words{}));
  EXPECT_THAT(given("close_client", {"id", "bye"}), ElementsAre(Words{"id"}, Words{"bye"}));
}

TEST(CallTable, TooFewAndTooManyWordsAreRefusedWithTheUsage) {
  const std::vector<std::pair<const char*, Words>> bad = {{"send_to_group", {"g"}},         {"send_to_all", {}},
                                                          {"client_count", {"x"}},          {"close_client", {"id", "bye", "x"}},
                                                          {"bind_uid", {"id", "uid", "x"}}, {"are_uids_online", {}}};
  for (const auto& [name, words] : bad) {
    const auto given = distribute(*find_call(name), words);
    ASSERT_FALSE(given) << name;
    EXPECT_THAT(given.error().message, HasSubstr(find_call(name)->usage()));
  }
}

TEST(CallTable, ArgumentsAreReadAsWhatTheyAre) {
  const Arguments arguments{.words = {{"{\"a\":1}"}, {"x"}, {}}, .binary = true};
  EXPECT_EQ(arguments.json(0), (Value{{"a", 1}}));
  EXPECT_THROW((void)arguments.json(1), std::invalid_argument);
  EXPECT_TRUE(arguments.data(1).is_binary());
  EXPECT_EQ(arguments.last_words(1)->bytes(), "x");
  EXPECT_EQ(arguments.last_words(2), std::nullopt);
}

TEST(CallTable, IntervalsAreDurationsOrTheGatewaysOwn) {
  const Arguments arguments{.words = {{"30s"}, {"0s"}, {"gateway"}, {"30"}, {"-1s"}}};
  EXPECT_EQ(arguments.interval(0), std::chrono::seconds(30));
  EXPECT_EQ(arguments.interval(1), std::chrono::seconds(0));
  EXPECT_EQ(arguments.interval(2), std::nullopt);
  EXPECT_THROW((void)arguments.interval(3), std::invalid_argument);
}

}  // namespace
}  // namespace gatehouse::call
