// A whole register, fed through replaced system calls: gateways, workers and strangers come, speak and go, and time passes. What
// workers are told is lines of lists of what gateways announced; when all have gone nothing is left.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fake_kernel/fake_kernel.h"
#include "fuzz/script.h"
#include "register/register.h"
#include "wire/register_line.h"

namespace {

using namespace gatehouse;
using fuzz::check;

constexpr std::uint16_t kPort = 1236;
constexpr std::size_t kMostPeers = 6;
constexpr std::array<const char*, 4> kAddresses = {"127.0.0.1:2900", "127.0.0.1:2901", "[::1]:2900", "a b"};
const std::string kSecret = "s3cret";

class World {
 public:
  explicit World(fuzz::Script& script) : script_(script), loop_(std::make_unique<net::Loop>(Log::silent())) {
    register_ = std::make_unique<Register>(*loop_, kSecret);
    register_->serve(net::Socket(kernel_.listen_here(kPort)));
  }

  void play() {
    kernel_.on_wait = [this](int /*timeout_ms*/) {
      if (script_.done()) return loop_->stop();
      step();
      for (Peer& peer : peers_) look(peer);
    };
    loop_->run();
    end();
  }

 private:
  struct Peer {
    int end = -1;
    std::string received;
  };

  void step() {
    const std::size_t which = script_.below(12);
    if (peers_.empty() || which == 0) {
      std::erase_if(peers_, [this](const Peer& peer) { return !kernel_.is_open(peer.end); });
      const int end = peers_.size() < kMostPeers ? kernel_.dial(kPort) : -1;
      if (end >= 0) peers_.push_back({end, {}});
      return;
    }
    const int end = peers_[script_.below(peers_.size())].end;
    switch (which) {
      case 1:
      case 2: kernel_.put(end, cut(wire::gateway_connect_line(kAddresses.at(script_.below(4)), secret()))); break;
      case 3:
      case 4: kernel_.put(end, cut(wire::worker_connect_line(secret()))); break;
      case 5: kernel_.put(end, wire::ping_line()); break;
      case 6: kernel_.put(end, script_.text()); break;
      case 7: kernel_.put(end, std::string(script_.byte() * std::size_t{256}, script_.flip() ? '[' : 'x')); break;
      case 8: kernel_.set_room(end, script_.flip() ? 10 : 64 * 1024); break;
      case 9: kernel_.finish(end); break;
      case 10: script_.flip() ? kernel_.reset(end) : kernel_.hang_up(end); break;
      default: kernel_.pass(std::uint64_t{1} << script_.below(15));
    }
  }

  std::string secret() { return script_.byte() > 250 ? "wrong" : kSecret; }
  /// As a rule the whole line.
  std::string cut(const std::string& line) {
    const std::size_t size = script_.byte();
    return size > 128 ? line : line.substr(0, size);
  }

  void look(Peer& peer) {
    peer.received += kernel_.take(peer.end);
    for (std::size_t end = peer.received.find('\n'); end != std::string::npos; end = peer.received.find('\n')) {
      const std::string text = peer.received.substr(0, end);
      peer.received.erase(0, end + 1);
      if (text.starts_with("Bad request for Register service.") || text.starts_with("This is a register ")) continue;
      const wire::RegisterLine line = wire::parse_register_line(text);
      if (line.event == wire::RegisterLine::Event::address_taken) continue;
      check(line.event == wire::RegisterLine::Event::broadcast_addresses);
      // Each once, and none that could not be an address.
      for (const std::string& address : line.addresses) {
        check(std::count(line.addresses.begin(), line.addresses.end(), address) == 1);
        check(!address.empty() && address.size() <= 256 && address.find(' ') == std::string::npos);
      }
    }
  }

  void end() {
    for (const Peer& peer : peers_) kernel_.hang_up(peer.end);
    const std::uint64_t waits = kernel_.waits();
    int quiet = 0;  // turns: the first is still to close what it has ended
    kernel_.on_wait = [&](int /*timeout_ms*/) {
      check(kernel_.waits() - waits < 1000);
      quiet = loop_->connection_count() == 0 && !kernel_.is_anyone_waiting() ? quiet + 1 : 0;
      if (quiet > 1) loop_->stop();
    };
    loop_->run();
    check(register_->status().connections == 0);
    // The list is empty again.
    Peer worker{kernel_.dial(kPort), {}};
    kernel_.put(worker.end, wire::worker_connect_line(kSecret));
    kernel_.on_wait = [&](int /*timeout_ms*/) {
      check(kernel_.waits() - waits < 2000);
      worker.received += kernel_.take(worker.end);
      if (worker.received.ends_with('\n')) loop_->stop();
    };
    loop_->run();
    check(worker.received == wire::broadcast_addresses_line({}));
    kernel_.on_wait = nullptr;
    register_.reset();
    loop_.reset();
    check(kernel_.descriptors() == 0);
  }

  fuzz::Script& script_;
  testing::FakeKernel kernel_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<Register> register_;
  std::vector<Peer> peers_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Script script(data, size);
  World(script).play();
  return 0;
}
