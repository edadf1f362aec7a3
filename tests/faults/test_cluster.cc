#include "faults/test_cluster.h"

#include <gatehouse/cluster.h>
#include <gatehouse/error.h>
#include <gatehouse/events.h>

#include <algorithm>
#include <utility>

#include "wire/websocket_frame.h"
#include "wire/websocket_handshake.h"

namespace gatehouse::faults {
namespace {

constexpr std::uint16_t kRegisterPort = 1236;
constexpr std::uint16_t kClientPort = 8282;
constexpr std::uint16_t kInnerPort = 2900;

class Business final : public Events {
 public:
  Task<> on_message(Client& client, Message message) override {
    const std::string text(message.text());
    client.session()["last"] = text;
    if (text == "ask") {
      try {
        const std::size_t count = co_await client.cluster().client_count();
        client.send("count " + std::to_string(count > 0 ? 1 : 0));
      } catch (const Error&) {
        client.send("nobody answered");
      }
    } else if (text == "all") {
      client.cluster().send_to_all("to all");
    } else if (text == "send me away") {
      client.close("away with you");
    } else {
      client.send("echo " + text);
    }
  }
};

}  // namespace

TestCluster::TestCluster(GatewayOptions options) : loop_(std::make_unique<net::Loop>(Log::silent())) {
  register_ = std::make_unique<Register>(*loop_, "");
  register_->serve(net::Socket(kernel_.listen_here(kRegisterPort)));
  options.listen = "websocket://127.0.0.1:8282";
  gateway_ = std::make_unique<Gateway>(*loop_, options, 0, nullptr);
  net::Socket clients(kernel_.listen_here(kClientPort));
  gateway_->serve(std::move(clients), net::Socket(kernel_.listen_here(kInnerPort)));
  WorkerOptions worker;
  worker.events = make_events<Business>();
  worker_ = std::make_unique<BusinessWorker>(*loop_, std::move(worker), 0);
}

TestCluster::~TestCluster() { kernel_.on_wait = nullptr; }

bool TestCluster::run_until(const std::function<bool()>& condition, std::uint64_t ms) {
  const std::uint64_t end_ms = kernel_.now_ms() + ms;
  bool held = false;
  // Without an event the loop may wait past the end of the time; nothing can happen then that could be missed.
  const net::TimerId end = loop_->after(std::chrono::milliseconds(ms), [this] { loop_->stop(); });
  kernel_.on_wait = [&](int /*timeout_ms*/) {
    held = condition();
    if (held || kernel_.now_ms() > end_ms || kernel_.waits() > kMostWaits) loop_->stop();
  };
  loop_->run();
  kernel_.on_wait = nullptr;
  loop_->cancel(end);
  return held || condition();
}

bool TestCluster::comes_up() {
  worker_->start([] {});
  return run_until([this] { return worker_->status().connections == 2 && gateway_->status().inner_connections == 2; });
}

void TestCluster::have_a_day() {
  Client first(*this);
  Client second(*this);
  first.shakes_hands();
  first.say("one");
  first.hears("echo one");
  second.shakes_hands();
  second.say("ask");
  second.hears("count 1");
  first.say("all");
  second.hears("to all");
  first.say(std::string(30'000, 'x'));
  first.hears("echo " + std::string(30'000, 'x'));
  first.leave();
  second.vanish();
  Client third(*this);
  third.shakes_hands();
  third.say("two");
  third.reset();
  Client fourth(*this);
  fourth.shakes_hands();
  fourth.say("send me away");
  fourth.hears("away with you");
  fourth.vanish();
  run_for(100);
}

bool TestCluster::serves() {
  Client client(*this);
  if (!client.shakes_hands()) return false;
  client.say("hello");
  if (!client.hears("echo hello")) return false;
  client.say("ask");
  if (!client.hears("count 1")) return false;
  client.leave();
  return run_until([this] { return gateway_->status().connections == 0; });
}

bool TestCluster::ends() {
  bool worker_stopped = false;
  worker_->stop([&] { worker_stopped = true; });
  if (!run_until([&] { return worker_stopped; })) return false;
  bool gateway_stopped = false;
  gateway_->stop([&] { gateway_stopped = true; });
  if (!run_until([&] { return gateway_stopped; })) return false;
  register_->stop();
  worker_.reset();
  gateway_.reset();
  register_.reset();
  loop_.reset();
  return kernel_.descriptors() == 0;
}

TestCluster::Client::Client(TestCluster& cluster) : cluster_(cluster), end_(cluster.kernel_.dial(kClientPort)) {}

TestCluster::Client::~Client() { cluster_.kernel_.hang_up(end_); }

bool TestCluster::Client::shakes_hands() {
  cluster_.kernel_.put(end_, wire::websocket_request("a.example", "/", "dGhlIHNhbXBsZSBub25jZQ=="));
  cluster_.run_until([this] {
    read();
    return open_ || cluster_.kernel_.has_ended(end_);
  });
  return open_;
}

void TestCluster::Client::say(std::string_view text) {
  std::string bytes;
  wire::append_masked_frame(bytes, wire::Opcode::text, text, 0x1234abcdU);
  cluster_.kernel_.put(end_, bytes);
}

bool TestCluster::Client::hears(std::string_view text) {
  const auto heard = [this, text] { return std::find(heard_.begin(), heard_.end(), text) != heard_.end(); };
  cluster_.run_until([&] {
    read();
    return heard() || cluster_.kernel_.has_ended(end_);
  });
  return heard();
}

void TestCluster::Client::read() {
  received_ += cluster_.kernel_.take(end_);
  if (!open_) {
    const std::size_t end = received_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    open_ = received_.starts_with("HTTP/1.1 101 ");
    received_.erase(0, end + 4);
  }
  wire::WebSocketReader reader(wire::WebSocketReader::Role::client, {});
  while (open_) {
    wire::WebSocketState state;
    const wire::WebSocketEvent event = reader.next(state, received_);
    if (event.kind == wire::WebSocketEvent::Kind::message) heard_.emplace_back(event.payload.begin(), event.payload.end());
    if (event.consumed == 0) return;
    received_.erase(0, event.consumed);
  }
}

void TestCluster::Client::leave() {
  std::string bytes;
  wire::append_masked_frame(bytes, wire::Opcode::close, "\x03\xe8", 0x1234abcdU);
  cluster_.kernel_.put(end_, bytes);
  cluster_.run_until(
      [this] {
        read();
        return cluster_.kernel_.has_ended(end_);
      },
      1000);
  cluster_.kernel_.hang_up(end_);
}

void TestCluster::Client::vanish() { cluster_.kernel_.hang_up(end_); }

void TestCluster::Client::reset() { cluster_.kernel_.reset(end_); }

}  // namespace gatehouse::faults
