// How loops share the clients of one listening socket, each in a thread of its own as if it were a process.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "net/accept_share.h"
#include "net/loop.h"
#include "net/loop_test_support.h"

namespace gatehouse::net {
namespace {

using testing::LocalListener;
using testing::milliseconds;
using testing::RawPeer;

/// A process of the port: counts its clients, and tells the others.
class Process : public ConnectionHandler {
 public:
  Process(const Socket& listener, const Socket& memory, std::size_t index, std::uint32_t most = 0xffffffffU)
      : most_(most), share_(memory, index) {
    loop_.listen(Socket(dup(listener.fd())), *this, 0, &share_);
    thread_ = std::thread([this] { loop_.run(); });
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() override {
    if (!thread_.joinable()) return;
    go_on();
    loop_.stop_from_any_thread();
    thread_.join();
  }

  void on_open(Connection& /*connection*/) override { tell(++clients); }
  std::size_t on_data(Connection& /*connection*/, std::span<char> bytes, std::size_t /*seen*/) override { return bytes.size(); }
  void on_close(Connection& /*connection*/, CloseCause /*cause*/, int /*error*/) override { tell(--clients); }

  /// Its loop does nothing from when this returns until go_on().
  void hang() {
    hangs_ = true;
    loop_.post([this] {
      is_hanging_ = true;
      while (hangs_) std::this_thread::yield();
      is_hanging_ = false;
    });
    while (!is_hanging_) std::this_thread::yield();
  }
  void go_on() { hangs_ = false; }

  std::atomic<std::uint32_t> clients = 0;

 private:
  void tell(std::uint32_t count) { share_.set_clients(count, count < most_); }

  std::uint32_t most_;
  AcceptShare share_;
  Loop loop_{Log("test")};
  std::thread thread_;
  std::atomic<bool> hangs_ = false;
  std::atomic<bool> is_hanging_ = false;
};

struct Port {
  explicit Port(std::size_t count, std::uint32_t most = 0xffffffffU) {
    for (std::size_t i = 0; i < count; ++i) processes.push_back(std::make_unique<Process>(listener.socket, memory, i, most));
  }
  [[nodiscard]] std::uint32_t total() const {
    std::uint32_t sum = 0;
    for (const auto& process : processes) sum += process->clients;
    return sum;
  }
  /// False when not all are taken within 20 s.
  bool connect(std::size_t count, bool one_by_one) {
    const std::size_t before = peers.size();
    const std::uint32_t had = total();
    while (peers.size() < before + count) {
      peers.emplace_back(listener.endpoint);
      if (one_by_one && !is_taken(had + static_cast<std::uint32_t>(peers.size() - before))) return false;
    }
    return is_taken(had + static_cast<std::uint32_t>(count));
  }
  [[nodiscard]] bool is_taken(std::uint32_t count) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (total() != count) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
  }
  /// The least and the most clients that a process has.
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> range() const {
    std::uint32_t least = 0xffffffffU;
    std::uint32_t most = 0;
    for (const auto& process : processes) {
      least = std::min<std::uint32_t>(least, process->clients);
      most = std::max<std::uint32_t>(most, process->clients);
    }
    return {least, most};
  }

  LocalListener listener;
  Socket memory = AcceptShare::make_memory().value();
  std::vector<std::unique_ptr<Process>> processes;
  std::vector<RawPeer> peers;
};

TEST(LoopShare, ClientsThatComeOneByOneAreSpreadEvenly) {
  Port port(4);
  ASSERT_TRUE(port.connect(400, true));
  EXPECT_GE(port.range().first, 90U);
  EXPECT_LE(port.range().second, 110U);
}

TEST(LoopShare, OneThatIsReplacedGetsWhatTheOthersHaveMore) {
  Port port(2);
  ASSERT_TRUE(port.connect(200, true));
  port.processes[1].reset();
  port.processes[1] = std::make_unique<Process>(port.listener.socket, port.memory, 1);
  const std::uint32_t left = port.total();
  ASSERT_TRUE(port.connect(left, true));
  EXPECT_GE(port.range().first, left * 9 / 10);
}

TEST(LoopShare, NobodyWaitsForOneThatHangs) {
  Port port(2);
  ASSERT_TRUE(port.connect(20, true));
  port.processes[1]->hang();
  ASSERT_TRUE(port.connect(60, true)) << "all at the other one";
  EXPECT_GE(port.processes[0]->clients, 69U);
  port.processes[1]->go_on();
  // How soon depends on how busy the machine is; that it does get more than its half of them shows by this.
  for (int i = 0; i < 300 && port.processes[1]->clients + 10 < port.processes[0]->clients; ++i)
    ASSERT_TRUE(port.connect(1, true));
  EXPECT_GE(port.processes[1]->clients + 10, port.processes[0]->clients) << "it has caught up";
}

TEST(LoopShare, AFullOneLeavesClientsToThoseWithRoom) {
  Port port(3, 10);
  ASSERT_TRUE(port.connect(30, true)) << "more than two can have, and as many as all can";
  EXPECT_EQ(port.range().first, 10U);
  EXPECT_EQ(port.range().second, 10U);
  ASSERT_TRUE(port.connect(1, true)) << "refused by one that is full: that is its handler's business";
  // Who has room again takes the next.
  for (int i = 0; i < 6; ++i) port.peers[static_cast<std::size_t>(i)].close();
  ASSERT_TRUE(port.is_taken(25));
  ASSERT_TRUE(port.connect(5, true));
  EXPECT_LE(port.range().second, 12U) << "one more at most, by the one that refused for all";
}

}  // namespace
}  // namespace gatehouse::net
