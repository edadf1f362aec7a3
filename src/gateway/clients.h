#pragma once

#include <gatehouse/options.h>

#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/client_framing.h"
#include "gateway/client_table.h"
#include "gateway/directory.h"
#include "gateway/event_forwarder.h"
#include "gateway/limit_log.h"
#include "gateway/unfinished_messages.h"
#include "gateway/worker_table.h"
#include "net/loop.h"

namespace gatehouse::gateway {

class AccessLog;
class Heartbeat;

/// What can be done to a gateway's clients, whoever asks for it: their own protocol, a worker's command, the heartbeat.
///
/// A client leaves in one place, depart(): its names, its record and its worker's count go, its worker hears on_close. The
/// connection may live on for a moment to carry the last words, but belongs to nobody then (its tag is kNobody).
class Clients {
 public:
  struct Settings {
    std::size_t send_buffer_bytes = 1024 * 1024;
    SendBufferPolicy policy = SendBufferPolicy::disconnect;
  };
  static constexpr std::uint32_t kNobody = 0xffffffffU;

  Clients(net::Loop& loop, ClientTable& table, Directory& directory, WorkerTable& workers, EventForwarder& forwarder,
          ClientFraming& framing, UnfinishedMessages& unfinished, LimitLog& limits, Settings settings)
      : loop_(loop),
        table_(table),
        directory_(directory),
        workers_(workers),
        forwarder_(forwarder),
        framing_(framing),
        unfinished_(unfinished),
        limits_(limits),
        settings_(settings) {}

  /// For what is sent from now on. REQUIRES: the policy is the same as before.
  void change(Settings settings) { settings_ = settings; }
  /// Told of clients with a heartbeat of their own that go. REQUIRES: before there is one.
  void set_heartbeat(Heartbeat& heartbeat) { heartbeat_ = &heartbeat; }

  /// Told of every client that goes. REQUIRES: before there is one.
  void set_access_log(AccessLog& log) { access_log_ = &log; }

  /// One message to one client. Under SendBufferPolicy::keep_latest, `key` names what it tells; empty for nothing in particular.
  void send(std::uint32_t client, std::string_view message, bool binary, bool raw, std::string_view key = {});

  /// One message to many: encoded when the first one needs it, then shared. What a Protocol cannot encode (it throws) is sent to
  /// nobody. To very many it is written in slices of time, with others served between them.
  class Broadcast {
    static constexpr std::uint32_t kFirst = 256;  // that are written at once with all the rest
    /// Its compressed forms, one for each size of window that its receivers agreed on; nearly always that is one size.
    struct Deflated {
      std::array<net::SharedBytes, 16> by_bits;  // empty when it is better sent plain
      std::uint16_t tried = 0;                   // a bit for each
    };

   public:
    Broadcast(Clients& clients, std::string_view message, bool binary, bool raw, std::string_view key = {})
        : clients_(clients), message_(message), key_(clients.keeps_latest() ? key : ""), binary_(binary), raw_(raw) {}
    void to(std::uint32_t client);

   private:
    bool encode();
    const net::SharedBytes* deflated_for(const ClientRecord& record);
    /// `frame` with the key behind it.
    [[nodiscard]] net::SharedBytes with_key(const net::SharedBytes& frame) const;
    const net::SharedBytes& keyed();

    Clients& clients_;
    std::string_view message_;
    std::string_view key_;
    net::SharedBytes encoded_;
    net::SharedBytes keyed_;  // the same with the key, when there is one
    std::unique_ptr<Deflated> deflated_;
    std::uint32_t receivers_ = 0;
    bool binary_;
    bool raw_;
    bool tried_ = false;
    bool failed_ = false;
  };

  /// Says why, as far as its protocol can (`code` in a WebSocket close frame; 0: none), writes what is queued, and ends.
  void close(std::uint32_t client, CloseReason::Cause cause, std::uint16_t code, std::string_view words = {});
  /// Ends at once.
  void destroy(std::uint32_t client, CloseReason::Cause cause);
  /// Ends it without waiting for anything that its peer does: of what is queued it gets what the kernel takes at once, and it is
  /// told why when nothing else waits.
  void cut(std::uint32_t client, CloseReason::Cause cause, std::uint16_t code, std::string_view words);
  /// The connection has ended by itself or is about to: everything that is known of the client goes, its worker is told.
  void depart(std::uint32_t client, const CloseReason& reason);

  /// A WebSocket handshake is expected.
  void begin_handshake(std::uint32_t client);
  /// Clients whose handshake is not done.
  [[nodiscard]] std::size_t handshaking() const { return handshaking_; }
  /// The WebSocket handshake is done: what waited for it follows.
  void open(std::uint32_t client);

  /// Passes an event on; ends the client when it cannot be.
  void forward(std::uint32_t client, const EventForwarder::Event& event);

  /// Adds what is known of the client to what `connections` shows of its connection.
  void describe(std::uint32_t client, ConnectionRow& row) const;

  /// Ends the clients that do not read what is sent to them. Called after a command, never while a member list is walked.
  void end_slow_consumers() {
    if (!slow_.empty()) end_those_too_slow();
  }

  [[nodiscard]] std::uint64_t messages_sent() const { return messages_sent_; }
  [[nodiscard]] std::uint64_t send_failures() const { return send_failures_; }
  void count_send_failure() { ++send_failures_; }
  /// The client met a limit.
  void hit(Limit limit, std::uint32_t client);

 private:
  void end_handshake(const ClientRecord& record) {
    if (record.stage == ClientRecord::Stage::handshake || record.stage == ClientRecord::Stage::asked) --handshaking_;
  }
  /// The connection, if the client may be sent one more message; otherwise counts a failure, and notes a slow client.
  net::Connection* ready_for(const ClientRecord& record, std::string_view key = {}) {
    net::Connection* connection = loop_.find(record.connection);
    const bool usual = connection != nullptr && connection->is_open() && record.held == nullptr && !drops_oldest() &&
                       !keeps_latest() && connection->queued_bytes() < settings_.send_buffer_bytes;
    return usual ? connection : ready_unusually(record, connection, key);
  }
  net::Connection* ready_unusually(const ClientRecord& record, net::Connection* connection, std::string_view key);
  void end_those_too_slow();
  [[nodiscard]] bool drops_oldest() const { return settings_.policy == SendBufferPolicy::drop_oldest; }
  [[nodiscard]] bool keeps_latest() const { return settings_.policy == SendBufferPolicy::keep_latest; }
  [[nodiscard]] std::size_t queued(const net::Connection& connection) const;
  bool make_room(net::Connection& connection, const ClientRecord& record, std::string_view key);
  bool replace_latest(net::Connection& connection, const ClientRecord& record, std::string_view key);
  void deliver(net::Connection& connection, const net::SharedBytes& message, std::size_t key_size, bool is_bulk);
  void cannot_encode(const std::exception& error);

  net::Loop& loop_;
  ClientTable& table_;
  Directory& directory_;
  WorkerTable& workers_;
  EventForwarder& forwarder_;
  ClientFraming& framing_;
  UnfinishedMessages& unfinished_;
  LimitLog& limits_;
  Settings settings_;
  Heartbeat* heartbeat_ = nullptr;
  AccessLog* access_log_ = nullptr;  // null: none is kept
  std::vector<std::uint32_t> slow_;  // connection ids
  std::size_t handshaking_ = 0;
  std::uint64_t messages_sent_ = 0;
  std::uint64_t send_failures_ = 0;
  std::uint64_t encode_failures_ = 0;
};

}  // namespace gatehouse::gateway
