#include "application/operator_commands.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace gatehouse {
namespace {

/// What is found out before anybody is asked; nothing runs here.
class OperatorCommandsTest : public testing::Test {
 protected:
  OperatorCommandsTest() {
    std::string pattern = testing::TempDir() + "gatehouse-operator-XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~OperatorCommandsTest() override { std::filesystem::remove_all(directory_); }

  std::string error_of(int (*command)(const Settings&), OperatorRequest request) {
    const Settings settings{.instance = "chat", .run_dir = directory_, .request = std::move(request)};
    testing::internal::CaptureStderr();
    EXPECT_EQ(command(settings), 1);
    return testing::internal::GetCapturedStderr();
  }

  std::string directory_;
};

TEST_F(OperatorCommandsTest, SayWhenNothingRuns) {
  EXPECT_EQ(error_of(set_log_level, {.log_level = "debug", .time = "10m"}), "chat is not running\n");
  EXPECT_EQ(error_of(set_log_level, {}), "chat is not running\n");
  EXPECT_EQ(error_of(deny_addresses, {.range = "192.0.2.0/24", .time = "1h"}), "chat is not running\n");
  EXPECT_EQ(error_of(deny_addresses, {.list = true}), "chat is not running\n");
  EXPECT_EQ(error_of(allow_addresses, {.range = "2001:db8::/32"}), "chat is not running\n");
  EXPECT_EQ(error_of(stop_process, {.process = "web:1"}), "chat is not running\n");
  EXPECT_EQ(error_of(start_process, {.process = "web:1"}), "chat is not running\n");
}

TEST_F(OperatorCommandsTest, NameWhatIsWrongAndWhatWouldBeRight) {
  const auto expect = [&](int (*command)(const Settings&), const OperatorRequest& request, const std::string& words) {
    const std::string error = error_of(command, request);
    EXPECT_NE(error.find(words), std::string::npos) << error;
    EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 1) << error;
  };
  expect(set_log_level, {.log_level = "loud"}, "\"loud\" is none of debug, info, warning, error");
  expect(set_log_level, {.log_level = "debug", .time = "soon"}, "\"soon\" is no time; such as 90s, 10m, 1.5h or 7d");
  expect(set_log_level, {.log_level = "debug", .time = "0"}, "more than nothing");
  expect(set_log_level, {.time = "10m"}, "--for stands behind a level");
  expect(deny_addresses, {}, "which address?");
  expect(deny_addresses, {.range = "example.com"}, "\"example.com\" is neither an IP address");
  expect(deny_addresses, {.range = "10.0.0.1/8"}, "the range is 10.0.0.0/8, the address 10.0.0.1");
  expect(deny_addresses, {.range = "10.0.0.0/33"}, "from 0 to 32");
  expect(deny_addresses, {.range = "10.0.0.0/8", .time = "1y"}, "\"1y\" is no time");
  expect(deny_addresses, {.range = "10.0.0.0/8", .time = "-5m"}, "cannot be");
  expect(deny_addresses, {.range = "10.0.0.0/8", .time = "40000d"}, "10 years at most");
  expect(deny_addresses, {.range = "10.0.0.0/8", .list = true}, "--list stands alone");
  expect(allow_addresses, {}, "which address?");
  expect(allow_addresses, {.range = "10.0.0/8"}, "neither an IP address");
}

}  // namespace
}  // namespace gatehouse
