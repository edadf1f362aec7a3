#include "link/answers.h"

#include <gatehouse/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/test_vectors.h"

namespace gatehouse::link {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

const GatewayKey kFirst{0x7f000001, 2300};
const GatewayKey kSecond{0x7f000001, 2301};

GatewayAnswer from(GatewayKey gateway, std::string value) { return {gateway, true, std::move(value)}; }

/// A reply of the vectors, without its length.
std::string reply(const std::string& name) {
  const auto vectors = wire::load_vectors("gateway_protocol.json");
  for (const auto& each : vectors["replies"]) {
    if (each["name"] == name) return wire::from_hex(each["reply_hex"]).substr(4);
  }
  throw std::out_of_range(name);
}

TEST(Answers, OfOneClient) {
  EXPECT_TRUE(is_online({from(kFirst, reply("is_online yes"))}));
  EXPECT_FALSE(is_online({from(kFirst, reply("is_online no"))}));
  EXPECT_FALSE(is_online({})) << "its gateway is not in the cluster";
  EXPECT_TRUE(session_of({from(kFirst, reply("get_session of a client that is gone"))}).is_null());
  EXPECT_EQ(session_of({from(kFirst, reply("get_session of a client without one"))}), Value::object());
  EXPECT_EQ(session_of({from(kFirst, reply("get_session"))}), (Value{{"name", "Tom"}, {"n", 2}}));
  EXPECT_TRUE(session_of({}).is_null());
  const Answers found{from(kFirst, R"(a:1:{i:8;a:2:{s:3:"uid";s:2:"u1";s:6:"groups";a:2:{s:2:"g1";s:2:"g1";i:7;s:1:"7";}}})")};
  EXPECT_EQ(uid_of(found), "u1");
  EXPECT_THAT(groups_of(found), ElementsAre("g1", "7"));
  const Answers without{from(kFirst, R"(a:1:{i:8;a:2:{s:3:"uid";N;s:6:"groups";N;}})")};
  EXPECT_EQ(uid_of(without), std::nullopt);
  EXPECT_THAT(groups_of(without), IsEmpty());
  EXPECT_EQ(uid_of({from(kFirst, "a:0:{}")}), std::nullopt);
}

TEST(Answers, AreMergedOverGateways) {
  EXPECT_THAT(client_ids_of_uid({from(kFirst, reply("client_ids_by_uid, connection ids")), from(kSecond, "a:1:{i:0;i:3;}")}),
              ElementsAre("7f00000108fc00000003", "7f00000108fc00000008", "7f00000108fd00000003"));
  EXPECT_EQ(client_count({from(kFirst, reply("count")), from(kSecond, "i:4;")}), 7U);
  EXPECT_EQ(client_count({}), 0U);
  EXPECT_THAT(group_ids({from(kFirst, reply("group_ids")), from(kSecond, R"(a:2:{i:0;i:7;i:1;s:2:"g2";})")}),
              ElementsAre("g1", "7", "房间", "g2"));
}

// Upstream loses the clients behind the first one without a uid (upstream-behaviour 5c.10).
TEST(Answers, ClientsWithoutAUidHideNoOthers) {
  const Answers answers{from(kFirst, R"(a:3:{i:1;a:1:{s:3:"uid";N;}i:2;a:1:{s:3:"uid";s:1:"a";}i:3;a:1:{s:3:"uid";s:1:"a";}})"),
                        from(kSecond, R"(a:1:{i:1;a:1:{s:3:"uid";s:1:"b";}})")};
  EXPECT_THAT(uids(answers), ElementsAre("a", "b"));
  EXPECT_THAT(client_ids(answers),
              ElementsAre("7f00000108fc00000001", "7f00000108fc00000002", "7f00000108fc00000003", "7f00000108fd00000001"));
}

TEST(Answers, SessionsAreTextWithinTheAnswer) {
  const auto all = sessions({from(kFirst, reply("sessions_of_all: connection id => serialized session, or empty")),
                             from(kSecond, R"(a:1:{i:1;s:7:"O:1:"x"";})")});
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all.at("7f00000108fc00000003"), Value::object());
  EXPECT_EQ(all.at("7f00000108fc00000008"), (Value{{"name", "Tom"}}));
  EXPECT_EQ(all.at("7f00000108fd00000001"), Value::object()) << "an object is never built";
}

