#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "link/finished_events.h"
#include "link/gateway_key.h"
#include "link/outage.h"
#include "net/loop.h"
#include "wire/gateway_protocol.h"

namespace gatehouse::link {

/// Two connections to the inner port of one gateway: one brings events, the other takes commands and questions in order and
/// brings the answers in the same order, so whoever asks sees what it has commanded before. Each is dialled again a second after
/// a loss, as long as the register lists the gateway; one that stands is never cut because the list changes.
///
/// What is sent before the command connection first comes up is held, up to Settings::max_held_bytes; from its first failure on
/// it is dropped and counted while the connection is down.
///
/// To a gateway that wants to know, each event is acknowledged when its owner says that it has been finished: on the command
/// connection, behind the commands of its handler, so that what counts as finished has had its effects. When either connection is
/// lost so is the other, and the gateway gives what was not acknowledged to somebody else.
///
/// The first thing that is asked on a command connection is whether the gateway knows our extension: a SELECT, which upstream's
/// gateways answer too, with nothing. What is sent before that answer waits for it, in the form for a gateway that knows it.
class GatewayLink final : private net::ConnectionHandler {
 public:
  struct Settings {
    std::string secret_key;
    std::string worker_key;  // "name:index"; only for links that take events
    wire::Delivery delivery = wire::Delivery::at_least_once;
    int reconnect_ms = 1000;
    int ping_ms = 25'000;  // when the gateway is not on loopback
    int settled_ms = Outage::kSettledMs;
    /// Of an event. Upstream's gateways send messages of up to 10 MB, with the client's session before them.
    std::size_t max_frame_size = wire::GatewayHeader::kSize + 32 * 1024 * 1024;
    std::size_t max_answer_size = 256 * 1024 * 1024;  // the sessions of all clients of a gateway come in one
    std::size_t max_held_bytes = 1024 * 1024;
    std::size_t max_queued_bytes = 64 * 1024 * 1024;  // towards a gateway that does not read
    net::TlsContext* tls = nullptr;                   // null: not encrypted. Must outlive the link
  };

  /// Whom the links belong to. Any call on the link is allowed inside these.
  class Owner {
   public:
    Owner() = default;
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    virtual ~Owner() = default;
    /// `ticket` is for finished().
    virtual void on_event(GatewayLink& link, const wire::GatewayFrame& frame, const EventTicket& ticket) = 0;
    virtual void on_events_lost(GatewayLink& link) = 0;
    virtual void on_answer(GatewayLink& link, std::uint64_t question, std::string_view answer) = 0;
    /// The connection was lost, or could not be made, before the answer came.
    virtual void on_unanswered(GatewayLink& link, std::uint64_t question) = 0;
    /// Nothing stands, and nothing will be dialled.
    virtual void on_idle(GatewayLink& link) = 0;
    /// A frame that needs our extension (needs_extension), and the gateway does not know it. To be done in another way.
    virtual void on_not_understood(GatewayLink& link, const wire::GatewayFrame& frame) = 0;
    /// The command connection ended, and commands that it had been given may not have reached the gateway.
    virtual void on_commands_lost(GatewayLink& link) = 0;
  };

  /// `settings` must outlive the link. Dials nothing yet.
  GatewayLink(net::Loop& loop, const Settings& settings, GatewayKey key, const net::Endpoint& endpoint, Owner& owner);

  [[nodiscard]] GatewayKey key() const { return key_; }
  /// It told of our extension on the event connection.
  [[nodiscard]] bool is_native() const { return events_.native; }
  /// What is sent now must be as upstream's gateways know it. Otherwise the gateway knows our extension, or is still being asked
  /// and the link itself takes back what it does not know.
  [[nodiscard]] bool is_upstreams() const { return commands_.ready && !commands_.native && !events_.native; }
  /// A command that has no other form: one that is not just read with less in it.
  static bool needs_extension(wire::Command command, std::string_view ext);
  [[nodiscard]] bool is_idle() const { return !listed_ && !commands_.busy && !events_.busy; }
  [[nodiscard]] bool has_events() const { return events_.busy; }
  /// The event connection is to a gateway that ends it, after close_events(), when all that it had sent is finished.
  [[nodiscard]] bool ends_events_in_order() const { return hello_.link != 0; }
  [[nodiscard]] bool takes_commands() const { return commands_.ready; }
  /// The event connection is up, and the gateway has answered on it, if it is one that does.
  [[nodiscard]] bool takes_events() const { return events_.ready && (!commands_.native || events_.native); }
  /// How many of the two connections are up, and answer.
  [[nodiscard]] std::size_t connected() const { return (commands_.ready ? 1U : 0U) + (events_.ready ? 1U : 0U); }
  [[nodiscard]] std::size_t queued_bytes() const;

