#include "application/nearest_name.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

const std::vector<std::string> kKnown = {"ping_interval", "ping_data", "listen", "lan_ip", "ws", "websocket"};

TEST(NearestName, FindsWhatWasMeant) {
  EXPECT_EQ(nearest_name("ping_intervall", kKnown), "ping_interval");
  EXPECT_EQ(nearest_name("pingInterval", kKnown), "ping_interval");
  EXPECT_EQ(nearest_name("lisen", kKnown), "listen");
  EXPECT_EQ(nearest_name("wss", kKnown), "ws");
  EXPECT_EQ(nearest_name("web", kKnown), "websocket") << "a beginning";
}

TEST(NearestName, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(nearest_name("colour", kKnown), std::nullopt);
  EXPECT_EQ(nearest_name("", kKnown), std::nullopt);
  EXPECT_EQ(nearest_name(std::string(100'000, 'l'), kKnown), std::nullopt);
}

TEST(NearestName, MakesAQuestion) {
  EXPECT_EQ(did_you_mean("listne", kKnown), "; did you mean \"listen\"?");
  EXPECT_EQ(did_you_mean("colour", kKnown), "");
}

}  // namespace
}  // namespace gatehouse
