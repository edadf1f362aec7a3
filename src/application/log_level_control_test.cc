#include "application/log_level_control.h"

#include <gtest/gtest.h>

#include <vector>

namespace gatehouse {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LogLevelControlTest : public testing::Test {
 protected:
  nlohmann::ordered_json described() {
    nlohmann::ordered_json out = nlohmann::ordered_json::object();
    control_.describe(out);
    return out;
  }

  net::Loop loop_{Log::silent()};
  std::vector<LogLevel> told_;
  LogLevelControl control_{loop_, LogLevel::info, [this](LogLevel level) {
                             told_.push_back(level);
                             if (told_.size() > 1) loop_.stop();
                           }};
};

TEST_F(LogLevelControlTest, GoesBackByItselfAfterItsTime) {
  control_.set(LogLevel::debug, milliseconds(20));
  EXPECT_EQ(control_.level(), LogLevel::debug);
  EXPECT_EQ(described()["log_level"], "debug");
  EXPECT_EQ(described()["log_level_configured"], "info");
  EXPECT_EQ(described()["log_level_seconds_left"], 1);
  loop_.after(seconds(20), [this] { loop_.stop(); });
  loop_.run();
  EXPECT_EQ(told_, (std::vector{LogLevel::debug, LogLevel::info}));
  EXPECT_EQ(described()["log_level"], "info");
  EXPECT_EQ(described()["log_level_seconds_left"], nullptr);
}

TEST_F(LogLevelControlTest, ALaterSettingIsNotEndedByTheTimeOfAnEarlierOne) {
  control_.set(LogLevel::debug, milliseconds(10));
  control_.set(LogLevel::error, std::nullopt);
  loop_.after(milliseconds(50), [this] { loop_.stop(); });
  loop_.run();
  loop_.run();  // the first was ended by the second setting
  EXPECT_EQ(told_, (std::vector{LogLevel::debug, LogLevel::error}));
  EXPECT_EQ(control_.level(), LogLevel::error);
  EXPECT_EQ(described()["log_level_seconds_left"], nullptr);
}

TEST_F(LogLevelControlTest, ANewConfigurationCountsMore) {
  control_.set(LogLevel::debug, seconds(3600));
  control_.configure(LogLevel::warning);
  EXPECT_EQ(control_.level(), LogLevel::warning);
  EXPECT_EQ(control_.configured(), LogLevel::warning);
  EXPECT_EQ(described()["log_level_seconds_left"], nullptr);
}

}  // namespace
}  // namespace gatehouse
