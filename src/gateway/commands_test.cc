#include "gateway/commands.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "gateway/parts_test_support.h"

namespace gatehouse::gateway {
namespace {

using testing::close_frame;
using testing::Parts;
using testing::text;
using wire::Command;
using enum Commands::Outcome;
namespace flag = wire::flag;

TEST(Commands, SendsToOne) {
  Parts parts;
  parts.add(8);
  parts.add(9);
  EXPECT_EQ(parts.run_vector("send_to_one"), done);
  EXPECT_EQ(parts.received(8), text("hi"));
  EXPECT_EQ(parts.run_vector("send_to_one, raw"), done);
  EXPECT_EQ(parts.received(8), "\x81\x02hi");
  EXPECT_EQ(parts.run_vector("send_to_one, integer body"), done);
  EXPECT_EQ(parts.received(8), text("42"));
  EXPECT_EQ(parts.run(Command::send_to_one, 8, {}, ""), done);
  EXPECT_EQ(parts.received(8), text(""));
  EXPECT_EQ(parts.run(Command::send_to_one, 8, {}, "b\xff", flag::kScalar | flag::kBinary), done);
  EXPECT_EQ(parts.run(Command::send_to_one, 8, {}, "no key", flag::kScalar | flag::kKeyed), Commands::Outcome::malformed);
  EXPECT_EQ(parts.run(Command::send_to_all, 0, {}, "", flag::kScalar | flag::kKeyed), Commands::Outcome::malformed);
  EXPECT_EQ(parts.received(8),
            "\x82\x02"
            "b\xff");
  EXPECT_EQ(parts.received(9), "");
}

TEST(Commands, ShowsArraysAsJson) {
  Parts parts;
  parts.add(8);
  EXPECT_EQ(parts.run_vector("send_to_one, array body"), done);
  EXPECT_EQ(parts.received(8), text(R"({"a":1,"b":[true,null]})"));
  // json_encode(JSON_UNESCAPED_UNICODE): characters stay as they are, what is no character is replaced.
  EXPECT_EQ(parts.run(Command::send_to_one, 8, {}, "a:1:{i:0;s:6:\"\xe6\x88\xbf\xe9\x97\xb4\";}", 0), done);
  EXPECT_EQ(parts.received(8), text("[\"\xe6\x88\xbf\xe9\x97\xb4\"]"));
  EXPECT_EQ(parts.run(Command::send_to_one, 8, {}, "a:1:{i:0;s:1:\"\xff\";}", 0), done);
  EXPECT_EQ(parts.received(8), text("[\"\xef\xbf\xbd\"]"));
  EXPECT_EQ(parts.run(Command::send_to_one, 8, {}, "s:2:\"hi\";", 0), done);
  EXPECT_EQ(parts.received(8), text("hi"));
  EXPECT_EQ(parts.run(Command::send_to_one, 8, {}, "N;", 0), done);
  EXPECT_EQ(parts.received(8), "");
}

TEST(Commands, SendsNothingOfWhatCannotBeRead) {
  Parts parts;
  parts.add(8);
  for (const char* body : {"", "a:1:{", "O:8:\"stdClass\":0:{}", "a:99999999:{}", "s:9:\"hi\";", "hi"}) {
    EXPECT_EQ(parts.run(Command::send_to_one, 8, {}, body, 0), malformed) << body;
    EXPECT_EQ(parts.run(Command::send_to_all, 0, {}, body, 0), malformed) << body;
    EXPECT_EQ(parts.run(Command::kick, 8, {}, body, 0), malformed) << body;
  }
  for (const char* ext : {"x", "{", "[8]", "7", R"({"connections":7})", R"({"exclude":{"8":9}})", R"({"connections":{"x":1}})"}) {
    EXPECT_EQ(parts.run(Command::send_to_all, 0, ext, "hi"), malformed) << ext;
  }
  for (const char* ext : {"", "x", "[]", "{}", R"({"group":7})", R"({"group":["g"],"exclude":7})"}) {
    EXPECT_EQ(parts.run(Command::send_to_group, 0, ext, "hi"), malformed) << ext;
  }
  for (const char* ext : {"", "u1", "7", R"([["u1"]])"})
    EXPECT_EQ(parts.run(Command::send_to_uid, 0, ext, "hi"), malformed) << ext;
  EXPECT_TRUE(parts.online(8));
  EXPECT_EQ(parts.received(8), "");
}

TEST(Commands, SendsToAllToSomeAndToAllButSome) {
  Parts parts(nullptr, 0xffffffffU);  // so that the ids 0xffffffff, 1, 3 and 8 are used
  for (const std::uint32_t id : {0xffffffffU, 1U, 3U, 8U}) parts.add(id);
  const auto expect = [&](std::string_view to_last, std::string_view to_1, std::string_view to_3, std::string_view to_8) {
    EXPECT_EQ(parts.received(0xffffffffU), to_last);
    EXPECT_EQ(parts.received(1), to_1);
    EXPECT_EQ(parts.received(3), to_3);
    EXPECT_EQ(parts.received(8), to_8);
  };
  EXPECT_EQ(parts.run_vector("send_to_all"), done);
  expect(text("all"), text("all"), text("all"), text("all"));
  EXPECT_EQ(parts.run_vector("send_to_all, chosen connections"), done);
  expect("", "", text("some"), text("some"));
  EXPECT_EQ(parts.run_vector("send_to_all, connections numbered from zero"), done);
  expect("", text("some"), "", "");
  EXPECT_EQ(parts.run_vector("send_to_all, excluded connections"), done);
  expect(text("most"), text("most"), text("most"), "");
  EXPECT_EQ(parts.run(Command::send_to_all, 0, R"({"exclude":{"8":8,"1":1,"4294967295":4294967295}})", "x"), done);
  expect("", "", text("x"), "");
  EXPECT_EQ(parts.run(Command::send_to_all, 0, R"({"connections":[]})", "x"), done);
  EXPECT_EQ(parts.run(Command::send_to_all, 0, {}, "N;", 0), done);
  expect("", "", "", "");
  EXPECT_EQ(parts.run(Command::send_to_all, 0, R"({"exclude":[]})", "\x81\x01r", flag::kScalar | flag::kRaw), done);
  expect("\x81\x01r", "\x81\x01r", "\x81\x01r", "\x81\x01r");
}

TEST(Commands, SendsToUids) {
  Parts parts;
  for (const std::uint32_t id : {3U, 8U, 9U}) parts.add(id);
  parts.run_vector("bind_uid");  // 8 is u1
  parts.run(Command::bind_uid, 3, "u1");
  parts.run(Command::bind_uid, 9, "42");
  EXPECT_EQ(parts.run_vector("send_to_uid"), done);  // ["u1",42]
  EXPECT_EQ(parts.received(3), text("to you"));
  EXPECT_EQ(parts.received(8), text("to you"));
  EXPECT_EQ(parts.received(9), text("to you"));
  EXPECT_EQ(parts.run(Command::send_to_uid, 0, R"(["nobody"])", "x"), done);
  EXPECT_EQ(parts.received(3), "");
}

TEST(Commands, AMemberOfTwoNamedGroupsGetsAMessageTwice) {
  Parts parts;
  parts.add(8);
  parts.add(9);
  parts.run(Command::join_group, 8, "g1");
  parts.run(Command::join_group, 8, "7");
  parts.run(Command::join_group, 9, "7");
  EXPECT_EQ(parts.run_vector("send_to_group"), done);  // "g1" and the number 7
  EXPECT_EQ(parts.received(8), text("room") + text("room"));
  EXPECT_EQ(parts.received(9), text("room"));
  EXPECT_EQ(parts.run_vector("send_to_group, excluding"), done);
  EXPECT_EQ(parts.received(8), "");
  EXPECT_EQ(parts.run(Command::send_to_group, 0, R"({"group":["7","07"],"exclude":{"9":9,"1":1}})", "x"), done);
  EXPECT_EQ(parts.received(8), text("x"));
  EXPECT_EQ(parts.received(9), "");
}

TEST(Commands, KickSaysTheLastWordsAndCloses) {
  struct Case {
    std::string body;
    std::uint8_t flags;
    std::string words;
  };
  for (const Case& each : {Case{"bye", flag::kScalar, text("bye")}, Case{"N;", 0, ""}, Case{"", flag::kScalar, text("")},
                           Case{"a:1:{i:0;i:1;}", 0, text("[1]")}, Case{"\x81\x01r", flag::kScalar | flag::kRaw, "\x81\x01r"}}) {
    Parts parts;
    parts.add(8);
    parts.run(Command::send_to_one, 8, {}, "before");
    EXPECT_EQ(parts.run(Command::kick, 8, {}, each.body, each.flags), done);
    EXPECT_FALSE(parts.online(8));
    EXPECT_EQ(parts.run(Command::send_to_one, 8, {}, "after"), done);
    EXPECT_EQ(parts.received(8), text("before") + each.words + close_frame(1000));
    EXPECT_TRUE(parts.ended(8));
  }
}

TEST(Commands, KickOfAStreamClientHasNoCloseFrame) {
  Parts parts(wire::make_stream_protocol("text"));
  parts.add(8);
  EXPECT_EQ(parts.run_vector("kick with last words"), done);
  EXPECT_EQ(parts.received(8), "bye\n");
  EXPECT_TRUE(parts.ended(8));
}

TEST(Commands, DestroyDropsWhatIsQueued) {
  Parts parts;
  parts.add(8);
  parts.run(Command::send_to_one, 8, {}, "never");
  EXPECT_EQ(parts.run_vector("destroy"), done);
  EXPECT_FALSE(parts.online(8));
  EXPECT_EQ(parts.received(8), "");
  EXPECT_TRUE(parts.ended(8));
}

TEST(Commands, WhoeverHasGoneIsPassedOver) {
  Parts parts;
  parts.add(7);
  const std::uint64_t failures = parts.clients.send_failures();
  for (const Command command :
       {Command::send_to_one, Command::kick, Command::destroy, Command::set_session, Command::update_session, Command::bind_uid,
        Command::unbind_uid, Command::join_group, Command::leave_group, Command::merge_session}) {
    EXPECT_EQ(parts.run(command, 8, "x", "x"), done) << static_cast<int>(command);
    EXPECT_EQ(parts.run(command, 0, "x", "x"), done) << static_cast<int>(command);
  }
  EXPECT_EQ(parts.clients.send_failures(), failures + 2);
  EXPECT_EQ(parts.directory.groups().size(), 0U);
  EXPECT_EQ(parts.directory.uids().size(), 0U);
  EXPECT_EQ(parts.run(Command::send_to_all, 0, R"({"connections":{"8":8}})", "x"), done);
  EXPECT_EQ(parts.run(Command::ungroup, 0, "nothing"), done);
  EXPECT_EQ(parts.received(7), "");
}

TEST(Commands, ZeroIsAnEmptyNameAndOtherNoughtsAreNot) {
  Parts parts;
  parts.add(8);
  for (const char* name : {"", "0"}) {
    EXPECT_EQ(parts.run(Command::bind_uid, 8, name), malformed);
    EXPECT_EQ(parts.run(Command::join_group, 8, name), malformed);
  }
  EXPECT_EQ(parts.uid(8), "");
  EXPECT_EQ(parts.directory.groups().size(), 0U);
  for (const char* name : {"0.0", "00", " ", "-0"}) {
    EXPECT_EQ(parts.run(Command::bind_uid, 8, name), done);
    EXPECT_EQ(parts.uid(8), name);
    EXPECT_EQ(parts.run(Command::join_group, 8, name), done);
    EXPECT_EQ(parts.members(name), 1U);
  }
}

TEST(Commands, BindsAndUnbindsUids) {
  Parts parts;
  parts.add(8);
  EXPECT_EQ(parts.run_vector("bind_uid"), done);
  EXPECT_EQ(parts.uid(8), "u1");
  EXPECT_EQ(parts.run(Command::bind_uid, 8, "u2"), done);
  EXPECT_EQ(parts.uid(8), "u2");
  EXPECT_EQ(parts.run_vector("unbind_uid"), done);  // of u1, but upstream does not look at the name
  EXPECT_EQ(parts.uid(8), "");
}

TEST(Commands, JoinsLeavesAndUngroups) {
  Parts parts;
  parts.add(8);
  parts.add(9);
  EXPECT_EQ(parts.run_vector("join_group"), done);
  EXPECT_EQ(parts.members("\xe6\x88\xbf\xe9\x97\xb4"), 1U);
  parts.run(Command::join_group, 8, "g1");
  parts.run(Command::join_group, 8, "g1");
  parts.run(Command::join_group, 9, "g1");
  EXPECT_EQ(parts.members("g1"), 2U);
  EXPECT_EQ(parts.run_vector("leave_group"), done);
  EXPECT_EQ(parts.members("g1"), 1U);
  parts.run(Command::join_group, 8, "g1");
  EXPECT_EQ(parts.run_vector("ungroup"), done);
  EXPECT_EQ(parts.members("g1"), 0U);
  EXPECT_EQ(parts.members("\xe6\x88\xbf\xe9\x97\xb4"), 1U);
}

TEST(Commands, WhoLeavesLeavesItsGroupsAndUid) {
  Parts parts;
  parts.add(8);
  parts.run(Command::join_group, 8, "g1");
  parts.run(Command::bind_uid, 8, "u1");
  parts.run(Command::destroy, 8);
  EXPECT_EQ(parts.members("g1"), 0U);
  EXPECT_EQ(parts.directory.uids().size(), 0U);
}

TEST(Commands, MergesSessions) {
  const auto vectors = wire::load_vectors("php_serialize.json");
  ASSERT_GE(vectors["merges"].size(), 5U);
  for (const auto& each : vectors["merges"]) {
    Parts parts;
    parts.add(8);
    EXPECT_EQ(parts.run(Command::set_session, 8, wire::from_hex(each["session_hex"])), done);
    EXPECT_EQ(parts.run(Command::update_session, 8, wire::from_hex(each["update_hex"])), done);
    EXPECT_EQ(wire::to_hex(parts.session(8)), each["result_hex"].get<std::string>()) << each;
  }
}

TEST(Commands, SessionsThatAreNoneAreReplacedAndChangesThatAreNoneAreRefused) {
  Parts parts;
  parts.add(8);
  EXPECT_EQ(parts.run_vector("update_session"), done);  // of none
  EXPECT_EQ(parts.session(8), "a:1:{s:1:\"n\";i:2;}");
  EXPECT_EQ(parts.run_vector("set_session"), done);
  EXPECT_EQ(parts.session(8), "a:2:{s:4:\"name\";s:3:\"Tom\";s:1:\"n\";i:1;}");
  for (const char* changes : {"", "i:1;", "a:1:{", "O:1:\"A\":0:{}"}) {
    EXPECT_EQ(parts.run(Command::update_session, 8, changes), malformed) << changes;
  }
  EXPECT_EQ(parts.session(8), "a:2:{s:4:\"name\";s:3:\"Tom\";s:1:\"n\";i:1;}");
  EXPECT_EQ(parts.run(Command::set_session, 8, "i:5;"), done);
  EXPECT_EQ(parts.run_vector("update_session"), done);
  EXPECT_EQ(parts.session(8), "a:1:{s:1:\"n\";i:2;}");
  EXPECT_EQ(parts.run(Command::set_session, 8, ""), done);
  EXPECT_EQ(parts.session(8), "");
}

TEST(Commands, MergesWhatAHandlerHasChanged) {
  Parts parts;
  parts.add(8);
  const std::string change = R"(a:2:{i:0;a:2:{s:1:"a";b:1;s:1:"b";a:1:{s:1:"c";b:1;}}i:1;a:1:{s:1:"n";i:2;}})";
  EXPECT_EQ(parts.run(Command::merge_session, 8, change), done);
  EXPECT_EQ(parts.session(8), R"(a:1:{s:1:"n";i:2;})");
  EXPECT_EQ(parts.run(Command::set_session, 8, R"(a:3:{s:1:"a";i:1;s:1:"b";a:2:{s:1:"c";i:1;s:1:"d";i:2;}s:3:"vip";b:1;})"),
            done);
  EXPECT_EQ(parts.run(Command::merge_session, 8, change), done);
  const std::string merged = R"(a:3:{s:1:"b";a:1:{s:1:"d";i:2;}s:3:"vip";b:1;s:1:"n";i:2;})";
  EXPECT_EQ(parts.session(8), merged);
  for (const char* bad : {"", "i:1;", "a:0:{}", "a:1:{i:0;a:0:{}}", "a:2:{i:0;i:1;i:1;a:0:{}}", "a:2:{i:0;a:0:{}i:1;N;}"}) {
    EXPECT_EQ(parts.run(Command::merge_session, 8, bad), malformed) << bad;
  }
  EXPECT_EQ(parts.session(8), merged);
}

TEST(Commands, SessionsThatOnlyPhpCanReadAreKeptAsTheyAre) {
  Parts parts;
  parts.add(8);
  for (const char* session : {"a:1:{s:1:\"u\";O:4:\"User\":0:{}}", "a:2:{i:0;a:0:{}i:1;R:1;}", "a:1:{i:0;E:6:\"Suit:A\";}"}) {
    EXPECT_EQ(parts.run(Command::set_session, 8, session), done);
    EXPECT_EQ(parts.run_vector("update_session"), malformed);
    EXPECT_EQ(parts.run(Command::merge_session, 8, "a:2:{i:0;a:0:{}i:1;a:0:{}}"), malformed);
    EXPECT_EQ(parts.session(8), session);
  }
}

TEST(Commands, OthersAreUnknownAndPingsAreTaken) {
  Parts parts;
  EXPECT_EQ(parts.run_vector("ping"), done);
  for (const int command : {0, 1, 2, 3, 4, 10, 11, 15, 29, 100, 200, 202, 203, 205, 240, 255}) {
    EXPECT_EQ(parts.run(static_cast<Command>(command), 8), unknown) << command;
  }
}

TEST(Commands, WaitsForTheHandshake) {
  Parts parts;
  const std::uint32_t waits = parts.add(8, ClientRecord::Stage::handshake);
  parts.add(9);
  parts.run(Command::send_to_one, 8, {}, "one");
  parts.run(Command::send_to_all, 0, {}, "all");
  parts.run(Command::send_to_one, 8, {}, "\x81\x01r", flag::kScalar | flag::kRaw);
  parts.run(Command::send_to_one, 8, {}, "b", flag::kScalar | flag::kBinary);
  EXPECT_EQ(parts.received(8), "");
  EXPECT_EQ(parts.received(9), text("all"));
  parts.clients.open(waits);
  EXPECT_EQ(parts.received(8), text("one") + text("all") + "\x81\x01r" +
                                   "\x82\x01"
                                   "b");
  EXPECT_EQ(parts.clients.messages_sent(), 5U);
}

class Unspeakable : public Protocol {
 public:
  [[nodiscard]] Input input(std::string_view buffer, std::size_t) const override { return Input::frame(buffer.size()); }
  [[nodiscard]] std::string_view decode(std::string_view frame) const override { return frame; }
  void encode(std::string_view message, std::string& out) const override {
    out += "half";
    if (message == "bad") throw std::runtime_error("cannot say that");
    out.assign(message);
  }
};

TEST(Commands, AProtocolThatThrowsCostsTheMessageOnly) {
  Parts parts(std::make_unique<Unspeakable>());
  parts.add(8);
  parts.add(9);
  const std::uint64_t failures = parts.clients.send_failures();
  EXPECT_EQ(parts.run(Command::send_to_one, 8, {}, "bad"), done);
  EXPECT_EQ(parts.run(Command::send_to_all, 0, {}, "bad"), done);
  EXPECT_EQ(parts.clients.send_failures(), failures + 3);
  EXPECT_EQ(parts.run(Command::send_to_all, 0, {}, "good"), done);
  EXPECT_EQ(parts.received(8), "good");
  EXPECT_EQ(parts.received(9), "good");
}

TEST(Commands, RawMessagesOfNoBytesAreNothing) {
  Parts parts;
  parts.add(8);
  EXPECT_EQ(parts.run(Command::send_to_all, 0, {}, "", flag::kScalar | flag::kRaw), done);
  EXPECT_EQ(parts.run(Command::send_to_one, 8, {}, "", flag::kScalar | flag::kRaw), done);
  EXPECT_EQ(parts.received(8), "");
}

TEST(Commands, SendsToUidsExceptSome) {
  Parts parts;
  for (const std::uint32_t id : {3U, 5U, 8U}) {
    parts.add(id);
    parts.run(Command::bind_uid, id, id == 8 ? "u2" : "u1");
  }
  EXPECT_EQ(parts.run(Command::send_to_uid, 0, R"({"uid":["u1","u2"],"exclude":{"5":5,"3000":3000}})", "hi"), done);
  EXPECT_EQ(parts.received(3), text("hi"));
  EXPECT_EQ(parts.received(5), "");
  EXPECT_EQ(parts.received(8), text("hi"));
  EXPECT_EQ(parts.run(Command::send_to_uid, 0, R"({"uid":["u1"],"exclude":{"5":6}})", "hi"), malformed);
}

TEST(Commands, KicksAllClientsOfAUid) {
  Parts parts;
  for (const std::uint32_t id : {3U, 5U, 8U, 9U}) {
    parts.add(id);
    parts.run(Command::bind_uid, id, id == 8 ? "u2" : id == 9 ? "u3" : "u1");
  }
  EXPECT_EQ(parts.run(Command::kick_uid, 0, "nobody", "bye"), done);
  EXPECT_EQ(parts.run(Command::kick_uid, 0, "u1", "s:3", 0), malformed);
  EXPECT_TRUE(parts.online(3));
  EXPECT_EQ(parts.run(Command::kick_uid, 0, "u1", "bye"), done);
  for (const std::uint32_t id : {3U, 5U}) {
    EXPECT_FALSE(parts.online(id));
    EXPECT_EQ(parts.received(id).substr(0, 5), text("bye"));
  }
  EXPECT_TRUE(parts.online(8));
  EXPECT_EQ(parts.run(Command::kick_uid, 0, "u2", "N;", 0), done);
  EXPECT_FALSE(parts.online(8));
  EXPECT_EQ(parts.received(8).find("bye"), std::string::npos);
  EXPECT_TRUE(parts.online(9));
}

}  // namespace
}  // namespace gatehouse::gateway
