#pragma once

// For tests only: a hand-made worker that acknowledges its events.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/gateway_test_support.h"
#include "wire/event_ranges.h"

namespace gatehouse::gateway::testing {

/// A worker that acknowledges: its event connection, and one for what it says.
class AckingWorker {
 public:
  AckingWorker(TestGateway& test, std::string_view key, wire::Delivery delivery = wire::Delivery::at_least_once,
               char version = '2')
      : events(std::make_unique<InnerPeer>(test.inner_endpoint)), commands_(test.commander()) {
    std::string body = wire::worker_connect_body(key, test.secret, true, delivery);
    constexpr std::string_view kVersion = "\"gatehouse\":2";
    body[body.find(kVersion) + kVersion.size() - 1] = version;
    events->send(wire::Command::worker_connect, 0, {}, body);
    EXPECT_TRUE(test.until([&] { return events->count(wire::Command::hello) == 1; }));
    EXPECT_TRUE(wire::parse_hello_body(events->events(wire::Command::hello).at(0).body, hello));
    EXPECT_NE(hello.link, 0U);
  }

  void finish(std::uint64_t first, std::uint32_t count, wire::Command command = wire::Command::finished) {
    std::string ranges;
    wire::append_event_range(ranges, {first, count});
    commands_->send(command, hello.link, {}, ranges);
    commands_->pump();
  }
  /// Everything that it was sent, but the hello.
  void finish_all() { finish(0, 0xffffffffU); }
  void leave() { events->send(wire::Command::leaving, 0, {}, {}); }
  void die() { events->socket.reset(); }

  std::vector<std::string> said() { return events->said(); }
  /// For each message whether it is marked as redelivered.
  std::vector<bool> marks() {
    std::vector<bool> out;
    for (const auto& frame : events->events(wire::Command::on_message))
      out.push_back((frame.header.flags & wire::flag::kRedelivered) != 0);
    return out;
  }
  /// One message to one client; in order with finish().
  void answer(std::uint32_t connection_id, std::string_view message) {
    commands_->send(wire::Command::send_to_one, connection_id, {}, message);
  }
  [[nodiscard]] bool ended() {
    events->poll();
    return events->ended();
  }

  std::unique_ptr<InnerPeer> events;
  wire::Hello hello;

 private:
  std::unique_ptr<InnerPeer> commands_;
};

}  // namespace gatehouse::gateway::testing
