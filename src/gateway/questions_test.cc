#include "gateway/questions.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "gateway/parts_test_support.h"

namespace gatehouse::gateway {
namespace {

using testing::Parts;
using wire::Command;

constexpr std::string_view kTom = "a:1:{s:4:\"name\";s:3:\"Tom\";}";

/// An answer of the vectors without its length.
std::string vector(const std::string& name) {
  const auto vectors = wire::load_vectors("gateway_protocol.json");
  for (const auto& each : vectors["replies"]) {
    if (each["name"] == name) return wire::from_hex(each["reply_hex"]).substr(4);
  }
  ADD_FAILURE() << "no such vector: " << name;
  return {};
}

TEST(Questions, IsOnline) {
  Parts parts;
  parts.add(8);
  EXPECT_EQ(parts.ask(Command::is_online, 8), vector("is_online yes"));
  EXPECT_EQ(parts.ask(Command::is_online, 9), vector("is_online no"));
  EXPECT_EQ(parts.ask(Command::is_online, 0), vector("is_online no"));
}

TEST(Questions, CountsAllAndGroups) {
  Parts parts;
  for (const std::uint32_t id : {3U, 8U, 9U})
    parts.add(id, ClientRecord::Stage::handshake);  // counted before their handshake, too
  for (const std::uint32_t id : {3U, 8U}) parts.run(Command::join_group, id, "g1");
  EXPECT_EQ(parts.ask(Command::get_client_count_by_group), vector("count"));
  EXPECT_EQ(parts.ask(Command::get_client_count_by_group, 0, "g1"), "i:2;");
  EXPECT_EQ(parts.ask(Command::get_client_count_by_group, 0, "0"), "i:0;");
  EXPECT_EQ(parts.ask(Command::batch_get_client_count_by_group, 0, R"(["g1","g2"])"), vector("batch_count_of_groups"));
  EXPECT_EQ(parts.ask(Command::batch_get_client_count_by_group, 0, R"(["g1",7,"7","g1","07"])"),
            "a:3:{s:2:\"g1\";i:2;i:7;i:0;s:2:\"07\";i:0;}");
}

TEST(Questions, Sessions) {
  Parts parts;
  parts.add(3);
  parts.add(8);
  EXPECT_EQ(parts.ask(Command::get_session_by_client_id, 8), vector("get_session of a client without one"));
  EXPECT_EQ(parts.ask(Command::get_session_by_client_id, 9), vector("get_session of a client that is gone"));
  parts.run(Command::set_session, 8, kTom);
  EXPECT_EQ(parts.ask(Command::get_all_client_sessions),
            vector("sessions_of_all: connection id => serialized session, or empty"));
  parts.run_vector("update_session");
  EXPECT_EQ(parts.ask(Command::get_session_by_client_id, 8), vector("get_session"));
}

TEST(Questions, SessionsOfAGroup) {
  Parts parts;
  for (const std::uint32_t id : {3U, 8U, 9U}) parts.add(id);
  parts.run(Command::set_session, 8, kTom);
  EXPECT_EQ(parts.ask(Command::get_client_sessions_by_group, 0, "g1"), "a:0:{}");
  for (const std::uint32_t id : {3U, 8U}) parts.run(Command::join_group, id, "g1");
  EXPECT_EQ(parts.ask(Command::get_client_sessions_by_group, 0, "g1"),
            vector("sessions_of_all: connection id => serialized session, or empty"));
}

TEST(Questions, ClientIdsByUid) {
  Parts parts;
  for (const std::uint32_t id : {3U, 8U}) parts.add(id);
  EXPECT_EQ(parts.ask(Command::get_client_id_by_uid, 0, "u1"), vector("client_ids_by_uid, nobody"));
  for (const std::uint32_t id : {3U, 8U}) parts.run(Command::bind_uid, id, "u1");
  EXPECT_EQ(parts.ask(Command::get_client_id_by_uid, 0, "u1"), vector("client_ids_by_uid, connection ids"));
  EXPECT_EQ(parts.ask(Command::batch_get_client_id_by_uid, 0, R"(["u1",42])"), vector("batch_client_ids_by_uid"));
  EXPECT_EQ(parts.ask(Command::batch_get_client_id_by_uid, 0, R"(["u1",42,"42","u1"])"), vector("batch_client_ids_by_uid"));
}

TEST(Questions, ConnectionIdsAreUnsigned) {
  Parts parts(nullptr, 0xfffffff0U);
  parts.add(0xffffffffU);
  parts.run(Command::bind_uid, 0xffffffffU, "u1");
  EXPECT_EQ(parts.ask(Command::get_client_id_by_uid, 0, "u1"), "a:1:{i:0;i:4294967295;}");
  EXPECT_EQ(parts.ask(Command::get_all_client_sessions), "a:1:{i:4294967295;s:0:\"\";}");
}

TEST(Questions, GroupNamesThatLookLikeNumbersAreNumbers) {
  Parts parts;
  parts.add(8);
  EXPECT_EQ(parts.ask(Command::get_group_id_list), "a:0:{}");
  for (const char* name : {"g1", "7", "\xe6\x88\xbf\xe9\x97\xb4"}) parts.run(Command::join_group, 8, name);
  EXPECT_EQ(parts.ask(Command::get_group_id_list), vector("group_ids"));
  parts.run(Command::leave_group, 8, "g1");
  for (const char* name : {"007", "-5", "0.0"}) parts.run(Command::join_group, 8, name);
  // The places of lists that have gone are used again, so the order is any.
  const std::string list = parts.ask(Command::get_group_id_list);
  EXPECT_EQ(list.substr(0, 5), "a:5:{");
  for (const char* part : {"i:7;", "s:3:\"007\";", "i:-5;", "s:3:\"0.0\";"})
    EXPECT_NE(list.find(part), std::string::npos) << list;
}

TEST(Questions, Select) {
  Parts parts;
  for (const std::uint32_t id : {3U, 8U, 9U, 10U}) parts.add(id);
  parts.run(Command::set_session, 8, kTom);
  parts.run(Command::bind_uid, 8, "u1");
  parts.run(Command::join_group, 8, "g1");
  parts.run(Command::join_group, 8, "7");
  const auto select = [&](std::string_view ext) { return parts.ask(Command::select, 0, ext); };

  EXPECT_EQ(select(R"({"fields":["session","uid","groups"],"where":{"connection_id":{"8":8,"9":9}}})"),
            vector("select session, uid, groups"));
  EXPECT_EQ(select(R"({"fields":["uid"],"where":[]})"),
            "a:4:{i:3;a:1:{s:3:\"uid\";N;}i:8;a:1:{s:3:\"uid\";s:2:\"u1\";}i:9;a:1:{s:3:\"uid\";N;}i:10;a:1:{s:3:\"uid\";N;}}");
  const std::string eight = "a:1:{i:8;a:1:{s:3:\"uid\";s:2:\"u1\";}}";
  EXPECT_EQ(select(R"({"fields":["uid"],"where":{"groups":["g1","7"]}})"), eight);  // in both, and there once
  EXPECT_EQ(select(R"({"fields":["uid"],"where":{"groups":[7]}})"), eight);
  EXPECT_EQ(select(R"({"fields":["uid"],"where":{"uid":["u1","u2"]}})"), eight);
  EXPECT_EQ(select(R"({"fields":["uid"],"where":{"connection_id":{"8":8,"99":99}}})"), eight);
  EXPECT_EQ(select(R"({"fields":["uid"],"where":{"groups":["nothing"]}})"), "a:0:{}");
  EXPECT_EQ(select(R"({"fields":["uid"],"where":{"groups":["g1"],"connection_id":{"9":9}}})"),
            "a:2:{i:8;a:1:{s:3:\"uid\";s:2:\"u1\";}i:9;a:1:{s:3:\"uid\";N;}}");
  EXPECT_EQ(select(R"({"fields":[],"where":{"uid":["u1"]}})"), "a:1:{i:8;a:0:{}}");
  EXPECT_EQ(select(R"({"fields":["uid"],"where":{"colour":["red"]}})"), "a:0:{}");
}

TEST(Questions, WhatCannotBeReadIsAnsweredAllTheSame) {
  Parts parts;
  parts.add(8);
  for (const char* ext : {"", "x", "7", "{", "[[1]]", R"({"fields":7})", R"({"fields":["uid"],"where":7})"}) {
    EXPECT_EQ(parts.ask(Command::select, 0, ext), "a:0:{}") << ext;
    if (ext != std::string_view(R"({"fields":7})")) {
      EXPECT_EQ(parts.ask(Command::batch_get_client_id_by_uid, 0, ext), "a:0:{}") << ext;
      EXPECT_EQ(parts.ask(Command::batch_get_client_count_by_group, 0, ext), "a:0:{}") << ext;
    }
  }
}

TEST(Questions, OthersAreNoQuestions) {
  Parts parts;
  for (const int command : {0, 1, 5, 6, 7, 8, 9, 12, 13, 14, 20, 21, 22, 27, 29, 200, 201, 202, 204, 205, 240, 255}) {
    EXPECT_EQ(parts.ask(static_cast<Command>(command), 8), "(none)") << command;
  }
}

TEST(Questions, ALongBatchTakesTimeInProportion) {
  Parts parts;
  std::string ext = "[";
  for (int i = 0; i < 200'000; ++i) ext.append(i == 0 ? "" : ",").append(std::to_string(i));
  ext += "]";
  const auto start = std::chrono::steady_clock::now();
  const std::string answer = parts.ask(Command::batch_get_client_id_by_uid, 0, ext);
  EXPECT_EQ(answer.substr(0, 30), "a:200000:{i:0;a:0:{}i:1;a:0:{}");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));  // comparing each with each takes minutes
}

TEST(Questions, AGatewayOfOursSaysSo) {
  Parts parts;
  EXPECT_EQ(parts.ask(Command::select, 0, R"({"fields":["gatehouse"],"where":{"connection_id":[0]}})"),
            R"(a:1:{s:9:"gatehouse";i:1;})");
}

}  // namespace
}  // namespace gatehouse::gateway
