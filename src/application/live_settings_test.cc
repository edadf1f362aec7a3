#include "application/live_settings.h"

#include <gtest/gtest.h>

#include <chrono>

#include "application/program_description.h"

namespace gatehouse {
namespace {

std::int64_t in_ms(std::int64_t ms) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count() + ms;
}

TEST(LiveSettings, OnlyWhatIsLiveIsHandedOn) {
  Program program{.name = "p"};
  program.gateways.push_back({.listen = "ws://127.0.0.1:1", .secret_key = "s", .max_connections = 7});
  Settings settings{.instance = "i", .run_dir = "/run"};
  settings.log_level = "debug";
  const Description description = describe(program, settings, {});
  LiveSettings live;
  live.instance = live_instance(description["instance"]);
  live.options = live_options(RoleKind::gateway, description["gateway"][0]);
  live.old_secret = "before";
  live.old_until_unix_ms = in_ms(60'000);
  const auto read = LiveSettings::from_json(nlohmann::ordered_json::parse(live.to_text()));
  EXPECT_FALSE(read.options.contains("listen"));
  EXPECT_FALSE(read.instance.contains("run_dir"));
  EXPECT_EQ(read.old_secret, "before");

  Program started{.name = "p"};
  started.gateways.push_back({.listen = "ws://127.0.0.1:2"});
  Settings own{.instance = "i", .run_dir = "/elsewhere"};
  read.apply_to(started, RoleKind::gateway, 0);
  read.apply_to(own);
  EXPECT_EQ(started.gateways[0].listen, "ws://127.0.0.1:2");
  EXPECT_EQ(started.gateways[0].max_connections, 7);
  EXPECT_EQ(started.gateways[0].secret_key, "s");
  EXPECT_EQ(own.log_level, "debug");
  EXPECT_EQ(own.run_dir, "/elsewhere");
}

TEST(LiveSettings, TheTimeOfTheOldSecretIsBounded) {
  LiveSettings live;
  EXPECT_EQ(live.old_secret_ms(), 0U);
  live.old_until_unix_ms = in_ms(-1);
  EXPECT_EQ(live.old_secret_ms(), 0U);
  live.old_until_unix_ms = in_ms(60'000);
  EXPECT_GT(live.old_secret_ms(), 0U);
  EXPECT_LE(live.old_secret_ms(), 60'000U);
  live.old_until_unix_ms = in_ms(std::int64_t{365} * 24 * 3'600'000);
  EXPECT_LE(live.old_secret_ms(), 24U * 3'600'000U);
}

}  // namespace
}  // namespace gatehouse
