#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <gatehouse/data.h>
#include <gatehouse/value.h>

namespace gatehouse {

class Cluster;
class ClientContext;

/// The client that an event is about. Given to each handler by reference; lives until that handler has finished, through every
/// co_await in it. To speak to it later, keep its id() and use the Cluster.
class Client {
 public:
  explicit Client(ClientContext& context) : context_(context) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// 20 hexadecimal digits, unique in the cluster for as long as the client is connected, and not handed out again for long
  /// after. Not a secret: do not use it as a proof of who somebody is.
  [[nodiscard]] const std::string& id() const;

  /// What is remembered about this client between events, wherever they are handled. Changes are saved when the handler has
  /// finished (not those made in on_close, nor when an exception leaves it) and seen by the next event of this client. What
  /// others have written meanwhile to other keys stays. Null until something is set; what is set must be an object, an array or
  /// null.
  [[nodiscard]] Value& session();

  /// "192.168.1.9", and "2001:db8::1" through a gateway of ours (a PHP gateway tells "0.0.0.0" for IPv6).
  [[nodiscard]] std::string remote_address() const;
  [[nodiscard]] std::uint16_t remote_port() const;
  /// The inner (LAN) address of its gateway, and the public port that it listens on.
  [[nodiscard]] std::string gateway_address() const;
  [[nodiscard]] std::uint16_t gateway_port() const;

  /// One message, framed by the client's protocol. Without an effect when it is gone. Over 32 MiB throws std::invalid_argument,
  /// as the calls of Cluster do.
  void send(Data data);
  /// Sends what is queued, then `last_words` if there are any, then ends the connection.
  void close(std::optional<Data> last_words = std::nullopt);
  /// Ends the connection at once.
  void destroy();

  /// The heartbeat of this client alone; see Cluster::set_ping_interval.
  void set_ping_interval(std::optional<std::chrono::milliseconds> interval);
  /// In on_websocket_connect: the client is not let in. Where the gateway asks (GatewayOptions::handshake_by_worker), its
  /// handshake is answered with this HTTP status, 400 to 599, and `words` as its text, of which 1 KB is sent; elsewhere it is in
  /// already, and its connection is closed. What was sent to it before is dropped where the gateway asks. Throws
  /// std::invalid_argument for another status.
  void refuse(int status = 403, std::string_view words = {});
  /// In on_websocket_connect, where the gateway asks: the subprotocol of the connection, one of Handshake::subprotocols(); in
  /// place of what the gateway's configuration would choose. Elsewhere nothing happens. Throws std::invalid_argument for one
  /// that is longer than any request (1 MiB).
  void choose_subprotocol(std::string_view name);

  /// Everybody else.
  [[nodiscard]] Cluster& cluster();

 private:
  ClientContext& context_;
};

}  // namespace gatehouse
