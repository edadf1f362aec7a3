// Memory is filled with a pattern when it is taken and another one when it is given back; neither ever leaves for a client. Nor
// does what another client has said.
#include <gtest/gtest.h>
#include <malloc.h>

#include <string>
#include <string_view>

#include "faults/test_cluster.h"
#include "wire/websocket_frame.h"
#include "wire/websocket_handshake.h"

namespace gatehouse::faults {
namespace {

constexpr int kFreed = 0x41;                     // 'A', which nobody says here
constexpr std::string_view kTaken = "\xbe\xbe";  // its complement (mallopt(3)), and what AddressSanitizer fills memory with
constexpr std::string_view kGivenBack = "AAAA";

class Poison {
 public:
  Poison() { mallopt(M_PERTURB, kFreed); }
  Poison(const Poison&) = delete;
  Poison& operator=(const Poison&) = delete;
  ~Poison() { mallopt(M_PERTURB, 0); }
};

std::string frame(std::string_view payload, wire::Opcode opcode = wire::Opcode::text) {
  std::string bytes;
  wire::append_masked_frame(bytes, opcode, payload, 0x01020304U);  // the same mask always, as some clients do
  return bytes;
}

/// A connection from outside, and everything that came over it.
class RawClient {
 public:
  explicit RawClient(TestCluster& cluster) : cluster_(cluster), end_(cluster.kernel().dial(8282)) {}
  void shake_hands(std::string_view more = {}) {
    std::string head = wire::websocket_request("b.example", "/", "dGhlIHNhbXBsZSBub25jZQ==");
    say(head.insert(head.size() - 2, more));
  }
  void say(std::string_view bytes) {
    cluster_.kernel().put(end_, bytes);
    cluster_.run_until(
        [this] {
          heard_ += cluster_.kernel().take(end_);
          return false;
        },
        20);
  }
  [[nodiscard]] const std::string& heard() const { return heard_; }

 private:
  TestCluster& cluster_;
  int end_;
  std::string heard_;
};

void talk(RawClient& client, std::string_view more_fields) {
  client.shake_hands(more_fields);
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{40'000}, std::size_t{3}, std::size_t{125}, std::size_t{126}, std::size_t{9'000}})
    client.say(frame(std::string(size, 'x')));
  client.say(frame("all"));
  client.say(frame("are you there", wire::Opcode::ping));
  client.say(
      frame("\x03\xe8"
            "bye",
            wire::Opcode::close));
}

void expect_clean(const RawClient& client) {
  EXPECT_NE(client.heard().find("HTTP/1.1 "), std::string::npos);
  EXPECT_EQ(client.heard().find(kTaken), std::string::npos);
  EXPECT_EQ(client.heard().find(kGivenBack), std::string::npos);
}

TEST(StaleMemory, NeverLeavesForAClient) {
  const Poison poison;
  TestCluster cluster;
  ASSERT_TRUE(cluster.comes_up());
  RawClient first(cluster);
  RawClient second(cluster);
  RawClient refused(cluster);
  talk(first, {});
  talk(second, {});
  refused.say("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
  EXPECT_NE(first.heard().find("echo " + std::string(40'000, 'x')), std::string::npos);
  for (const RawClient* client : {&first, &second, &refused}) expect_clean(*client);
  EXPECT_TRUE(cluster.ends());
}

TEST(StaleMemory, NeverLeavesCompressed) {
  const Poison poison;
  GatewayOptions options;
  options.deflate = true;
  options.deflate_threshold = 1;
  TestCluster cluster(options);
  ASSERT_TRUE(cluster.comes_up());
  RawClient client(cluster);
  talk(client, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  EXPECT_NE(client.heard().find("Sec-WebSocket-Extensions: permessage-deflate"), std::string::npos);
  expect_clean(client);
  EXPECT_TRUE(cluster.ends());
}

/// Upstream's decoder remembers small frames by their bytes, and gives them out again for whoever sends the same.
TEST(StaleMemory, AFrameIsNobodyElsesHandshake) {
  const Poison poison;
  TestCluster cluster;
  ASSERT_TRUE(cluster.comes_up());
  RawClient client(cluster);
  client.shake_hands();
  client.say(frame("all"));
  EXPECT_NE(client.heard().find("to all"), std::string::npos);
  const std::size_t heard = client.heard().size();
  RawClient stranger(cluster);
  stranger.say(frame("all"));
  client.say("");
  EXPECT_EQ(client.heard().size(), heard);
  EXPECT_TRUE(stranger.heard().starts_with("HTTP/1.1 400 "));
  expect_clean(stranger);
  EXPECT_TRUE(cluster.ends());
}

}  // namespace
}  // namespace gatehouse::faults