  void set_listed(bool listed);
  /// Dials the event connection and says which worker this is.
  void open_events();
  /// The gateway sends its clients' events elsewhere from then on; what it had sent already is still delivered, and the gateway
  /// closes the event connection when all of it has been finished.
  void close_events();
  /// The event is done with. `at_once`: written before this returns, not only at the end of the loop's iteration.
  void finished(const EventTicket& ticket, bool at_once);
  /// A redelivered event is about to be handled: written before this returns, for it may be what ends this process.
  void begun(const EventTicket& ticket);
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
    bool ready = false;       // up, and of the commands: what the gateway knows has been asked and answered
    bool native = false;      // the gateway knows our extension
    bool complained = false;  // in this outage
  };
  struct Asked {
    std::uint64_t question = 0;
    std::uint64_t commands = 0;  // how many had been sent before it: its answer says that they have been carried out
  };
  static constexpr std::uint32_t kCommands = 0;  // Connection::tag
  static constexpr std::uint32_t kEvents = 1;

  void on_open(net::Connection& connection) override;
  std::size_t on_data(net::Connection& connection, std::span<char> bytes, std::size_t seen) override;
  void on_close(net::Connection& connection, net::CloseCause cause, int error) override;
  void describe(const net::Connection& connection, ConnectionRow& row) const override;

  Side& side(std::uint32_t tag) { return tag == kEvents ? events_ : commands_; }
  void dial(std::uint32_t tag);
  void dial_later(std::uint32_t tag);
  std::size_t take_events(net::Connection& connection, std::string_view bytes);
  std::size_t take_answers(net::Connection& connection, std::string_view bytes);
  void on_frame(net::Connection& connection, const wire::GatewayFrame& frame);
  void ask_extension(net::Connection& connection);
  void on_extension(net::Connection& connection, std::string_view answer);
  void send_held(net::Connection& connection, bool native);
  void drop_questions();
  [[nodiscard]] bool may_have_lost() const;
  [[nodiscard]] char* hold(std::size_t size);
  [[nodiscard]] char* room(std::size_t size);
  void on_hello(net::Connection& connection, std::string_view body);
  void tell_finished();
  void send_ranges(wire::Command command, std::string_view ranges);
  void show_life();
  void keep_alive();
  void be_up();
  void complain(Side& which, const char* name, net::CloseCause cause, const std::string& reason);
  void refuse(net::Connection& connection, std::string_view bytes, const std::string& why);

  net::Loop& loop_;
  const Settings& settings_;
  const GatewayKey key_;
  const net::Endpoint endpoint_;
  Owner* owner_;
  Side commands_;
  Side events_;
  net::TimerId keep_alive_;
  net::TimerId show_life_;
  net::TimerId settled_;
  Outage outage_;                   // of either connection
  wire::Hello hello_;               // link 0: nothing is to be acknowledged
  std::uint32_t events_epoch_ = 1;  // of the event connection, in tickets
  std::uint64_t next_event_ = 0;
  FinishedEvents finished_;
  std::deque<Asked> asked_;  // questions without an answer, in the order they were sent
  std::string held_;         // frames for a command connection that is not ready
  std::uint64_t commands_sent_ = 0;
  std::uint64_t commands_done_ = 0;  // by what the answers say
  std::uint64_t last_command_ms_ = 0;
  bool holding_ = true;
  bool hold_complained_ = false;
  bool queue_complained_ = false;
  bool listed_ = false;
  bool wants_events_ = false;
  bool events_paused_ = false;
  bool reading_ = false;  // within on_data: what is finished there is told at its end
};

}  // namespace gatehouse::link
