#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "link/gateway_key.h"
#include "net/loop.h"
#include "wire/gateway_protocol.h"

namespace gatehouse::link {

/// Two connections to the inner port of one gateway: one brings events, the other takes commands and questions in order and brings
/// the answers in the same order, so whoever asks sees what it has commanded before. Each is dialled again a second after a loss,
/// as long as the register lists the gateway; one that stands is never cut because the list changes.
///
/// What is sent before the command connection first comes up is held, up to Settings::max_held_bytes; from its first failure on it
/// is dropped and counted while the connection is down.
class GatewayLink final : private net::ConnectionHandler {
 public:
  struct Settings {
    std::string secret_key;
    std::string worker_key;  // "name:index"; only for links that take events
    int reconnect_ms = 1000;
    int ping_ms = 25'000;  // when the gateway is not on loopback
    /// Of an event. Upstream's gateways send messages of up to 10 MB, with the client's session before them.
    std::size_t max_frame_size = wire::GatewayHeader::kSize + 16 * 1024 * 1024;
    std::size_t max_answer_size = 256 * 1024 * 1024;  // the sessions of all clients of a gateway come in one
    std::size_t max_held_bytes = 1024 * 1024;
    std::size_t max_queued_bytes = 64 * 1024 * 1024;  // towards a gateway that does not read
  };

  /// Whom the links belong to. Any call on the link is allowed inside these.
  class Owner {
   public:
    Owner() = default;
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    virtual ~Owner() = default;
    virtual void on_event(GatewayLink& link, const wire::GatewayFrame& frame) = 0;
    virtual void on_events_lost(GatewayLink& link) = 0;
    virtual void on_answer(GatewayLink& link, std::uint64_t question, std::string_view answer) = 0;
    /// The connection was lost, or could not be made, before the answer came.
    virtual void on_unanswered(GatewayLink& link, std::uint64_t question) = 0;
    /// Nothing stands, and nothing will be dialled.
    virtual void on_idle(GatewayLink& link) = 0;
  };

  /// `settings` must outlive the link. Dials nothing yet.
  GatewayLink(net::Loop& loop, const Settings& settings, GatewayKey key, const net::Endpoint& endpoint, Owner& owner);

  [[nodiscard]] GatewayKey key() const { return key_; }
  /// It told of our extension on the event connection.
  [[nodiscard]] bool is_native() const { return native_; }
  [[nodiscard]] bool is_idle() const { return !listed_ && !commands_.busy && !events_.busy; }
  [[nodiscard]] bool has_events() const { return events_.busy; }
  /// How many of the two connections are up.
  [[nodiscard]] std::size_t connected() const { return (commands_.up ? 1U : 0U) + (events_.up ? 1U : 0U); }
  [[nodiscard]] std::size_t queued_bytes() const;

  void set_listed(bool listed);
  /// Dials the event connection and says which worker this is.
  void open_events();
  /// Ends our direction of the event connection: the gateway sends its clients' events elsewhere from then on, and what it had sent
  /// already is still delivered.
  void close_events();
  void pause_events(bool paused);
  /// Writes what is queued and closes both connections in order; on_idle tells when they are gone. Dials no more.
  void close();
  /// Destroys both connections and calls the owner no more. Then hand the link to retire().
  void abandon();

  /// Room for one frame on the command connection, to be filled at once; null when it cannot be sent (counted by the owner).
  [[nodiscard]] char* command(std::size_t size);
  /// The same for a question. Unless null, on_answer or on_unanswered follows, but not from within this call.
  [[nodiscard]] char* question(std::size_t size, std::uint64_t id);

 private:
  /// One of the two connections.
  struct Side {
    net::ConnectionId connection;
    net::TimerId redial;
    std::uint64_t opened_ms = 0;
    bool busy = false;  // dialled and not yet reported as closed
    bool up = false;
    bool complained = false;
  };
  static constexpr std::uint32_t kCommands = 0;  // Connection::tag
  static constexpr std::uint32_t kEvents = 1;

  void on_open(net::Connection& connection) override;
  std::size_t on_data(net::Connection& connection, std::span<char> bytes, std::size_t seen) override;
  void on_close(net::Connection& connection, net::CloseCause cause, int error) override;

  Side& side(std::uint32_t tag) { return tag == kEvents ? events_ : commands_; }
  void dial(std::uint32_t tag);
  void dial_later(std::uint32_t tag);
  std::size_t take_events(net::Connection& connection, std::string_view bytes);
  std::size_t take_answers(net::Connection& connection, std::string_view bytes);
  void on_frame(const wire::GatewayFrame& frame);
  void drop_questions();
  void keep_alive();
  void complain(Side& which, const char* name, net::CloseCause cause, int error);
  void refuse(net::Connection& connection, const std::string& why);

  net::Loop& loop_;
  const Settings& settings_;
  const GatewayKey key_;
  const net::Endpoint endpoint_;
  Owner* owner_;
  Side commands_;
  Side events_;
  net::TimerId keep_alive_;
  std::deque<std::uint64_t> asked_;  // questions without an answer, in the order they were sent
  std::string held_;                 // frames for a command connection that has not been up yet
  bool holding_ = true;
  bool hold_complained_ = false;
  bool queue_complained_ = false;
  bool listed_ = false;
  bool wants_events_ = false;
  bool events_paused_ = false;
  bool native_ = false;
};

}  // namespace gatehouse::link
