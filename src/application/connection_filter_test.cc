#include "application/connection_filter.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

std::string address(const std::string& text) {
  const auto filter = tidy_filter({.address = text});
  return filter ? filter->address : filter.error().message;
}

TEST(ConnectionFilter, IsWrittenAsTheRowsAre) {
  const auto filter = tidy_filter({.client_id = "7F00000108FC0000002A", .uid = " 42", .group = "Room"});
  ASSERT_TRUE(filter.has_value());
  EXPECT_EQ(filter->client_id, "7f00000108fc0000002a");
  EXPECT_EQ(filter->uid, " 42");
  EXPECT_EQ(filter->group, "Room");
  EXPECT_EQ(filter->address, "");
  EXPECT_EQ(address("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(address("127.0.0.1:80"), "127.0.0.1:80");
  EXPECT_EQ(address("0:0::1"), "::1");
  EXPECT_EQ(address("[0::1]:80"), "[::1]:80");
  EXPECT_TRUE(tidy_filter({}).has_value());
}

TEST(ConnectionFilter, NamesWhatCannotBeMeant) {
  for (const char* id : {"zz", "42", "7f00000108fc0000002", "7f00000108fc0000002a0"}) {
    const auto filter = tidy_filter({.client_id = id});
    ASSERT_FALSE(filter.has_value()) << id;
    EXPECT_EQ(filter.error().message, std::string("--client: a client id has 20 hexadecimal digits, unlike \"") + id + "\"");
  }
  for (const char* bad : {"nowhere", "127.0.0", "127.0.0.1:", "127.0.0.1:x", "1.2.3.4:70000", "::g", "[::1]", ":80"}) {
    EXPECT_EQ(address(bad).find("--address: an IP or IP:PORT is wanted"), 0U) << bad;
  }
}

}  // namespace
}  // namespace gatehouse
