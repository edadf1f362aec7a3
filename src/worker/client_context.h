#pragma once

#include <gatehouse/client.h>
#include <gatehouse/close_reason.h>
#include <gatehouse/handshake.h>
#include <gatehouse/message.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "link/cluster_calls.h"
#include "wire/gateway_protocol.h"
#include "wire/handshake_verdict.h"
#include "wire/php_value.h"
#include "worker/root_task.h"

namespace gatehouse {

/// One event of one client with all that its handler may look at: what stands behind a Client. Used again for other events once
/// its handler has finished, so that an event allocates nothing when its bytes fit where earlier ones stood.
class ClientContext {
 public:
  ClientContext(ClusterCalls& calls, Cluster& cluster) : calls_(calls), cluster_(cluster) {}
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;
  ~ClientContext() { handler.reset(); }  // before what it may look at

  /// Copies the event: the bytes must live as long as its handler, which may wait.
  void assign(const wire::GatewayFrame& frame, bool native, const link::EventTicket& ticket);
  /// Lets go of everything that belongs to the event.
  void clear();

  [[nodiscard]] wire::Command command() const { return header_.command; }
  [[nodiscard]] const wire::ClientId& client_id() const { return client_id_; }
  [[nodiscard]] std::size_t size() const { return size_ + sizeof *this; }

  /// For telling the gateway that it is done with.
  [[nodiscard]] const link::EventTicket& ticket() const { return ticket_; }
  /// Another worker had it before and did not finish it.
  [[nodiscard]] bool is_redelivered() const { return native_ && (header_.flags & wire::flag::kRedelivered) != 0; }

  [[nodiscard]] Message message() const;
  [[nodiscard]] CloseReason close_reason() const;
  /// Whether the event carries a handshake, of which handshake() may tell.
  [[nodiscard]] bool has_handshake() const;
  [[nodiscard]] const Handshake& handshake() { return handshake_.emplace(*this); }
  /// "get", "server" and "cookie" of that handshake. Throws std::runtime_error for a request that cannot be read.
  [[nodiscard]] wire::PhpArray handshake_values() const;
  /// Whether the gateway waits for a verdict().
  [[nodiscard]] bool awaits_answer() const {
    return native_ && command() == wire::Command::on_websocket_connect && (header_.flags & wire::flag::kAwaitsAnswer) != 0;
  }
  [[nodiscard]] wire::HandshakeVerdict& verdict() { return verdict_; }

  /// The session that came with the event, serialized.
  [[nodiscard]] std::string_view session_bytes() const { return fetched_session_ ? *fetched_session_ : session_; }
  /// Another is used in its place. REQUIRES: the handler has not been called yet.
  void set_session_bytes(std::string session) { fetched_session_ = std::move(session); }
  /// The handler has looked at it, so that it may have changed it.
  [[nodiscard]] bool has_read_session() const { return value_.has_value(); }
  /// The session, serialized, when the handler has changed it. Throws std::invalid_argument when it holds what cannot be saved.
  [[nodiscard]] std::optional<std::string> changed_session() const;

  // For Client.
  [[nodiscard]] const std::string& id();
  [[nodiscard]] Value& session();
  [[nodiscard]] net::Address remote() const;
  [[nodiscard]] const wire::GatewayHeader& header() const { return header_; }
  /// Its gateway speaks our extension.
  [[nodiscard]] bool is_native() const { return native_; }
  [[nodiscard]] ClusterCalls& calls() const { return calls_; }
  [[nodiscard]] Cluster& cluster() const { return cluster_; }

  Client client{*this};
  RootTask handler;
  std::uint64_t question = 0;  // for its session, while that is being fetched

 private:
  /// Whether the handshake is the client's request as it came. If not, it is what gateways of PHP make of it.
  [[nodiscard]] bool is_request() const { return native_ && (header_.flags & wire::flag::kScalar) != 0; }

  static constexpr std::size_t kIpv6Size = 16;
  static constexpr std::size_t kFirstCapacity = 512;       // of a buffer; most events fit
  static constexpr std::size_t kKeptCapacity = 64 * 1024;  // of a buffer between events; a larger one is freed

  ClusterCalls& calls_;
  Cluster& cluster_;
  wire::GatewayHeader header_;
  wire::ClientId client_id_;
  link::EventTicket ticket_;
  bool native_ = false;
  std::unique_ptr<char[]> bytes_;  // ext_data and body, one after the other
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::string_view address_;  // of an IPv6 client, else empty
  std::string_view session_;
  std::string_view body_;
  std::optional<std::string> fetched_session_;
  std::string id_;  // made when asked for
  bool has_id_ = false;
  std::optional<Value> value_;  // of the session, read when asked for
  std::optional<Handshake> handshake_;
  wire::HandshakeVerdict verdict_;
};

}  // namespace gatehouse
