#include "wire/php_value.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include "wire/php_serialize.h"
#include "wire/test_vectors.h"

namespace gatehouse::wire {
namespace {

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kSmallest = std::numeric_limits<std::int64_t>::min();
using Json = nlohmann::ordered_json;

std::string double_text(double value) {
  std::string out;
  append_double(out, value);
  return out;
}

std::vector<std::string> keys(const PhpArray& array) {
  std::vector<std::string> out;
  for (const auto& entry : array.entries()) out.push_back(entry.first.text());
  return out;
}

TEST(PhpKey, TextThatIsACanonicalIntegerIsANumber) {
  for (const std::int64_t number : {std::int64_t{0}, std::int64_t{7}, std::int64_t{-3}, std::int64_t{10}, kLargest, kSmallest}) {
    const PhpKey key = PhpKey::from_text(std::to_string(number));
    ASSERT_TRUE(key.is_number()) << number;
    EXPECT_EQ(key.number(), number);
    EXPECT_EQ(key.text(), std::to_string(number));
  }
  for (const char* text : {"", "-", "-0", "00", "07", "-07", "+1", " 1", "1 ", "1.5", "1e3", "0x1", "9223372036854775808",
                           "-9223372036854775809", "99999999999999999999999", "a", "--1"}) {
    const PhpKey key = PhpKey::from_text(text);
    EXPECT_FALSE(key.is_number()) << text;
    EXPECT_EQ(key.text(), text);
  }
  EXPECT_NE(PhpKey::from_text("07"), PhpKey(7));
  EXPECT_EQ(PhpKey::from_text("7"), PhpKey(7));
}

TEST(PhpArray, KeepsTheOldPlaceOfAKey) {
  PhpArray array;
  array.set(PhpKey::from_text("a"), 1);
  array.set(PhpKey::from_text("b"), 2);
  array.set(PhpKey::from_text("a"), 3);
  EXPECT_EQ(keys(array), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(*array.find(PhpKey::from_text("a")), PhpValue(3));
  EXPECT_EQ(array.find(PhpKey::from_text("c")), nullptr);
}

// The same steps against one that searches from the start, across the sizes at which the look-up changes.
TEST(PhpArray, FindsKeysAtEverySizeAndInEveryOrder) {
  std::uint32_t random = 12345;
  const auto next = [&](std::uint32_t below) {
    random = random * 1664525 + 1013904223;
    return (random >> 8) % below;
  };
  for (int round = 0; round < 300; ++round) {
    PhpArray array;
    std::vector<std::pair<PhpKey, int>> plain;
    const std::uint32_t texts = next(3);  // of three keys so many are texts
    const std::uint32_t range = 1 + next(120);
    const bool ascending = next(2) == 0;
    for (int step = 0; step < 100; ++step) {
      const std::uint32_t number = ascending ? static_cast<std::uint32_t>(step) : next(range);
      const PhpKey key = next(3) < texts ? PhpKey::from_text("k" + std::to_string(number)) : PhpKey(std::int64_t{number} - 20);
      const auto old = std::find_if(plain.begin(), plain.end(), [&](const auto& entry) { return entry.first == key; });
      const PhpValue* const found = array.find(key);
      ASSERT_EQ(found != nullptr, old != plain.end());
      if (found != nullptr) {
        ASSERT_EQ(*found, PhpValue(old->second));
        old->second = step;
      } else {
        plain.emplace_back(key, step);
      }
      array.set(key, step);
      if (step == 50) {  // copies and moves keep the index
        PhpArray copy = array;
        array = PhpArray();
        EXPECT_EQ(array.size(), 0U);
        array = std::move(copy);
      }
    }
    ASSERT_EQ(array.size(), plain.size());
    for (std::size_t i = 0; i < plain.size(); ++i) {
      ASSERT_EQ(array.entries()[i].first, plain[i].first);
      ASSERT_EQ(array.entries()[i].second, PhpValue(plain[i].second));
      ASSERT_EQ(array.find(plain[i].first), &array.entries()[i].second);
    }
  }
}

TEST(PhpArray, MovedFromArrayIsUsable) {
  PhpArray array;
  for (int i = 40; i > 0; --i) array.set(i, i);
  const PhpArray other = std::move(array);
  EXPECT_EQ(other.size(), 40U);
  EXPECT_EQ(array.size(), 0U);  // NOLINT(bugprone-use-after-move): the point of the test
  EXPECT_EQ(array.find(7), nullptr);
  array.push_back("x");
  EXPECT_TRUE(array.is_list());
}

TEST(PhpArray, AppendsUnderTheNextFreeInteger) {
  PhpArray array;
  array.set(PhpKey::from_text("x"), 1);
  array.push_back(2);
  array.set(5, 3);
  array.set(3, 4);
  array.push_back(5);
  EXPECT_EQ(keys(array), (std::vector<std::string>{"x", "0", "5", "3", "6"}));

  PhpArray negative;
  negative.set(-5, 1);
  negative.push_back(2);
  EXPECT_EQ(keys(negative), (std::vector<std::string>{"-5", "-4"}));

  PhpArray full;
  full.set(kLargest, 1);
  full.push_back(2);
  EXPECT_EQ(full.size(), 1U);
}

TEST(PhpArray, KnowsLists) {
  PhpArray array;
  EXPECT_TRUE(array.is_list());
  array.push_back("a");
  array.push_back("b");
  EXPECT_TRUE(array.is_list());
  array.set(3, "c");
  EXPECT_FALSE(array.is_list());
  array.set(2, "d");
  EXPECT_FALSE(array.is_list()) << "0, 1, 3, 2 is out of order";

  PhpArray from_one;
  from_one.set(1, "a");
  EXPECT_FALSE(from_one.is_list());
  PhpArray from_below;
  from_below.set(-1, "a");
  from_below.set(0, "b");
  EXPECT_FALSE(from_below.is_list());
}

TEST(PhpArray, EqualityGoesByEntriesInOrder) {
  PhpArray a;
  a.set(1, "x");
  a.set(2, "y");
  PhpArray b;
  b.set(2, "y");
  b.set(1, "x");
  EXPECT_FALSE(a == b);
  EXPECT_TRUE(a == PhpArray(a));
}

// The right sides are what PHP 8.2's serialize() prints between "d:" and ";".
TEST(PhpValue, DoublesAsPhpPrintsThem) {
  const std::pair<double, const char*> cases[] = {{0.0, "0"},
                                                  {-0.0, "-0"},
                                                  {0.1, "0.1"},
                                                  {1.5, "1.5"},
                                                  {1e15, "1000000000000000"},
                                                  {1e16, "10000000000000000"},
                                                  {1e17, "1.0E+17"},
                                                  {123456789012345678.0, "1.2345678901234568E+17"},
                                                  {0.0001, "0.0001"},
                                                  {0.00001, "1.0E-5"},
                                                  {1.5e-5, "1.5E-5"},
                                                  {1e22, "1.0E+22"},
                                                  {5e-324, "5.0E-324"},
                                                  {1.7976931348623157e308, "1.7976931348623157E+308"},
                                                  {1.0 / 3, "0.3333333333333333"},
                                                  {1e14 + 0.5, "100000000000000.5"},
                                                  {1e100, "1.0E+100"},
                                                  {-2.5e-300, "-2.5E-300"},
                                                  {-1234.5, "-1234.5"},
                                                  {-0.00123, "-0.00123"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(double_text(value), text);
  EXPECT_EQ(double_text(std::numeric_limits<double>::infinity()), "INF");
  EXPECT_EQ(double_text(-std::numeric_limits<double>::infinity()), "-INF");
  EXPECT_EQ(double_text(std::nan("")), "NAN");
}

TEST(PhpValue, MergesLikeUpstream) {
  const auto vectors = load_vectors("php_serialize.json").at("merges");
  ASSERT_FALSE(vectors.empty());
  for (const auto& vector : vectors) {
    SCOPED_TRACE(vector.dump());
    PhpValue session;
    PhpValue update;
    PhpValue result;
    ASSERT_EQ(unserialize(from_hex(vector.at("session_hex")), session), PhpStatus::ok);
    ASSERT_EQ(unserialize(from_hex(vector.at("update_hex")), update), PhpStatus::ok);
    ASSERT_EQ(unserialize(from_hex(vector.at("result_hex")), result), PhpStatus::ok);
    const PhpValue merged = replace_recursive(*session.array(), *update.array());
    EXPECT_EQ(merged, result);
    EXPECT_EQ(to_hex(serialize(merged)), vector.at("result_hex").get<std::string>());
    EXPECT_EQ(to_json(session), vector.at("session"));
    EXPECT_EQ(to_json(update), vector.at("update"));
    EXPECT_EQ(to_json(merged), vector.at("result"));
    EXPECT_EQ(replace_recursive(*from_json(vector.at("session")).array(), *from_json(vector.at("update")).array()),
              *result.array());
  }
}

TEST(PhpValue, MergeKeepsAnArrayThatAnEmptyOneIsMergedInto) {
  const PhpValue base = from_json(Json::parse(R"({"a":{"x":1},"b":1})"));
  const PhpValue changes = from_json(Json::parse(R"({"a":{},"b":{}})"));
  EXPECT_EQ(to_json(replace_recursive(*base.array(), *changes.array())).dump(), R"({"a":{"x":1},"b":[]})");
}

TEST(PhpValue, ToJsonTellsListsFromObjects) {
  PhpArray list;
  EXPECT_EQ(to_json(list).dump(), "[]");
  EXPECT_EQ(to_json(list, true).dump(), "{}");
  list.push_back("a");
  list.push_back(PhpArray());
  EXPECT_EQ(to_json(list).dump(), R"(["a",[]])");
  EXPECT_EQ(to_json(list, true).dump(), R"(["a",[]])");
  PhpArray object;
  object.set(PhpKey::from_text("z"), nullptr);
  object.set(7, true);
  object.set(PhpKey::from_text("a"), 1.5);
  object.set(PhpKey::from_text("list"), list);
  EXPECT_EQ(to_json(object, true).dump(), R"({"z":null,"7":true,"a":1.5,"list":["a",[]]})");
  EXPECT_TRUE(to_json(nullptr, true).is_null());
  EXPECT_TRUE(std::isnan(to_json(std::nan("")).get<double>()));
  EXPECT_TRUE(std::isinf(to_json(std::numeric_limits<double>::infinity()).get<double>()));
  EXPECT_EQ(to_json("\xff").get<std::string>(), "\xff");
  EXPECT_EQ(to_json(kSmallest).get<std::int64_t>(), kSmallest);
}

TEST(PhpValue, FromJsonKeepsOrderAndTypes) {
  const Json json = Json::parse(R"({"z":1,"7":"x","07":-1,"n":null,"d":1.0,"l":[true,[]],"o":{}})");
  const PhpValue value = from_json(json);
  EXPECT_EQ(serialize(value),
            "a:7:{s:1:\"z\";i:1;i:7;s:1:\"x\";s:2:\"07\";i:-1;s:1:\"n\";N;s:1:\"d\";d:1;s:1:\"l\";a:2:{i:0;b:1;i:1;a:0:{}}s:1:"
            "\"o\";a:0:{}}");
  EXPECT_EQ(serialize_json(json), serialize(value));
  EXPECT_EQ(to_json(value).dump(), R"({"z":1,"7":"x","07":-1,"n":null,"d":1.0,"l":[true,[]],"o":[]})");
}

Json nested(std::uint32_t levels) {
  Json json = 1;
  for (std::uint32_t i = 0; i < levels; ++i) json = i % 2 == 0 ? Json::array({std::move(json)}) : Json{{"k", std::move(json)}};
  return json;
}

TEST(PhpValue, RefusesJsonThatPhpHasNoValueFor) {
  EXPECT_EQ(from_json(std::uint64_t{9223372036854775807U}), PhpValue(kLargest));
  const Json refused[] = {std::uint64_t{9223372036854775808U}, Json::binary({1, 2}), Json(Json::value_t::discarded),
                          nested(kMaxPhpDepth + 1)};
  for (const Json& json : refused) {
    EXPECT_THROW(from_json(json), std::invalid_argument);
    EXPECT_THROW(serialize_json(json), std::invalid_argument);
    EXPECT_THROW(from_json(Json::array({json})), std::invalid_argument);
    EXPECT_THROW(serialize_json(Json{{"a", json}}), std::invalid_argument);
  }
}

TEST(PhpValue, DeepestJsonCanBeReadBack) {
  const Json json = nested(kMaxPhpDepth);
  const std::string text = serialize_json(json);
  PhpValue value;
  ASSERT_EQ(unserialize(text, value), PhpStatus::ok);
  EXPECT_EQ(to_json(value), json);
  EXPECT_EQ(from_json(json), value);
}

}  // namespace
}  // namespace gatehouse::wire
