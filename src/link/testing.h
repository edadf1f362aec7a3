#pragma once

// For unit tests of what dials: a register and a gateway that do as they are told, on the same loop as what is tested.

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/loop.h"
#include "wire/command_ext.h"
#include "wire/gateway_protocol.h"
#include "wire/register_line.h"

namespace gatehouse::link::testing {

/// Runs the loop until `done()` holds; false when it does not within the time.
inline bool run_until(net::Loop& loop, const std::function<bool()>& done, int timeout_ms = 20'000) {
  bool held = done();
  if (held) return true;
  const net::TimerId poll = loop.every(std::chrono::milliseconds(1), [&] {
    held = done();
    if (held) loop.stop();
  });
  const net::TimerId deadline = loop.after(std::chrono::milliseconds(timeout_ms), [&] { loop.stop(); });
  loop.run();
  loop.cancel(poll);
  loop.cancel(deadline);
  return held;
}

inline void run_for(net::Loop& loop, int ms) {
  run_until(loop, [] { return false; }, ms);
}

/// A server on a free port of 127.0.0.1, or on one that it had before.
class FakeServer : public net::ConnectionHandler {
 public:
  explicit FakeServer(net::Loop& loop) : loop_(loop) {}
  ~FakeServer() override {
    close();
    // A loop reports ends when it runs; this must not be gone by then.
    run_until(loop_, [this] { return connections_.empty(); });
  }

  void listen(std::uint16_t port = 0) {
    auto socket = net::listen_tcp(net::Endpoint::parse_numeric("127.0.0.1:" + std::to_string(port)).value()).value();
    port_ = net::local_address(socket.fd()).port();
    listener_ = loop_.listen(std::move(socket), *this);
    listening_ = true;
  }
  /// Stops listening and cuts all connections.
  void close() {
    if (std::exchange(listening_, false)) loop_.close_listener(listener_);
    for (const net::ConnectionId id : connections_) {
      if (net::Connection* connection = loop_.find(id)) connection->destroy();
    }
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }
  [[nodiscard]] const std::vector<net::ConnectionId>& connections() const { return connections_; }
  [[nodiscard]] std::size_t accepted() const { return accepted_; }
  void send(net::ConnectionId id, std::string_view bytes) {
    if (net::Connection* connection = loop_.find(id)) connection->send(bytes);
  }

 protected:
  void on_open(net::Connection& connection) override {
    connections_.push_back(connection.id());
    ++accepted_;
  }
  void on_close(net::Connection& connection, net::CloseCause /*cause*/, int /*error*/) override {
    std::erase(connections_, connection.id());
  }
  net::Loop& loop_;

 private:
  net::ListenerId listener_;
  std::vector<net::ConnectionId> connections_;
  std::uint16_t port_ = 0;
  std::size_t accepted_ = 0;
  bool listening_ = false;
};

/// Answers worker_connect with its list, unless it is to keep silent.
class FakeRegister final : public FakeServer {
 public:
  explicit FakeRegister(net::Loop& loop) : FakeServer(loop) { listen(); }

  std::vector<std::string> list;
  bool silent = false;
  std::vector<std::string> lines;  // as they came

  void tell_all() {
    for (const net::ConnectionId id : connections()) send(id, wire::broadcast_addresses_line(list));
  }

 private:
  std::size_t on_data(net::Connection& connection, std::span<char> bytes, std::size_t /*seen*/) override {
    const std::string_view text(bytes.data(), bytes.size());
    std::size_t done = 0;
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', done)) {
      lines.emplace_back(text.substr(done, end - done));
      done = end + 1;
      if (wire::parse_register_line(lines.back()).event == wire::RegisterLine::Event::worker_connect && !silent) {
        connection.send(wire::broadcast_addresses_line(list));
      }
    }
    return done;
  }
};

/// Keeps every frame it gets, and can answer.
class FakeGateway final : public FakeServer {
 public:
  struct Received {
    net::ConnectionId connection;
    wire::GatewayHeader header;
    std::string ext;
    std::string body;
    std::string bytes;  // the whole frame
  };
  explicit FakeGateway(net::Loop& loop) : FakeServer(loop) { listen(); }

  /// Without the first question of a command connection, whether our extension is known, which is answered by itself.
  std::vector<Received> frames;
  bool native = false;
  std::function<void(const Received&)> on_frame;  // after it has been kept

  /// Those with `command`.
  [[nodiscard]] std::vector<Received> with(wire::Command command) const {
    std::vector<Received> found;
    for (const Received& each : frames) {
      if (each.header.command == command) found.push_back(each);
    }
    return found;
  }
  [[nodiscard]] std::size_t count(wire::Command command) const { return with(command).size(); }
  /// The connection that said worker_connect, or gateway_client_connect, last.
  [[nodiscard]] net::ConnectionId events() const { return last(wire::Command::worker_connect); }
  [[nodiscard]] net::ConnectionId commands() const { return last(wire::Command::gateway_client_connect); }

  void answer(net::ConnectionId id, std::string_view serialized) {
    std::string bytes(4, '\0');
    store_be32(bytes.data(), static_cast<std::uint32_t>(serialized.size()));
    send(id, bytes.append(serialized));
  }
  /// An event of this gateway's client `connection_id`.
  void event(wire::Command command, std::uint32_t connection_id, std::string_view session, std::string_view body,
             std::uint8_t flags = wire::flag::kScalar) {
    std::string bytes;
    wire::append_gateway_frame(bytes,
                               {.command = command,
                                .flags = flags,
                                .local_ip = 0x7f000001,
                                .local_port = port(),
                                .client_ip = 0xc0a80709,
                                .client_port = 54321,
                                .connection_id = connection_id,
                                .gateway_port = 8282},
                               session, body);
    send(events(), bytes);
  }
  void hello(const wire::Hello& hello = {}) {
    std::string bytes;
    wire::append_gateway_frame(bytes, {.command = wire::Command::hello}, {}, wire::hello_body("0.1.0", hello));
    send(events(), bytes);
  }

 private:
  [[nodiscard]] net::ConnectionId last(wire::Command command) const {
    const auto found = with(command);
    return found.empty() ? net::ConnectionId{} : found.back().connection;
  }

  std::size_t on_data(net::Connection& connection, std::span<char> bytes, std::size_t /*seen*/) override {
    const std::string_view view(bytes.data(), bytes.size());
    std::size_t done = 0;
    while (connection.is_open()) {
      const auto decoded = wire::decode_gateway_frame(view.substr(done), 64 * 1024 * 1024);
      if (decoded.status != wire::GatewayFrameStatus::complete) break;
      if (decoded.frame.header.command == wire::Command::select && wire::parse_select(decoded.frame.ext_data, select_) &&
          select_.extension) {
        done += decoded.size;
        answer(connection.id(), native ? "a:1:{s:9:\"gatehouse\";i:1;}" : "a:0:{}");
        continue;
      }
      frames.push_back({connection.id(), decoded.frame.header, std::string(decoded.frame.ext_data),
                        std::string(decoded.frame.body), std::string(view.substr(done, decoded.size))});
      done += decoded.size;
      if (on_frame) on_frame(Received(frames.back()));
    }
    return done;
  }

  wire::SelectQuery select_;
};

}  // namespace gatehouse::link::testing
