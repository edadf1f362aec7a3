#include "application/program_description.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

Program cluster() {
  Program program{.name = "test"};
  program.registers.push_back({.secret_key = "s1"});
  program.gateways.push_back({.name = "web", .listen = "websocket://0.0.0.0:8282", .secret_key = "s1"});
  program.gateways.push_back({.name = "text", .listen = "text://0.0.0.0:8283", .start_port = 3000, .secret_key = "s1"});
  program.workers.push_back({.name = "Chat", .count = 2});
  return program;
}

Description described(const Program& program, Settings settings = {.instance = "test", .run_dir = "/run"}) {
  return describe(program, settings, {{"g.toml", "text"}});
}

/// Lines "effect: what".
std::vector<std::string> changes(const DescriptionPlan& plan) {
  std::vector<std::string> lines;
  for (const DescriptionChange& change : plan.changes)
    lines.push_back(std::string(to_string(change.effect)) + ": " + change.what);
  return lines;
}

using Lines = std::vector<std::string>;

TEST(ProgramDescription, TheSameIsNoChange) {
  const Description running = described(cluster());
  const DescriptionPlan plan = compare(running, described(cluster()));
  EXPECT_EQ(changes(plan), Lines{});
  EXPECT_EQ(plan.effective, running);
}

TEST(ProgramDescription, TheHashIsThatOfTheFile) {
  // printf text | sha256sum
  EXPECT_EQ(described(cluster())["hash"], "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1");
  Program other = cluster();
  EXPECT_EQ(describe(cluster(), {.instance = "a", .run_dir = "/"}, {})["hash"],
            describe(other, {.instance = "a", .run_dir = "/"}, {})["hash"]);
  other.gateways[0].deflate = true;
  EXPECT_NE(describe(cluster(), {.instance = "a", .run_dir = "/"}, {})["hash"],
            describe(other, {.instance = "a", .run_dir = "/"}, {})["hash"]);
}

TEST(ProgramDescription, EachChangeSaysWhatItTakes) {
  Program next = cluster();
  next.gateways[0].max_connections = 100;
  next.gateways[0].listen = "websocket://0.0.0.0:9000";
  next.registers[0].secret_key = next.gateways[0].secret_key = "s2";
  next.workers[0].count = 3;
  Settings settings{.instance = "test", .run_dir = "/other"};
  settings.log_level = "debug";
  const DescriptionPlan plan = compare(described(cluster()), described(next, settings));
  EXPECT_EQ(changes(plan),
            (Lines{"restart: run_dir: \"/other\", was \"/run\"", "live: log_level: \"debug\", was \"info\"",
                   "live: register \"Register\": secret_key: changed",
                   "restart: gateway \"web\": listen: \"websocket://0.0.0.0:9000\", was \"websocket://0.0.0.0:8282\"",
                   "live: gateway \"web\": secret_key: changed", "live: gateway \"web\": max_connections: 100, was 0",
                   "reload: worker \"Chat\": count: 3, was 2"}));
  const Program effective = to_program(plan.effective);
  EXPECT_EQ(effective.gateways[0].listen, "websocket://0.0.0.0:8282") << "what it listens on";
  EXPECT_EQ(effective.gateways[0].max_connections, 100);
  EXPECT_EQ(effective.registers[0].secret_key, "s2");
  EXPECT_EQ(effective.workers[0].count, 3);
  EXPECT_EQ(plan.effective["instance"]["log_level"], "debug");
  EXPECT_EQ(plan.effective["instance"]["run_dir"], "/run");
}

TEST(ProgramDescription, RolesComeAndGoByTheirNames) {
  Program next = cluster();
  std::swap(next.gateways[0], next.gateways[1]);
  EXPECT_EQ(changes(compare(described(cluster()), described(next))), Lines{}) << "the order says nothing";
  next.gateways[1].name = "web2";
  next.gateways.push_back({.name = "more", .listen = "text://0.0.0.0:1", .start_port = 4000});
  next.workers[0].name = "Other";
  const DescriptionPlan plan = compare(described(cluster()), described(next));
  EXPECT_EQ(changes(plan), (Lines{"live: gateway \"web2\" is new", "live: gateway \"more\" is new",
                                  "restart: gateway \"web\" is not there any more", "reload: worker \"Other\" is new",
                                  "reload: worker \"Chat\" is not there any more"}));
  const Program effective = to_program(plan.effective);
  ASSERT_EQ(effective.gateways.size(), 4U);
  EXPECT_EQ(effective.gateways[0].name, "web") << "those that run keep their places";
  EXPECT_EQ(effective.gateways[1].name, "text");
  ASSERT_EQ(effective.workers.size(), 1U);
  EXPECT_EQ(effective.workers[0].name, "Other");
}

TEST(ProgramDescription, MoreProcessesOfAGatewayAreEasyAndFewerAreNot) {
  Program two = cluster();
  two.gateways[0].count = 2;
  EXPECT_EQ(changes(compare(described(cluster()), described(two))), Lines{"live: gateway \"web\": count: 2, was 1"});
  const DescriptionPlan fewer = compare(described(two), described(cluster()));
  EXPECT_EQ(changes(fewer), Lines{"restart: gateway \"web\": count: 1, was 2"});
  EXPECT_EQ(to_program(fewer.effective).gateways[0].count, 2);
}

TEST(ProgramDescription, TheCommandLineOfWhatRunsComesBeforeAnyConfiguration) {
  Settings started{.instance = "test", .run_dir = "/run"};
  started.log_level = "debug";
  started.given = {"log_level"};
  const DescriptionPlan plan = compare(described(cluster(), started), described(cluster()));
  EXPECT_EQ(changes(plan), Lines{});
  EXPECT_EQ(plan.effective["instance"]["log_level"], "debug");
}

TEST(ProgramDescription, NoSecretIsShown) {
  Program next = cluster();
  next.registers[0].secret_key = "heron-7";
  next.gateways[0].secret_key = "heron-7";
  next.workers[0].secret_key = "heron-7";
  for (const std::string& line : changes(compare(described(cluster()), described(next)))) {
    EXPECT_EQ(line.find("heron"), std::string::npos) << line;
  }
}

TEST(ProgramDescription, Summary) {
  EXPECT_EQ(summarize(cluster()), "1 register, 2 gateways and 1 kind of worker (5 processes)");
  Program program;
  program.registers.emplace_back();
  program.gateways.push_back({.count = 2});
  EXPECT_EQ(summarize(program), "1 register and 1 gateway (3 processes)");
}

}  // namespace
}  // namespace gatehouse
