#include "base/log_level.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

TEST(LogLevelWords, AreFourInBothDirections) {
  for (const char* word : {"debug", "info", "warning", "error"}) {
    const auto level = parse_log_level(word);
    ASSERT_TRUE(level.has_value()) << word;
    EXPECT_STREQ(to_string(*level), word);
  }
  for (const char* word : {"", "Debug", "warn", "trace", "info "}) EXPECT_EQ(parse_log_level(word), std::nullopt) << word;
}

}  // namespace
}  // namespace gatehouse
