// A whole business worker, fed through replaced system calls: what registers, gateways and PHP gateways could say to it on its
// three kinds of connections, in any order, while time passes. Its handlers command, ask and use their session. However it went,
// it stops in order, and every handler has come to an end.
#include <gatehouse/cluster.h>
#include <gatehouse/error.h>
#include <gatehouse/events.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fake_kernel/fake_kernel.h"
#include "fuzz/inner_peer.h"
#include "fuzz/script.h"
#include "wire/client_id.h"
#include "wire/gateway_protocol.h"
#include "wire/register_line.h"
#include "worker/business_worker.h"

namespace {

using namespace gatehouse;
using fuzz::check;
using wire::Command;

constexpr std::uint16_t kRegisterPort = 1236;
constexpr std::array<std::uint16_t, 2> kGatewayPorts = {2900, 2901};

/// Handlers that use what there is to use.
class Business final : public Events {
 public:
  explicit Business(int& running) : running_(running) {}

  Task<> on_connect(Client& client) override {
    client.send("hello");
    co_return;
  }
  Task<> on_websocket_connect(Client& client, const Handshake& handshake) override {
    client.session()["get"] = handshake.query().is_object();
    if (client.gateway_port() % 2 == 1) client.refuse();
    co_return;
  }
  Task<> on_message(Client& client, Message message) override {
    const Counted counted(running_);
    const std::string text(message.bytes());
    client.session()["count"] = text.size();
    client.send(text);
    Cluster& cluster = client.cluster();
    try {
      switch (text.empty() ? 0 : text[0] % 12) {
        case 0: cluster.send_to_all(text); break;
        case 1: (void)co_await cluster.is_online(client.id()); break;
        case 2: client.session() = co_await cluster.session(client.id()); break;
        case 3: (void)co_await cluster.client_ids_by_uid("a"); break;
        case 4: (void)co_await cluster.client_counts_by_groups(two_names()); break;
        case 5: (void)co_await cluster.sessions(); break;
        case 6: (void)co_await cluster.uids_by_all_groups(); break;
        case 7: co_await sleep(std::chrono::seconds(3)); break;
        case 8: client.close("bye"); break;
        case 9: (void)co_await cluster.client_ids_by_uids(two_names()); break;
        case 10: cluster.close_uid("a", "bye"); break;
        default: (void)co_await cluster.groups_by_client_id(client.id());
      }
    } catch (const Error&) {
      client.send("no answer");  // not all gateways have answered
    }
  }

 private:
  /// g++ 12 takes no braced list inside co_await.
  static std::vector<std::string> two_names() { return {"a", "b"}; }

  struct Counted {
    explicit Counted(int& count) : count_(count) { ++count_; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted() { --count_; }
    int& count_;
  };
  int& running_;
};

class World {
 public:
  explicit World(fuzz::Script& script) : script_(script), loop_(std::make_unique<net::Loop>(Log::silent())) {
    register_ = kernel_.listen(kRegisterPort);
    for (const std::uint16_t port : kGatewayPorts) listeners_.push_back(kernel_.listen(port));
    WorkerOptions options;
    options.register_addresses = {"127.0.0.1:1236"};
    options.events = [this] { return std::make_unique<Business>(running_); };
    worker_ = std::make_unique<BusinessWorker>(*loop_, std::move(options), 0);
    worker_->start([] { check(false); });
  }

  void play() {
    kernel_.on_wait = [this](int /*timeout_ms*/) {
      accept_all();
      if (script_.done()) return loop_->stop();
      step();
      for (const int end : ends_) (void)kernel_.take(end);
    };
    loop_->run();
    end();
  }

 private:
  void accept_all() {
    for (int end = kernel_.take_connection(register_); end >= 0; end = kernel_.take_connection(register_)) {
      lines_.push_back(end);
      kernel_.put(end, wire::broadcast_addresses_line({"127.0.0.1:2900", "127.0.0.1:2901"}));
    }
    for (const int listener : listeners_) {
      for (int end = kernel_.take_connection(listener); end >= 0; end = kernel_.take_connection(listener)) ends_.push_back(end);
    }
  }

  void step() {
    const std::size_t which = script_.below(16);
    if (which == 0) return kernel_.pass(std::uint64_t{1} << script_.below(14));
    if (which < 3 && !lines_.empty()) return speak_as_register(lines_[script_.below(lines_.size())]);
    if (ends_.empty()) return;
    const int end = ends_[script_.below(ends_.size())];
    switch (which) {
      case 3: kernel_.put(end, script_.text()); break;
      case 4: kernel_.finish(end); break;
      case 5: kernel_.reset(end); break;
      case 6: kernel_.hang_up(end); break;
      case 7: kernel_.set_room(end, script_.flip() ? 50 : 64 * 1024); break;
      case 8: kernel_.put(end, hello()); break;
      case 9:
      case 10:
      case 11: kernel_.put(end, answer()); break;
      default: kernel_.put(end, event());
    }
  }

