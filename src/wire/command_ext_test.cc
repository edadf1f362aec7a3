#include "wire/command_ext.h"

#include <gtest/gtest.h>

#include <functional>

#include "wire/gateway_protocol.h"
#include "wire/test_vectors.h"

namespace gatehouse::wire {
namespace {

using Ids = std::vector<std::uint32_t>;
using Names = std::vector<std::string>;
using Kind = Recipients::Kind;

Recipients recipients(std::string_view ext) {
  Recipients out;
  EXPECT_TRUE(parse_recipients(ext, out)) << ext;
  return out;
}

GroupTarget group_target(std::string_view ext) {
  GroupTarget out;
  EXPECT_TRUE(parse_group_target(ext, out)) << ext;
  return out;
}

Names names(std::string_view ext) {
  Names out;
  EXPECT_TRUE(parse_names(ext, out)) << ext;
  return out;
}

SelectQuery select(std::string_view ext) {
  SelectQuery out;
  EXPECT_TRUE(parse_select(ext, out)) << ext;
  return out;
}

/// PHP writes 42 for an integer, this side "42": the same after one trip through the reader.
const std::string& with_numbers_as_text(std::string& ext) {
  for (const std::string number : {"42", "7"}) {
    if (const std::size_t at = ext.find("," + number + "]"); at != std::string::npos)
      ext.replace(at + 1, number.size(), '"' + number + '"');
  }
  return ext;
}

TEST(CommandExt, ReadsAndWritesUpstreamsBytes) {
  std::size_t seen = 0;
  const auto vectors = load_vectors("gateway_protocol.json");
  for (const auto& vector : vectors.at("frames")) {
    const auto& fields = vector.at("fields");
    std::string ext = from_hex(fields.at("ext_data_hex"));
    SCOPED_TRACE(vector.at("name").get<std::string>() + " " + ext);
    ++seen;
    switch (static_cast<Command>(fields.at("cmd").get<int>())) {
      case Command::send_to_all: EXPECT_EQ(recipients_ext(recipients(ext)), ext); break;
      case Command::send_to_group: {
        const GroupTarget target = group_target(ext);
        EXPECT_EQ(group_target_ext(target.groups, target.exclude), with_numbers_as_text(ext));
        break;
      }
      case Command::send_to_uid:
      case Command::batch_get_client_id_by_uid:
      case Command::batch_get_client_count_by_group: EXPECT_EQ(names_ext(names(ext)), with_numbers_as_text(ext)); break;
      case Command::select: EXPECT_EQ(select_ext(select(ext)), ext); break;
      default: --seen;
    }
  }
  EXPECT_EQ(seen, 12U);
}

TEST(CommandExt, Recipients) {
  EXPECT_EQ(recipients(""), (Recipients{Kind::all, {}}));
  EXPECT_EQ(recipients("[]"), (Recipients{Kind::all, {}}));
  EXPECT_EQ(recipients("{}"), (Recipients{Kind::all, {}}));
  EXPECT_EQ(recipients(R"({"connections":{"3":3,"8":8}})"), (Recipients{Kind::only, {3, 8}}));
  EXPECT_EQ(recipients(R"({"connections":[0,1]})"), (Recipients{Kind::only, {0, 1}}));
  EXPECT_EQ(recipients(R"({"connections":[]})"), (Recipients{Kind::only, {}}));
  EXPECT_EQ(recipients(R"({"connections":null})"), (Recipients{Kind::all, {}}));
  EXPECT_EQ(recipients(R"({"exclude":{"4294967295":4294967295}})"), (Recipients{Kind::all_but, {4294967295}}));
  EXPECT_EQ(recipients(R"({"exclude":[0,1,2]})"), (Recipients{Kind::all_but, {0, 1, 2}}));
  EXPECT_EQ(recipients(R"({"exclude":[]})"), (Recipients{Kind::all, {}}));
  EXPECT_EQ(recipients(R"({"exclude":null})"), (Recipients{Kind::all, {}}));

  EXPECT_EQ(recipients_ext({Kind::all, {}}), "");
  EXPECT_EQ(recipients_ext({Kind::all_but, {}}), "");
  EXPECT_EQ(recipients_ext({Kind::only, {}}), R"({"connections":[]})");
  EXPECT_EQ(recipients_ext({Kind::only, {1, 0}}), R"({"connections":{"1":1,"0":0}})");
  EXPECT_EQ(recipients_ext({Kind::all_but, {0}}), R"({"exclude":[0]})");
}

TEST(CommandExt, GroupTarget) {
  EXPECT_EQ(group_target(R"({"group":["g1",7],"exclude":null})"), (GroupTarget{{"g1", "7"}, {}}));
  EXPECT_EQ(group_target(R"({"group":{"2":"g1","5":"a"},"exclude":{"8":8}})"), (GroupTarget{{"g1", "a"}, {8}}));
  EXPECT_EQ(group_target(R"({"group":["g1","g1"]})"), (GroupTarget{{"g1", "g1"}, {}}));
  EXPECT_EQ(group_target(R"({"exclude":[],"group":[]})"), (GroupTarget{}));
  EXPECT_EQ(group_target_ext({"g1"}, {}), R"({"group":["g1"],"exclude":null})");
  EXPECT_EQ(group_target_ext({"\u623f/\u95f4"}, {8, 3}), R"({"group":["\u623f\/\u95f4"],"exclude":{"8":8,"3":3}})");
}

TEST(CommandExt, OneNameReadsTheSameWithAndWithoutATree) {
  // Behind a space nothing is read in the short way.
  for (const std::string_view name :
       {"room", "", "0", "a b", "中", "a]", "a,b", "\\u4e2d", "\\\"", "\xff", "\t", "a\"],\"exclude\":null}"}) {
    for (const std::string_view end :
         {",\"exclude\":null}", ",\"exclude\":[]}", ",\"exclude\":[1]}", "}", ",\"exclude\":null", ",x}"}) {
      const std::string ext = "{\"group\":[\"" + std::string(name) + "\"]" + std::string(end);
      GroupTarget plain{{"old", "er"}, {7}};
      GroupTarget tree;
      const bool read = parse_group_target(ext, plain);
      ASSERT_EQ(read, parse_group_target(" " + ext, tree)) << ext;
      if (!read) continue;
      EXPECT_EQ(plain.groups, tree.groups) << ext;
      EXPECT_EQ(plain.exclude, tree.exclude) << ext;
    }
    const std::string ext = "[\"" + std::string(name) + "\"]";
    UidTarget plain{{"old", "er"}, {7}};
    UidTarget tree;
    const bool read = parse_uid_target(ext, plain);
    ASSERT_EQ(read, parse_uid_target(" " + ext, tree)) << ext;
    if (!read) continue;
    EXPECT_EQ(plain.uids, tree.uids) << ext;
    EXPECT_EQ(plain.exclude, tree.exclude) << ext;
  }
}

TEST(CommandExt, Names) {
  EXPECT_EQ(names("[]"), Names{});
  EXPECT_EQ(names(R"(["u1","42","\u623f"])"), (Names{"u1", "42", "\u623f"}));
  EXPECT_EQ(names(R"([42,-3,9223372036854775807,1.5,42.0,null,true,false])"),
            (Names{"42", "-3", "9223372036854775807", "1.5", "42", "", "1", "0"}));
  EXPECT_EQ(names(R"({"1":"a","3":"b"})"), (Names{"a", "b"}));
  EXPECT_EQ(names_ext({}), "[]");
  EXPECT_EQ(names_ext({"u1", "42", "a/b"}), R"(["u1","42","a\/b"])");
  // JSON cannot say these; U+FFFD in their place would be another user's name.
  EXPECT_EQ(names_ext({"\xff", "u1", "\xC0\x80"}), R"(["u1"])");
}

TEST(CommandExt, Select) {
  SelectQuery query;
  query.uid = true;
  EXPECT_EQ(select(R"({"fields":["uid"],"where":[]})"), query);
  EXPECT_EQ(select(R"({"fields":{"3":"uid"},"where":{}})"), query);
  EXPECT_EQ(select(R"({"fields":["uid","password"]})"), query);
  EXPECT_EQ(select(R"({"fields":["uid"],"where":null})"), query);
  EXPECT_EQ(select_ext(query), R"({"fields":["uid"],"where":[]})");

  query = {};
  query.session = query.groups = true;
  query.where_groups = Names{"g1", "7"};
  query.where_uids = Names{"u1"};
  query.where_connections = Ids{8};
  EXPECT_EQ(select(R"({"where":{"connection_id":{"8":8},"uid":["u1"],"groups":{"1":"g1","2":7}},"fields":["groups","session"]})"),
            query);
  EXPECT_EQ(select_ext(query),
            R"({"fields":["session","groups"],"where":{"groups":["g1","7"],"uid":["u1"],"connection_id":{"8":8}}})");
  EXPECT_EQ(select(select_ext(query)), query);

  query = {};
  query.where_connections = Ids{};
  EXPECT_EQ(select(R"({"fields":[],"where":{"connection_id":[]}})"), query);
  EXPECT_EQ(select(select_ext(query)), query);
  EXPECT_EQ(select(R"({"fields":[],"where":{"shoe_size":[44]}})"), query);
}

struct Malformed {
  std::string_view what;
  std::function<bool(std::string_view)> parse;
  std::vector<std::string> texts;
};

TEST(CommandExt, RefusesMalformedText) {
  const Malformed cases[] = {
      {"recipients",
       [](std::string_view ext) {
         Recipients out;
         return parse_recipients(ext, out);
       },
       {"1", "null", "[1]", "{\"connections\":3}", "{\"connections\":[\"3\"]}", "{\"connections\":{\"3\":4}}",
        "{\"connections\":[-1]}", "{\"connections\":[4294967296]}", "{\"connections\":[1.5]}", "{\"connections\":[[3]]}",
        "{\"connections\":{\"x\":3}}", "{\"exclude\":\"8\"}", "{\"exclude\":{\"8\":null}}"}},
      {"group target",
       [](std::string_view ext) {
         GroupTarget out;
         return parse_group_target(ext, out);
       },
       {"", "[]", "{}", "{\"group\":null}", "{\"group\":\"g\"}", "{\"group\":[[]]}", "{\"group\":[\"g\"],\"exclude\":8}"}},
      {"names",
       [](std::string_view ext) {
         Names out;
         return parse_names(ext, out);
       },
       {"", "1", "null", "\"u1\"", "[[]]", "[{}]"}},
      {"select",
       [](std::string_view ext) {
         SelectQuery out;
         return parse_select(ext, out);
       },
       {"", "[]", "{}", "{\"where\":[]}", "{\"fields\":\"uid\"}", "{\"fields\":[],\"where\":[1]}",
        "{\"fields\":[],\"where\":\"x\"}", "{\"fields\":[],\"where\":{\"uid\":\"u1\"}}",
        "{\"fields\":[],\"where\":{\"connection_id\":[\"a\"]}}"}},
  };
  for (const auto& [what, parse, texts] : cases) {
    for (const auto& text : texts) EXPECT_FALSE(parse(text)) << what << ' ' << text;
    for (const char* text : {"{", "[", "]", "{]", "[1", "[1,]", "\xff", "[\"\xff\"]", "a:0:{}"})
      EXPECT_FALSE(parse(text)) << what << ' ' << text;
    EXPECT_FALSE(parse(std::string(100'000, '['))) << what;
    EXPECT_FALSE(parse(std::string(100'000, '[') + std::string(100'000, ']'))) << what;
  }
}

TEST(CommandExt, ReadsManyIdsInReasonableTime) {
  Ids ids;
  for (std::uint32_t id = 100'000; id > 0; --id) ids.push_back(id);
  const Recipients back = recipients(recipients_ext({Kind::only, ids}));
  EXPECT_EQ(back.ids.size(), ids.size());
}

TEST(CommandExt, UidTargets) {
  const auto read = [](std::string_view ext) {
    UidTarget out;
    EXPECT_TRUE(parse_uid_target(ext, out)) << ext;
    return out;
  };
  EXPECT_EQ(uid_target_ext({"u1", "42"}, {}), R"(["u1","42"])") << "upstream's";
  EXPECT_EQ(uid_target_ext({"u1"}, {3, 8}), R"({"uid":["u1"],"exclude":{"3":3,"8":8}})");
  EXPECT_EQ(read(R"(["u1",42])"), (UidTarget{{"u1", "42"}, {}}));
  EXPECT_EQ(read(R"({"1":"u1","uid":"u2"})"), (UidTarget{{"u1", "u2"}, {}})) << "a list of PHP with keys of its own";
  EXPECT_EQ(read(R"({"uid":["u1"],"exclude":{"3":3,"8":8}})"), (UidTarget{{"u1"}, {3, 8}}));
  EXPECT_EQ(read(R"({"uid":["u1"]})"), (UidTarget{{"u1"}, {}}));
  UidTarget out;
  for (const char* bad :
       {"", "x", "7", R"({"uid":[["u1"]]})", R"({"uid":["u1"],"exclude":7})", R"({"uid":["u1"],"exclude":{"3":4}})"}) {
    EXPECT_FALSE(parse_uid_target(bad, out)) << bad;
  }
}

TEST(CommandExt, SelectAsksForTheExtension) {
  const std::string ext = select_ext({.extension = true, .where_connections = Ids{0}});
  EXPECT_EQ(ext, R"({"fields":["gatehouse"],"where":{"connection_id":[0]}})");
  EXPECT_TRUE(select(ext).extension);
}

TEST(CommandExt, PingIntervals) {
  EXPECT_EQ(parse_ping_interval("0"), 0U);
  EXPECT_EQ(parse_ping_interval("30000"), 30'000U);
  EXPECT_EQ(parse_ping_interval(std::to_string(kMostPingIntervalMs)), 4'233'600'000U);
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "1.5", "x", "4233600001", "18446744073709551616"}) {
    EXPECT_FALSE(parse_ping_interval(bad)) << bad;
  }
}

}  // namespace
}  // namespace gatehouse::wire
