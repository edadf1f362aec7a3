#include "application/instance_settings.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

TEST(InstanceSettings, TheCommandLineComesFirst) {
  Settings settings{.instance = "chat", .run_dir = "/from/the/command/line"};
  InstanceOptions options;
  options.run_dir = "/srv/run";
  options.pid_file = "/run/chat.pid";
  options.log_format = "json";
  options.stop_timeout = std::chrono::milliseconds(1500);
  apply_instance_options(options, settings, [](const std::string& name) { return name == "--run-dir"; });
  EXPECT_EQ(settings.run_dir, "/from/the/command/line");
  EXPECT_EQ(settings.pid_path(), "/run/chat.pid");
  EXPECT_EQ(settings.socket_path(), "/from/the/command/line/chat.sock");
  EXPECT_EQ(settings.log_format, "json");
  EXPECT_EQ(settings.log_level, "info") << "what is left out stays";
  EXPECT_EQ(settings.stop_timeout(), std::chrono::milliseconds(1500));
}

TEST(InstanceSettings, WhatIsWrongIsNamed) {
  EXPECT_FALSE(check_instance_options({}).has_value());
  InstanceOptions options;
  options.log_level = "loud";
  auto problem = check_instance_options(options);
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->option, "log_level");
  EXPECT_EQ(problem->message, "\"loud\" is none of debug, info, warning, error");

  options = {};
  options.stop_timeout = std::chrono::milliseconds(99);
  problem = check_instance_options(options);
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->option, "stop_timeout");
}

}  // namespace
}  // namespace gatehouse
