#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gatehouse/value.h>

namespace gatehouse {

class ClientContext;

/// The HTTP request with which a WebSocket client began: what PHP knows as $data['get'], ['server'] and ['cookie'].
class Handshake {
 public:
  /// REQUIRES: each an object, or empty.
  Handshake(Value query, Value server, Value cookies);
  /// As an event tells it; read when it is first looked at, which not every program does. Each of the functions below, and a
  /// copy, throws std::runtime_error then when it cannot be read, which no gateway sends; a handler that lets it through lets
  /// nobody in. REQUIRES: `event` holds that event as long as this is looked at; a copy is independent of it.
  explicit Handshake(const ClientContext& event) : unread_(&event) {}
  Handshake(const Handshake& other);
  Handshake& operator=(const Handshake& other);
  ~Handshake() = default;

  /// The query string, decoded as PHP does it ("x[]=1" is an array).
  [[nodiscard]] const Value& query() const { return read().query_; }
  /// One value of the query, or "" when it is missing or not a string.
  [[nodiscard]] std::string query(std::string_view name) const;

  [[nodiscard]] const Value& cookies() const { return read().cookies_; }
  [[nodiscard]] std::string cookie(std::string_view name) const;

  /// QUERY_STRING, REQUEST_METHOD, REQUEST_URI, SERVER_PROTOCOL, SERVER_NAME, REMOTE_ADDR, REMOTE_PORT, SERVER_PORT and each
  /// header as HTTP_NAME, in upstream's spelling.
  [[nodiscard]] const Value& server() const { return read().server_; }
  /// A header by its name in any case ("Origin", "user-agent"), or "".
  [[nodiscard]] std::string header(std::string_view name) const;

  /// The subprotocols that the client offers, in its order.
  [[nodiscard]] std::vector<std::string> subprotocols() const;

 private:
  const Handshake& read() const;

  mutable const ClientContext* unread_ = nullptr;  // until it is read
  mutable Value query_;
  mutable Value server_;
  mutable Value cookies_;
};

}  // namespace gatehouse