TEST(Answers, AMissingOrUnreadableOneIsNamed) {
  const auto gateways_of = [](const Answers& answers) {
    try {
      client_count(answers);
    } catch (const Error& error) {
      return error.gateways();
    }
    return std::vector<std::string>{"nothing was thrown"};
  };
  EXPECT_THAT(gateways_of({from(kFirst, "i:1;"), {kSecond, false, {}}}), ElementsAre("127.0.0.1:2301"));
  EXPECT_THAT(gateways_of({{kFirst, false, {}}, {kSecond, false, {}}}), ElementsAre("127.0.0.1:2300", "127.0.0.1:2301"));
  EXPECT_THAT(gateways_of({from(kFirst, "i:1"), from(kSecond, "i:1;")}), ElementsAre("127.0.0.1:2300"));
  EXPECT_THAT(gateways_of({from(kFirst, "N;")}), ElementsAre("127.0.0.1:2300"));
  EXPECT_THAT(gateways_of({GatewayAnswer{}}), IsEmpty());
  EXPECT_THROW(group_ids({from(kFirst, "i:1;")}), Error);
  EXPECT_THROW(sessions({from(kFirst, "i:1;")}), Error);
}

TEST(Answers, AboutSeveralNameAllThatWereAskedAbout) {
  const Answers of_uids{from(kFirst, R"(a:2:{s:2:"u1";a:2:{i:0;i:3;i:1;i:8;}i:7;a:1:{i:0;i:9;}})"),
                        from(kSecond, R"(a:1:{i:7;a:1:{i:0;i:1;}})")};
  EXPECT_THAT(
      client_ids_of_uids(of_uids, {"u1", "7", "u3"}),
      UnorderedElementsAre(Pair("u1", ElementsAre("7f00000108fc00000003", "7f00000108fc00000008")),
                           Pair("7", ElementsAre("7f00000108fc00000009", "7f00000108fd00000001")), Pair("u3", IsEmpty())));
  EXPECT_THAT(are_uids_online(of_uids, {"u1", "u3", "7"}),
              UnorderedElementsAre(Pair("u1", true), Pair("7", true), Pair("u3", false)));
  const Answers of_groups{from(kFirst, R"(a:2:{s:1:"g";i:2;i:7;i:1;})"), from(kSecond, R"(a:2:{s:1:"g";i:3;i:7;i:0;})")};
  EXPECT_THAT(client_counts(of_groups, {"g", "7", "none"}), UnorderedElementsAre(Pair("g", 5U), Pair("7", 1U), Pair("none", 0U)));
  EXPECT_THROW(client_counts({from(kFirst, R"(a:1:{s:1:"g";s:1:"2";})")}, {"g"}), Error);
}

// Upstream's loops over all groups end at the first client without any (upstream-behaviour 5c.10).
TEST(Answers, AboutAllGroupsLoseNobody) {
  const Answers answers{
      from(
          kFirst,
          R"(a:3:{i:1;a:2:{s:3:"uid";N;s:6:"groups";N;}i:2;a:2:{s:3:"uid";s:1:"a";s:6:"groups";a:2:{s:1:"g";s:1:"g";i:7;s:1:"7";}})"
          R"(i:3;a:2:{s:3:"uid";N;s:6:"groups";a:1:{s:1:"g";s:1:"g";}}})"),
      from(kSecond, R"(a:1:{i:1;a:2:{s:3:"uid";s:1:"a";s:6:"groups";a:1:{s:1:"g";s:1:"g";}}})")};
  EXPECT_THAT(clients_by_group(answers),
              UnorderedElementsAre(Pair("g", ElementsAre("7f00000108fc00000002", "7f00000108fc00000003", "7f00000108fd00000001")),
                                   Pair("7", ElementsAre("7f00000108fc00000002"))));
  EXPECT_THAT(uids_by_group(answers), UnorderedElementsAre(Pair("g", ElementsAre("a")), Pair("7", ElementsAre("a"))));
  EXPECT_THAT(client_counts_by_group(answers), UnorderedElementsAre(Pair("g", 3U), Pair("7", 1U)));
  EXPECT_THAT(uid_counts_by_group(answers), UnorderedElementsAre(Pair("g", 1U), Pair("7", 1U)));
}

}  // namespace
}  // namespace gatehouse::link
