#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fake_kernel/fake_kernel.h"
#include "gateway/gateway.h"
#include "register/register.h"
#include "worker/business_worker.h"

namespace gatehouse::faults {

/// A register, a gateway and a business worker on one loop in a fake kernel, and WebSocket clients in the world outside.
///
/// The business echoes what it is told. To "ask" it says how many clients there are, which it asks the gateway; "all" goes to
/// all.
class TestCluster {
 public:
  class Client;

  explicit TestCluster(GatewayOptions options = {});
  TestCluster(const TestCluster&) = delete;
  TestCluster& operator=(const TestCluster&) = delete;
  ~TestCluster();

  /// Runs the loop until it holds; false when it does not within `ms` of the kernel's time.
  bool run_until(const std::function<bool()>& condition, std::uint64_t ms = 10'000);
  void run_for(std::uint64_t ms) {
    run_until([] { return false; }, ms);
  }
  /// All three know each other.
  bool comes_up();
  /// What clients do on a usual day: they come, talk, ask, hear one another, and go in different ways. With faults any of it may
  /// not succeed; that is not looked at here.
  void have_a_day();
  /// A client that comes now gets its answers.
  bool serves();
  /// Stops everything in order. False when something does not stop, or leaves a descriptor.
  bool ends();

  [[nodiscard]] testing::FakeKernel& kernel() { return kernel_; }
  [[nodiscard]] net::Loop& loop() { return *loop_; }
  [[nodiscard]] const Gateway& gateway() const { return *gateway_; }

  // More turns of the loop than this for a whole life are a loop that spins; a life without faults takes some hundred.
  static constexpr std::uint64_t kMostWaits = 10'000;

 private:
  testing::FakeKernel kernel_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<Register> register_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<BusinessWorker> worker_;
};

/// A WebSocket client that behaves.
class TestCluster::Client {
 public:
  explicit Client(TestCluster& cluster);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  bool shakes_hands();
  void say(std::string_view text);
  /// The text has come, as a whole message.
  bool hears(std::string_view text);
  void leave();
  void vanish();
  void reset();

 private:
  void read();

  TestCluster& cluster_;
  int end_;
  std::string received_;
  bool open_ = false;
  std::vector<std::string> heard_;
};

}  // namespace gatehouse::faults
