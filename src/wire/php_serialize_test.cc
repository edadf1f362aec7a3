#include "wire/php_serialize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "wire/test_vectors.h"

namespace gatehouse::wire {
namespace {

using Json = nlohmann::ordered_json;

PhpStatus status_of(std::string_view text, const PhpLimits& limits = {}) {
  // In memory of exactly its size, so that AddressSanitizer sees a read behind its end.
  const std::vector<char> exact(text.begin(), text.end());
  PhpValue value;
  const PhpStatus status = unserialize({exact.data(), exact.size()}, value, limits);
  EXPECT_EQ(is_serialized_array({exact.data(), exact.size()}, limits), status == PhpStatus::ok && value.array() != nullptr);
  return status;
}

PhpValue read(std::string_view text) {
  PhpValue value = "untouched";
  EXPECT_EQ(unserialize(text, value), PhpStatus::ok) << text;
  return value;
}

/// A value as the vectors describe it.
PhpValue described(const Json& vector) {
  if (vector.contains("string_hex")) return from_hex(vector.at("string_hex"));
  if (vector.contains("float")) return std::strtod(vector.at("float").get<std::string>().c_str(), nullptr);
  const auto pairs = vector.find("array_as_pairs") != vector.end() ? vector.find("array_as_pairs") : vector.find("array");
  if (pairs == vector.end()) return from_json(vector.at("value"));
  PhpArray array;
  for (const auto& pair : *pairs) {
    const Json& key = pair.at(0);
    array.set(key.is_string() ? PhpKey::from_text(key.get<std::string>()) : PhpKey(key.get<std::int64_t>()),
              described(pair.at(1)));
  }
  return array;
}

class PhpSerializeVectors : public testing::Test {
 protected:
  const Json vectors_ = load_vectors("php_serialize.json");
};

TEST_F(PhpSerializeVectors, ValuesReadAndWriteToTheSameBytes) {
  ASSERT_FALSE(vectors_.at("values").empty());
  for (const auto& vector : vectors_.at("values")) {
    SCOPED_TRACE(vector.dump());
    const std::string text = from_hex(vector.at("serialized_hex"));
    const PhpValue expected = described(vector);
    const PhpValue value = read(text);
    EXPECT_EQ(is_serialized_array(text), value.array() != nullptr);
    EXPECT_EQ(value, expected);
    EXPECT_EQ(value.get().index(), expected.get().index());
    EXPECT_EQ(serialize(value), text);
    EXPECT_EQ(serialize(expected), text);
    EXPECT_EQ(serialize_json(to_json(value)), text);
    for (std::size_t cut = 0; cut < text.size(); ++cut) EXPECT_EQ(status_of(text.substr(0, cut)), PhpStatus::malformed) << cut;
    EXPECT_EQ(status_of(text + ";"), PhpStatus::malformed);
  }
}

TEST_F(PhpSerializeVectors, MalformedTextsAreRefused) {
  ASSERT_FALSE(vectors_.at("malformed").empty());
  for (const auto& vector : vectors_.at("malformed")) {
    SCOPED_TRACE(vector.dump());
    const std::string text = vector.at("text").is_string()
                                 ? vector.at("text").get<std::string>()
                                 : repeated(vector.at("repeat").at(0).get<std::string>(), vector.at("repeat").at(1));
    const PhpStatus status = status_of(text);
    if (vector.at("upstream") == "integer") {
      EXPECT_EQ(status, PhpStatus::ok);
    } else if (vector.at("upstream") == "object") {
      EXPECT_EQ(status, PhpStatus::object);
    } else {
      EXPECT_NE(status, PhpStatus::ok);
    }
  }
}

TEST(PhpSerialize, FailureLeavesTheOutputAlone) {
  PhpValue value = "untouched";
  EXPECT_EQ(unserialize("a:2:{i:0;i:1;i:1;O:1:\"x\":0:{}}", value), PhpStatus::object);
  EXPECT_EQ(value, PhpValue("untouched"));
}

TEST(PhpSerialize, IntegersAsPhpReadsThem) {
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
  constexpr auto kSmallest = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(read("i:9999999999999999999999;"), PhpValue(kLargest));
  EXPECT_EQ(read("i:-9999999999999999999999;"), PhpValue(kSmallest));
  EXPECT_EQ(read("i:9223372036854775808;"), PhpValue(kLargest));
  EXPECT_EQ(read("i:-9223372036854775809;"), PhpValue(kSmallest));
  EXPECT_EQ(read("i:+5;"), PhpValue(5));
  EXPECT_EQ(read("i:007;"), PhpValue(7));
  EXPECT_EQ(read("i:-0;"), PhpValue(0));
  for (const char* text : {"i:--5;", "i:+-5;", "i:-;", "i:+;", "i: 5;", "i:5", "i:5x;", "i:0x5;"}) {
    EXPECT_EQ(status_of(text), PhpStatus::malformed) << text;
  }
}

TEST(PhpSerialize, DoublesAsPhpReadsThem) {
  EXPECT_EQ(read("d:1;"), PhpValue(1.0));
  EXPECT_EQ(read("d:1e5;"), PhpValue(1e5));
  EXPECT_EQ(read("d:1.0E+25;"), PhpValue(1e25));
  EXPECT_EQ(read("d:-2.5E-300;"), PhpValue(-2.5e-300));
  EXPECT_EQ(read("d:.5;"), PhpValue(0.5));
  EXPECT_EQ(read("d:5.;"), PhpValue(5.0));
  EXPECT_EQ(read("d:+1.5;"), PhpValue(1.5));
  EXPECT_EQ(read("d:5.0E-324;"), PhpValue(5e-324));
  EXPECT_EQ(read("d:0.10000000000000001;"), PhpValue(0.1));
  EXPECT_TRUE(std::isnan(std::get<double>(read("d:NAN;").get())));
  EXPECT_TRUE(std::signbit(std::get<double>(read("d:-0;").get())));
  for (const char* text : {"d:;", "d:.;", "d:-;", "d:e5;", "d:1e;", "d:1e+;", "d:-NAN;", "d:inf;", "d:nan;", "d:0x10;", "d:1",
                           "d:1.5.5;", "d:+INF;", "d: 1;", "d:1e999;", "d:1e99999999999999999999;"}) {
    EXPECT_EQ(status_of(text), PhpStatus::malformed) << text;
  }
}

TEST(PhpSerialize, StringsAreBytesOfTheSaidLength) {
  EXPECT_EQ(read({"s:2:\"\0\xff\";", 9}), PhpValue(std::string("\0\xff", 2)));
  EXPECT_EQ(read("s:4:\"\";\";\";"), PhpValue("\";\";"));
  EXPECT_EQ(read("s:01:\"a\";"), PhpValue("a"));
  for (const char* text :
       {"s:2:\"a\";", "s:0:\"a\";", "s:1:'a';", "s:+1:\"a\";", "s::\"\";", "s:1\"a\";", "s:18446744073709551615:\"a\";",
        "s:18446744073709551616:\"a\";", "s:18446744073709551617:\"a\";", "S:1:\"a\";", "s:1:\"a", "s:1:\"", "s:1:"}) {
    EXPECT_EQ(status_of(text), PhpStatus::malformed) << text;
  }
}

TEST(PhpSerialize, ArrayKeys) {
  EXPECT_EQ(serialize(read("a:2:{s:1:\"7\";i:1;i:7;i:2;}")), "a:1:{i:7;i:2;}");
  EXPECT_EQ(serialize(read("a:3:{s:1:\"a\";i:1;s:1:\"b\";i:2;s:1:\"a\";i:3;}")), "a:2:{s:1:\"a\";i:3;s:1:\"b\";i:2;}");
  for (const char* text : {"a:1:{b:1;i:1;}", "a:1:{N;i:1;}", "a:1:{d:1;i:1;}", "a:1:{a:0:{}i:1;}", "a:1:{i:0;i:1;",
                           "a:+1:{i:0;i:1;}", "a:0:{i:0;i:1;}", "a:0:{}}", "a:0{}", "a:0:", "a:0:{"}) {
    EXPECT_EQ(status_of(text), PhpStatus::malformed) << text;
  }
}

// php -r '$rows = [["n" => 1], ["n" => 2]]; foreach ($rows as &$row) { $row["n"]++; }
//         echo serialize(["rows" => $rows, "last" => &$row]);'     What updateSession was given was dropped.
TEST(PhpSerialize, AReferenceIsACopyOfWhatItNames) {
  EXPECT_EQ(serialize(read("a:2:{s:4:\"rows\";a:2:{i:0;a:1:{s:1:\"n\";i:2;}i:1;a:1:{s:1:\"n\";i:3;}}s:4:\"last\";R:5;}")),
            "a:2:{s:4:\"rows\";a:2:{i:0;a:1:{s:1:\"n\";i:2;}i:1;a:1:{s:1:\"n\";i:3;}}s:4:\"last\";a:1:{s:1:\"n\";i:3;}}");
  // References have no number of their own: the fourth value is "x". php -r '$a = [1]; $a[] = &$a[0]; $a[] = &$a[0]; $a[] = "x";
  // $a[] = &$a[3]; echo serialize($a);'
  EXPECT_EQ(serialize(read("a:5:{i:0;i:1;i:1;R:2;i:2;R:2;i:3;s:1:\"x\";i:4;R:3;}")),
            "a:5:{i:0;i:1;i:1;i:1;i:2;i:1;i:3;s:1:\"x\";i:4;s:1:\"x\";}");
  // One that is copied may hold another: $d = 7; $b = [&$d, &$d]; [&$b, &$b, &$d].
  EXPECT_EQ(serialize(read("a:3:{i:0;a:2:{i:0;i:7;i:1;R:3;}i:1;R:2;i:2;R:3;}")),
            "a:3:{i:0;a:2:{i:0;i:7;i:1;i:7;}i:1;a:2:{i:0;i:7;i:1;i:7;}i:2;i:7;}");
  EXPECT_TRUE(is_serialized_array("a:2:{i:0;a:0:{}i:1;R:2;}"));
  EXPECT_FALSE(is_serialized_array("a:2:{i:0;a:0:{}i:1;R:1;}"));
  for (const char* bad : {"R:1;", "a:1:{i:0;R:2;}", "a:2:{i:0;N;i:1;R:0;}", "a:2:{i:0;N;i:1;R:-1;}", "a:2:{i:0;N;i:1;R:3;}",
                          "a:1:{R:1;N;}", "a:2:{i:0;N;i:1;R:2}", "a:2:{i:0;N;i:1;R:99999999999999999999;}"}) {
    EXPECT_EQ(status_of(bad), PhpStatus::malformed) << bad;
  }
}

// Each level is twice the one before it, in 20 bytes of text.
TEST(PhpSerialize, ReferencesMultiplyWithinTheLimits) {
  const auto doubled = [](int levels, const std::string& first) {
    std::string text = "a:" + std::to_string(levels + 1) + ":{i:0;" + first;
    std::size_t before = 2;  // the number of the value in front
    std::size_t next = first.starts_with("a:1") ? 4 : 3;
    for (int i = 1; i <= levels; ++i) {
      const std::string name = "R:" + std::to_string(before) + ";";
      text += "i:" + std::to_string(i) + ";a:2:{i:0;" + name + "i:1;" + name + "}";
      before = next++;
    }
    return text + "}";
  };
  EXPECT_EQ(status_of(doubled(10, "i:1;")), PhpStatus::ok);
  EXPECT_EQ(status_of(doubled(40, "i:1;")), PhpStatus::too_many);
  EXPECT_EQ(status_of(doubled(120, "a:1:{i:0;N;}")), PhpStatus::too_many);
  PhpLimits limits;
  limits.elements = 5 + 3;  // [x, [x, x], [[x, x]...]: what is copied counts again
  EXPECT_EQ(status_of("a:2:{i:0;a:3:{i:0;N;i:1;N;i:2;N;}i:1;R:2;}", limits), PhpStatus::ok);
  limits.elements = 5 + 2;
  EXPECT_EQ(status_of("a:2:{i:0;a:3:{i:0;N;i:1;N;i:2;N;}i:1;R:2;}", limits), PhpStatus::too_many);
  limits = {.copied_bytes = 16 + 5};
  EXPECT_EQ(status_of("a:2:{i:0;s:5:\"abcde\";i:1;R:2;}", limits), PhpStatus::ok);
  EXPECT_EQ(status_of("a:2:{i:0;s:6:\"abcdef\";i:1;R:2;}", limits), PhpStatus::too_many);
  // Keys and the digits of numbers are copied, or read again, as well.
  limits = {.copied_bytes = 16 + 16 + 84};
  EXPECT_EQ(status_of("a:2:{i:0;a:1:{s:92:\"" + std::string(92, 'k') + "\";N;}i:1;R:2;}", limits), PhpStatus::ok);
  EXPECT_EQ(status_of("a:2:{i:0;a:1:{s:93:\"" + std::string(93, 'k') + "\";N;}i:1;R:2;}", limits), PhpStatus::too_many);
  limits = {.copied_bytes = 16 + 100};
  EXPECT_EQ(status_of("a:2:{i:0;i:" + std::string(113, '0') + ";i:1;R:2;}", limits), PhpStatus::ok);
  EXPECT_EQ(status_of("a:2:{i:0;i:" + std::string(114, '0') + ";i:1;R:2;}", limits), PhpStatus::too_many);
  EXPECT_EQ(status_of("a:2:{i:0;d:" + std::string(114, '0') + ";i:1;R:2;}", limits), PhpStatus::too_many);
  // Depth as well: what is copied hangs where its name stands.
  limits = {.depth = 2};
  EXPECT_EQ(status_of("a:2:{i:0;a:0:{}i:1;R:2;}", limits), PhpStatus::ok);
  EXPECT_EQ(status_of("a:2:{i:0;a:0:{}i:1;a:1:{i:0;R:2;}}", limits), PhpStatus::too_deep);
}

TEST(PhpSerialize, ObjectsAndCirclesAreRefusedWhereverTheyAre) {
  for (const char* text : {"O:8:\"stdClass\":0:{}", "C:1:\"X\":0:{}", "E:3:\"A:B\";"}) {
    EXPECT_EQ(status_of(text), PhpStatus::object);
    EXPECT_EQ(status_of("a:2:{i:0;N;i:1;" + std::string(text) + "}"), PhpStatus::object);
  }
  for (const char* text : {"r:1;", "R:1;"}) {
    EXPECT_EQ(status_of("a:2:{i:0;N;i:1;" + std::string(text) + "}"), PhpStatus::reference);
  }
}

TEST(PhpSerialize, DepthIsLimited) {
  const auto nested = [](int levels) { return repeated("a:1:{i:0;", levels - 1) + "a:0:{}" + repeated("}", levels - 1); };
  EXPECT_EQ(status_of(nested(kMaxPhpDepth)), PhpStatus::ok);
  EXPECT_EQ(status_of(nested(kMaxPhpDepth + 1)), PhpStatus::too_deep);
  EXPECT_EQ(status_of(nested(100'000)), PhpStatus::too_deep);
  PhpLimits limits;
  limits.depth = 2;
  EXPECT_EQ(status_of(nested(2), limits), PhpStatus::ok);
  EXPECT_EQ(status_of(nested(3), limits), PhpStatus::too_deep);
  limits.depth = 0;
  EXPECT_EQ(status_of("i:1;", limits), PhpStatus::ok);
  EXPECT_EQ(status_of("a:0:{}", limits), PhpStatus::too_deep);
}

TEST(PhpSerialize, ElementsAreLimitedInAll) {
  PhpLimits limits;
  limits.elements = 4;
  EXPECT_EQ(status_of("a:2:{i:0;N;i:1;a:2:{i:0;N;i:1;N;}}", limits), PhpStatus::ok);
  EXPECT_EQ(status_of("a:2:{i:0;N;i:1;a:3:{i:0;N;i:1;N;i:2;N;}}", limits), PhpStatus::too_many);
  EXPECT_EQ(status_of("a:5:{i:0;N;i:1;N;i:2;N;i:3;N;i:4;N;}", limits), PhpStatus::too_many);
  for (const char* count : {"99999999", "18446744073709551615", "18446744073709551616", "99999999999999999999999999"}) {
    EXPECT_EQ(status_of("a:" + std::string(count) + ":{}"), PhpStatus::malformed) << count;
  }
}

TEST(PhpSerialize, LargeArraysAreReadInReasonableTime) {
  for (const bool texts : {false, true}) {
    PhpArray array;
    for (int i = 200'000; i > 0; --i) array.set(texts ? PhpKey::from_text("k" + std::to_string(i)) : PhpKey(i), i);
    const std::string text = serialize(array);
    const PhpValue value = read(text);
    EXPECT_EQ(value, PhpValue(array));
    EXPECT_EQ(serialize_json(to_json(value)), text);
  }
}

TEST(PhpSerialize, StatusesAreDescribed) {
  for (int status = 0; status <= static_cast<int>(PhpStatus::reference); ++status) {
    EXPECT_STRNE(describe(static_cast<PhpStatus>(status)), "") << status;
  }
}

TEST(PhpWriter, WritesAnAnswerPieceByPiece) {
  std::string out = "before ";
  PhpWriter w(out);
  w.begin_array(8);
  w.key("a");
  w.integer(-1);
  w.key(7);
  w.null();
  w.key("42");
  w.boolean(true);
  w.key("042");
  w.boolean(false);
  w.key("-");
  w.string("\"\u4e2d");
  w.key("");
  w.begin_array(0);
  w.end_array();
  w.key(std::int64_t{8});
  w.key_as_value("-3");
  w.key(std::int64_t{9});
  w.key_as_value("room-1");
  w.end_array();
  EXPECT_EQ(out,
            "before a:8:{s:1:\"a\";i:-1;i:7;N;i:42;b:1;s:3:\"042\";b:0;s:1:\"-\";s:4:\"\"\u4e2d\";s:0:\"\";a:0:{}i:8;i:-3;i:9;"
            "s:6:\"room-1\";}");
  EXPECT_EQ(serialize(read(out.substr(7))), out.substr(7));
}

}  // namespace
}  // namespace gatehouse::wire