  void speak_as_register(int end) {
    switch (script_.below(5)) {
      case 0: kernel_.put(end, script_.text()); break;
      case 1: kernel_.put(end, wire::broadcast_addresses_line({"127.0.0.1:2900"})); break;
      case 2: kernel_.put(end, wire::broadcast_addresses_line({"127.0.0.1:2900", "127.0.0.1:2901", "nonsense"})); break;
      case 3: kernel_.put(end, wire::broadcast_addresses_line({})); break;
      default: kernel_.hang_up(end);
    }
  }

  std::string hello() {
    std::string bytes;
    const wire::Hello hello{.link = script_.byte() % 4U, .timeout_ms = script_.flip() ? 30'000U : 0U};
    wire::append_gateway_frame(bytes, {.command = Command::hello}, {}, wire::hello_body("0.1.0", hello));
    return bytes;
  }

  std::string answer() {
    static constexpr std::array<const char*, 10> kAnswers = {"a:1:{s:9:\"gatehouse\";i:1;}",
                                                             "a:0:{}",
                                                             "i:3;",
                                                             "b:1;",
                                                             "N;",
                                                             "a:1:{i:1;a:1:{s:7:\"session\";s:0:\"\";}}",
                                                             "a:1:{s:1:\"a\";a:1:{i:1;i:1;}}",
                                                             "a:1:{i:1;a:3:{s:7:\"session\";a:1:{s:1:\"k\";s:1:\"v\";}s:3:"
                                                             "\"uid\";s:1:\"a\";s:6:\"groups\";a:1:{s:1:\"a\";s:1:\"a\";}}}",
                                                             "s:1:\"a\";",
                                                             "a:1:{i:1;s:22:\"a:1:{s:1:\"k\";s:1:\"v\";}\";}"};
    const std::size_t which = script_.below(kAnswers.size() + 1);
    const std::string body = which < kAnswers.size() ? kAnswers.at(which) : std::string(script_.text());
    std::string bytes(4, '\0');
    // Now and then a length that does not fit.
    store_be32(bytes.data(), script_.byte() > 250 ? script_.number() : static_cast<std::uint32_t>(body.size()));
    return bytes + body;
  }

  std::string event() {
    static constexpr std::array kEvents = {Command::on_message,           Command::on_message, Command::on_connect,
                                           Command::on_websocket_connect, Command::on_close,   Command::ping};
    const std::size_t which = script_.below(kEvents.size() + 1);
    const auto command = which < kEvents.size() ? kEvents.at(which) : static_cast<Command>(script_.byte());
    wire::GatewayHeader header{.command = command,
                               .flags = script_.byte(),
                               .local_ip = 0x7f000001,
                               .local_port = kGatewayPorts.at(script_.below(2)),
                               .client_ip = 0xc0a80709,
                               .client_port = 54321,
                               .connection_id = script_.byte() % 4U,
                               .gateway_port = static_cast<std::uint16_t>(8282 + script_.below(2))};
    static constexpr std::array<const char*, 4> kSessions = {"", "a:1:{s:5:\"count\";i:7;}", "a:0:{}", "O:1:\"A\":0:{}"};
    const std::size_t session = script_.below(kSessions.size() + 1);
    std::string ext = session < kSessions.size() ? kSessions.at(session) : std::string(script_.text());
    if (script_.flip()) ext = std::string(16, '\x20') + ext;
    std::string bytes;
    wire::append_gateway_frame(bytes, header, ext, command == Command::on_websocket_connect ? handshake() : script_.text());
    return bytes;
  }

  /// In either form, whatever the flags say.
  std::string_view handshake() {
    static constexpr std::array<std::string_view, 3> kHandshakes = {
        R"(a:3:{s:3:"get";a:1:{i:0;s:1:"q";}s:6:"server";a:1:{s:11:"HTTP_ORIGIN";s:1:"o";}s:6:"cookie";a:0:{}})",
        "GET /?a[]=1&a[b]=2 HTTP/1.1\r\nHost: h:1\r\nCookie: c=v; d\r\nX_A: 1\r\nX-A: 2\r\n\r\n", "GET\r\n\r\n"};
    const std::size_t which = script_.below(kHandshakes.size() + 1);
    return which < kHandshakes.size() ? kHandshakes.at(which) : script_.text();
  }

  void end() {
    bool stopped = false;
    const std::uint64_t began_ms = kernel_.now_ms();
    const std::uint64_t waits = kernel_.waits();
    kernel_.on_wait = [&](int /*timeout_ms*/) {
      accept_all();
      for (const int end : ends_) (void)kernel_.take(end);
      check(kernel_.now_ms() - began_ms < 60'000 && kernel_.waits() - waits < 100'000);
    };
    worker_->stop([&] {
      stopped = true;
      loop_->stop();
    });
    loop_->run();
    check(stopped && running_ == 0);
    worker_.reset();
    loop_.reset();
    check(kernel_.descriptors() == 0);
  }

  fuzz::Script& script_;
  testing::FakeKernel kernel_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<BusinessWorker> worker_;
  int register_ = -1;
  std::vector<int> listeners_;
  std::vector<int> lines_;  // connections to the register
  std::vector<int> ends_;   // connections to gateways
  int running_ = 0;         // handlers
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Script script(data, size);
  World(script).play();
  return 0;
}
