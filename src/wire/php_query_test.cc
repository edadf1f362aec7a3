#include "wire/php_query.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>

#include "wire/php_serialize.h"

namespace gatehouse::wire {
namespace {

std::string parsed(std::string_view text) { return serialize(parse_php_query(text)); }

TEST(PhpQuery, ReadsWhatParseStrReads) {
  struct Case {
    const char* query;
    const char* serialized;
  };
  // Made with PHP 8.2: parse_str($query, $result); serialize($result).
  // clang-format off
  const Case cases[] = {
    {"a=1&b=2", "a:2:{s:1:\"a\";s:1:\"1\";s:1:\"b\";s:1:\"2\";}"},
    {"a=1&a=2", "a:1:{s:1:\"a\";s:1:\"2\";}"},
    {"a", "a:1:{s:1:\"a\";s:0:\"\";}"},
    {"a=", "a:1:{s:1:\"a\";s:0:\"\";}"},
    {"a=&b", "a:2:{s:1:\"a\";s:0:\"\";s:1:\"b\";s:0:\"\";}"},
    {"&&a=1&", "a:1:{s:1:\"a\";s:1:\"1\";}"},
    {"=5", "a:0:{}"},
    {"a=b=c", "a:1:{s:1:\"a\";s:3:\"b=c\";}"},
    {"a=%zz%4", "a:1:{s:1:\"a\";s:5:\"%zz%4\";}"},
    {"a=%e4%B8%ad+x%2b", "a:1:{s:1:\"a\";s:6:\"\344\270\255 x+\";}"},
    {"%61=1", "a:1:{s:1:\"a\";s:1:\"1\";}"},
    {"a%00b=1", "a:1:{s:1:\"a\";s:1:\"1\";}"},
    {" a=1", "a:1:{s:1:\"a\";s:1:\"1\";}"},
    {"%20%20a=1", "a:1:{s:1:\"a\";s:1:\"1\";}"},
    {"+=1", "a:0:{}"},
    {".=1", "a:1:{s:1:\"_\";s:1:\"1\";}"},
    {"a.b=1&c d=2&e+f=3", "a:3:{s:3:\"a_b\";s:1:\"1\";s:3:\"c_d\";s:1:\"2\";s:3:\"e_f\";s:1:\"3\";}"},
    {"a%20=1", "a:1:{s:2:\"a_\";s:1:\"1\";}"},
    {"x]=1", "a:1:{s:2:\"x]\";s:1:\"1\";}"},
    {"x[]=1&x[]=2", "a:1:{s:1:\"x\";a:2:{i:0;s:1:\"1\";i:1;s:1:\"2\";}}"},
    {"x[a][b]=2&x[a][c]=3", "a:1:{s:1:\"x\";a:1:{s:1:\"a\";a:2:{s:1:\"b\";s:1:\"2\";s:1:\"c\";s:1:\"3\";}}}"},
    {"x%5Ba%5D=1", "a:1:{s:1:\"x\";a:1:{s:1:\"a\";s:1:\"1\";}}"},
    {"x[=1", "a:1:{s:2:\"x_\";s:1:\"1\";}"},
    {"x[a=1", "a:1:{s:3:\"x_a\";s:1:\"1\";}"},
    {"x[ =1", "a:1:{s:3:\"x__\";s:1:\"1\";}"},
    {"x[a][b=1", "a:1:{s:1:\"x\";a:1:{s:1:\"a\";s:1:\"1\";}}"},
    {"x[][b=1", "a:1:{s:1:\"x\";a:1:{i:0;s:1:\"1\";}}"},
    {"x[a][b.c[d=1", "a:1:{s:1:\"x\";a:1:{s:1:\"a\";s:1:\"1\";}}"},
    {"x[a]b=1", "a:1:{s:1:\"x\";a:1:{s:1:\"a\";s:1:\"1\";}}"},
    {"x[a] [b]=1", "a:1:{s:1:\"x\";a:1:{s:1:\"a\";s:1:\"1\";}}"},
    {"a..b[c.d[e=1", "a:1:{s:10:\"a__b_c_d_e\";s:1:\"1\";}"},
    {"[a]=1", "a:0:{}"},
    {"[]=1", "a:0:{}"},
    {"[[a]=1", "a:0:{}"},
    {"a[[b]=1", "a:1:{s:1:\"a\";a:1:{s:2:\"[b\";s:1:\"1\";}}"},
    {"a[b]]=1", "a:1:{s:1:\"a\";a:1:{s:1:\"b\";s:1:\"1\";}}"},
    {"a.[b.c]=1", "a:1:{s:2:\"a_\";a:1:{s:3:\"b.c\";s:1:\"1\";}}"},
    {"a[b c]=2", "a:1:{s:1:\"a\";a:1:{s:3:\"b c\";s:1:\"2\";}}"},
    {"a[ ]=1", "a:1:{s:1:\"a\";a:1:{i:0;s:1:\"1\";}}"},
    {"a[ b]=1", "a:1:{s:1:\"a\";a:1:{s:2:\" b\";s:1:\"1\";}}"},
    {"a[%0b]=1", "a:1:{s:1:\"a\";a:1:{i:0;s:1:\"1\";}}"},
    {"a[%5D]=1", "a:1:{s:1:\"a\";a:1:{i:0;s:1:\"1\";}}"},
    {"a[b%00c]=1", "a:1:{s:3:\"a_b\";s:1:\"1\";}"},
    {"x=1&x[]=2", "a:1:{s:1:\"x\";a:1:{i:0;s:1:\"2\";}}"},
    {"x[]=1&x=2", "a:1:{s:1:\"x\";s:1:\"2\";}"},
    {"x=1&x[a][b]=2&x=3&x[c]=4", "a:1:{s:1:\"x\";a:1:{s:1:\"c\";s:1:\"4\";}}"},
    {"x[y]=1&x[y][z]=2", "a:1:{s:1:\"x\";a:1:{s:1:\"y\";a:1:{s:1:\"z\";s:1:\"2\";}}}"},
    {"a[][b]=1&a[][b]=2", "a:1:{s:1:\"a\";a:2:{i:0;a:1:{s:1:\"b\";s:1:\"1\";}i:1;a:1:{s:1:\"b\";s:1:\"2\";}}}"},
    {"a[][b]=1&a[b][]=2", "a:1:{s:1:\"a\";a:2:{i:0;a:1:{s:1:\"b\";s:1:\"1\";}s:1:\"b\";a:1:{i:0;s:1:\"2\";}}}"},
    {"7=a&07=b&-3=c&-0=d", "a:4:{i:7;s:1:\"a\";s:2:\"07\";s:1:\"b\";i:-3;s:1:\"c\";s:2:\"-0\";s:1:\"d\";}"},
    {"x[5]=a&x[]=b", "a:1:{s:1:\"x\";a:2:{i:5;s:1:\"a\";i:6;s:1:\"b\";}}"},
    {"x[05]=1", "a:1:{s:1:\"x\";a:1:{s:2:\"05\";s:1:\"1\";}}"},
    {"x[ 5]=1", "a:1:{s:1:\"x\";a:1:{s:2:\" 5\";s:1:\"1\";}}"},
    {"a[-5]=x&a[]=y", "a:1:{s:1:\"a\";a:2:{i:-5;s:1:\"x\";i:-4;s:1:\"y\";}}"},
    {"a[x]=1&a[]=2", "a:1:{s:1:\"a\";a:2:{s:1:\"x\";s:1:\"1\";i:0;s:1:\"2\";}}"},
    {"a[9223372036854775806]=1&a[]=2&a[]=3&b=4", "a:2:{s:1:\"a\";a:2:{i:9223372036854775806;s:1:\"1\";i:9223372036854775807;s:1:\"2\";}s:1:\"b\";s:1:\"4\";}"},
    {"a[9223372036854775807]=1&a[][b]=2&c=3", "a:2:{s:1:\"a\";a:1:{i:9223372036854775807;s:1:\"1\";}s:1:\"c\";s:1:\"3\";}"},
    {"a[9223372036854775808]=1&a[]=2", "a:1:{s:1:\"a\";a:2:{s:19:\"9223372036854775808\";s:1:\"1\";i:0;s:1:\"2\";}}"},
  };
  // clang-format on
  for (const Case& c : cases) EXPECT_EQ(parsed(c.query), c.serialized) << c.query;
  EXPECT_EQ(parsed(""), "a:0:{}");
  EXPECT_EQ(parsed("a=x%00y"), std::string("a:1:{s:1:\"a\";s:3:\"x\0y\";}", 24));
}

TEST(PhpCookies, KeepTheirValuesAsTheyCame) {
  EXPECT_EQ(serialize(parse_cookies("sid=1; theme=dark;a=x&y;;  b =%20+=; none;c[]=1; sid=2;7=n; =nameless")),
            R"(a:7:{s:3:"sid";s:1:"2";s:5:"theme";s:4:"dark";s:1:"a";s:3:"x&y";s:1:"b";s:5:"%20+=";)"
            R"(s:3:"c[]";s:1:"1";i:7;s:1:"n";s:0:"";s:8:"nameless";})");
  EXPECT_EQ(serialize(parse_cookies("")), "a:0:{}");
}

TEST(PhpCookies, AreAsManyAsTheLimitAndNotOneMore) {
  std::string text;
  for (std::size_t i = 0; i <= kMaxQueryVariables; ++i) text += "a" + std::to_string(i) + "=1;";
  EXPECT_EQ(parse_cookies(text).size(), kMaxQueryVariables);
}

TEST(PhpQuery, TakesAsManyVariablesAsTheLimitAndNotOneMore) {
  std::string query;
  for (std::size_t i = 1; i <= kMaxQueryVariables; ++i) query += "a" + std::to_string(i) + "=1&";
  EXPECT_EQ(parse_php_query(query).size(), kMaxQueryVariables);
  const PhpArray result = parse_php_query(query + "one_more=1");
  EXPECT_EQ(result.size(), kMaxQueryVariables);
  EXPECT_EQ(result.find(PhpKey::from_text("one_more")), nullptr);
}

TEST(PhpQuery, CountsVariablesWithoutANameAndNoEmptyPieces) {
  std::string nameless;
  for (std::size_t i = 0; i < kMaxQueryVariables; ++i) nameless += "=&";
  EXPECT_EQ(parse_php_query(nameless + "a=1").size(), 0U);
  EXPECT_EQ(parse_php_query(std::string(2 * kMaxQueryVariables, '&') + "a=1").size(), 1U);
}

TEST(PhpQuery, NestsAsDeepAsTheLimitAndNotDeeper) {
  std::string name = "x";
  for (std::size_t i = 0; i < kMaxQueryNesting; ++i) name += "[a]";
  const PhpArray deepest = parse_php_query(name + "=end&y=1");
  const PhpValue* value = deepest.find(PhpKey::from_text("x"));
  for (std::size_t i = 0; i < kMaxQueryNesting; ++i) {
    ASSERT_NE(value, nullptr);
    ASSERT_NE(value->array(), nullptr) << i;
    value = value->array()->find(PhpKey::from_text("a"));
  }
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(*value, PhpValue("end"));
  EXPECT_EQ(parsed(name + "[a]=end&y=1"), R"(a:1:{s:1:"y";s:1:"1";})");
}

}  // namespace
}  // namespace gatehouse::wire
