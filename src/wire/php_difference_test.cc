#include "wire/php_difference.h"

#include <gtest/gtest.h>

#include <string>

#include "wire/php_serialize.h"

namespace gatehouse::wire {
namespace {

using Json = nlohmann::ordered_json;

PhpArray array(const char* json) { return *from_json(Json::parse(json)).array(); }

std::string text(const PhpArray& value) { return to_json(PhpValue(value), true).dump(); }

PhpArray apply(const PhpArray& base, const PhpDifference& change) {
  return replace_recursive(remove_recursive(base, change.removed), change.update);
}

TEST(PhpDifference, DoneAgainItGivesTheSame) {
  const char* const values[] = {"{}",
                                R"({"a":1})",
                                R"({"a":1,"b":2})",
                                R"({"b":2})",
                                R"({"a":{"x":1,"y":[1,2,3]},"b":null})",
                                R"({"a":{"x":2,"y":[9]},"b":[]})",
                                R"({"a":[],"b":{"c":{"d":{}}}})",
                                R"({"a":{"0":"zero","7":"seven"},"1":1.5,"x":"1.5"})",
                                R"([1,2,3])",
                                R"([1])"};
  for (const char* before : values) {
    for (const char* after : values) {
      const PhpArray result = apply(array(before), difference(array(before), array(after)));
      // Keys that are new stand at the end: the order may differ, nothing else.
      const PhpDifference left = difference(result, array(after));
      EXPECT_EQ(left.update.size() + left.removed.size(), 0U) << before << " to " << after << ": " << text(result);
    }
  }
}

TEST(PhpDifference, IsNoMoreThanWhatHasChanged) {
  const PhpDifference none = difference(array(R"({"a":{"b":[1]},"c":0.1})"), array(R"({"c":0.1,"a":{"b":[1]}})"));
  EXPECT_EQ(none.update.size() + none.removed.size(), 0U) << "the order alone is no difference";
  const PhpDifference some = difference(array(R"({"keep":1,"a":{"keep":2,"go":3,"n":4},"gone":5})"),
                                        array(R"({"keep":1,"a":{"keep":2,"n":"4"},"new":{}})"));
  EXPECT_EQ(text(some.update), R"({"a":{"n":"4"},"new":[]})");
  EXPECT_EQ(text(some.removed), R"({"a":{"go":true},"gone":true})");
}

TEST(PhpDifference, WhatOthersHaveDoneMeanwhileStays) {
  const PhpArray before = array(R"({"n":1,"cart":{"apple":1,"pear":2},"old":true})");
  const PhpDifference change = difference(before, array(R"({"n":2,"cart":{"apple":1,"plum":3}})"));
  const PhpArray others = array(R"({"n":1,"cart":{"apple":7,"pear":2,"fig":4},"old":true,"vip":true})");
  EXPECT_EQ(text(apply(others, change)), R"({"n":2,"cart":{"apple":7,"fig":4,"plum":3},"vip":true})");
  // Also when they have made something else of it.
  EXPECT_EQ(text(apply(array(R"({"cart":"none","vip":true})"), change)), R"({"cart":{"plum":3},"vip":true,"n":2})");
  EXPECT_EQ(text(apply(PhpArray(), change)), R"({"n":2,"cart":{"plum":3}})");
}

}  // namespace
}  // namespace gatehouse::wire
