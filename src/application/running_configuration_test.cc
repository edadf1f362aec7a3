#include "application/running_configuration.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

Description with_secret(const std::string& secret, int most = 0) {
  Program program{.name = "p"};
  program.registers.push_back({.secret_key = secret});
  program.gateways.push_back({.name = "web", .listen = "ws://0.0.0.0:1", .secret_key = secret, .max_connections = most});
  return describe(program, {.instance = "p", .run_dir = "/run"}, {});
}

LiveSettings settings(const RunningConfiguration::Step& step, const std::string& role) {
  return LiveSettings::from_json(nlohmann::ordered_json::parse(step.settings.at(role)));
}

TEST(RunningConfiguration, TheSecretOfBeforeIsAcceptedForAnHour) {
  RunningConfiguration running(with_secret("a"));
  auto step = running.prepare(with_secret("b"));
  for (const char* role : {"register:Register", "gateway:web"}) {
    EXPECT_EQ(settings(step, role).options["secret_key"], "b");
    EXPECT_EQ(settings(step, role).old_secret, "a");
    EXPECT_GT(settings(step, role).old_secret_ms(), 3'590'000U);
    EXPECT_LE(settings(step, role).old_secret_ms(), 3'600'000U);
  }
  running.commit(step);
  step = running.prepare(with_secret("b", 5));
  EXPECT_EQ(settings(step, "gateway:web").old_secret, "a") << "another reload does not cut its time short";
  running.commit(step);
  step = running.prepare(with_secret("c", 5));
  EXPECT_EQ(settings(step, "gateway:web").old_secret, "b") << "only the last one";
}

TEST(RunningConfiguration, SaysWhatStillTakesARestart) {
  RunningConfiguration running(with_secret("a"));
  EXPECT_TRUE(running.status()["needs_restart"].empty());
  Description next = with_secret("heron", 9);
  next["gateway"][0]["listen"] = "ws://0.0.0.0:2";
  running.commit(running.prepare(next));
  const auto status = running.status();
  EXPECT_EQ(status["needs_restart"].size(), 1U);
  EXPECT_EQ(status["hash"], next["hash"]);
  EXPECT_EQ(status.dump().find("heron"), std::string::npos);
  running.commit(running.prepare(with_secret("heron", 9)));
  EXPECT_TRUE(running.status()["needs_restart"].empty()) << "it has been taken back";
}

}  // namespace
}  // namespace gatehouse
