#pragma once

#include <tsl/robin_map.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gatehouse/data.h>
#include <gatehouse/value.h>

#include "base/log_limit.h"
#include "link/gateway_link.h"
#include "link/inquiry.h"
#include "link/questions.h"
#include "link/register_links.h"
#include "wire/handshake_verdict.h"

namespace gatehouse {

/// All gateways of a cluster, found through its registers: every command and question of Cluster and GatewayClient.
///
/// Until a register has told its first list, commands are held up to Settings::max_held_bytes and questions wait (their time
/// runs), so that both may be used from the first moment on.
///
/// Bad arguments throw std::invalid_argument (link/arguments.h), and so does a call that carries more than wire::kMostCarried;
/// nothing has been sent then. What a gateway of PHP would not read (wire::kMostUpstreamFrame) is not sent to it: dropped, and
/// told by take_missed(). That is known only when the gateway is.
class ClusterCalls final : private link::GatewayLink::Owner {
 public:
  struct Settings {
    std::vector<std::string> register_addresses;
    std::string secret_key;
    std::string worker_key;  // "name:index"; only for those that take events
    wire::Delivery delivery = wire::Delivery::at_least_once;
    int reconnect_ms = 1000;
    int settled_ms = link::Outage::kSettledMs;
    int question_timeout_ms = 5000;
    /// Of a question that is asked before any register has told its list, until one has; 0 is question_timeout_ms.
    int connect_timeout_ms = 0;
    std::size_t max_held_bytes = 1024 * 1024;
    /// Null: not encrypted. Must outlive the calls.
    net::TlsContext* tls = nullptr;
  };
  /// None is the gateway's own, 0 no heartbeat.
  using PingInterval = std::optional<std::chrono::milliseconds>;
  /// A gateway that commands did not reach, or may not have reached, and why, unless the connection to it is what was missing.
  struct Missed {
    std::string gateway;
    std::string why;
    friend bool operator==(const Missed&, const Missed&) = default;
  };
  /// Takes what the event connections bring.
  class EventHandler {
   public:
    EventHandler() = default;
    EventHandler(const EventHandler&) = delete;
    EventHandler& operator=(const EventHandler&) = delete;
    virtual ~EventHandler() = default;
    /// `native` says that the gateway speaks our extension; `ticket` is for event_finished().
    virtual void on_event(const wire::GatewayFrame& frame, bool native, const link::EventTicket& ticket) = 0;
    /// The gateway has given this worker's clients to others.
    virtual void on_events_lost(link::GatewayKey gateway) = 0;
  };

  ClusterCalls(net::Loop& loop, Settings settings);
  ClusterCalls(const ClusterCalls&) = delete;
  ClusterCalls& operator=(const ClusterCalls&) = delete;
  ~ClusterCalls() override;

  /// Dials the registers, and the gateways as soon as they are known.
  void start();
  /// From now on takes events from every gateway. `handler` must outlive this, or call forget_events() before.
  void open_events(EventHandler& handler);
  /// Lets the gateways send no more events, except those that are under way. A gateway that is slow to see it is cut off
  /// by forget_events().
  void close_events();
  void forget_events() { events_ = nullptr; }
  /// An event of `gateway` is done with, and everything it commanded has been sent; see link::GatewayLink::finished().
  void event_finished(link::GatewayKey gateway, const link::EventTicket& ticket, bool at_once) {
    if (ticket.link == 0) return;
    if (link::GatewayLink* link = find(gateway)) link->finished(ticket, at_once);
  }
  void event_begun(link::GatewayKey gateway, const link::EventTicket& ticket) {
    if (ticket.link == 0) return;
    if (link::GatewayLink* link = find(gateway)) link->begun(ticket);
  }
  [[nodiscard]] std::size_t event_connections() const;
  /// Those of them that their gateways end by themselves, after close_events(), when all that they had sent is finished.
  [[nodiscard]] std::size_t event_connections_ending_in_order() const;
  void pause_events(bool paused);
  /// Writes what is queued, closes all in order and calls `stopped`, after a second at most.
  void stop(std::function<void()> stopped);

  // Commands. For what each does see <gatehouse/cluster.h>.
  void send_to_all(Data data, const SendOptions& options);
  void send_to_clients(const Names& client_ids, Data data, const SendOptions& options);
  void send_to_client(std::string_view client_id, Data data, const SendOptions& options);
  void send_to_uid(const Names& uids, Data data, const SendOptions& options);
  void send_to_group(const Names& groups, Data data, const SendOptions& options);
  void close_client(std::string_view client_id, const std::optional<Data>& last_words);
  void close_uid(std::string_view uid, const std::optional<Data>& last_words);
  void destroy_client(std::string_view client_id);
  void bind_uid(std::string_view client_id, std::string_view uid);
  void unbind_uid(std::string_view client_id);
  void join_group(std::string_view client_id, std::string_view group);
  void leave_group(std::string_view client_id, std::string_view group);
  void ungroup(std::string_view group);
  void set_session(std::string_view client_id, const Value& session);
  void update_session(std::string_view client_id, const Value& changes);

  void set_ping_interval(std::string_view client_id, PingInterval interval);

  // The same for a client whose id need not be read.
  void send(const wire::ClientId& client, Data data, bool raw = false, std::string_view latest_key = {});
  void close(const wire::ClientId& client, const std::optional<Data>& last_words);
  void destroy(const wire::ClientId& client);
  void set_ping_interval(const wire::ClientId& client, PingInterval interval);
  /// For an event with flag::kAwaitsAnswer.
  void answer_handshake(const wire::ClientId& client, const wire::HandshakeVerdict& verdict);
  /// `session` and `changes` are serialized, or empty for none.
  void set_session(const wire::ClientId& client, std::string_view session);
  void update_session(const wire::ClientId& client, std::string_view changes);
  /// `command` is set_session, update_session or merge_session with its ext_data; the last is for gateways that know it.
  void save_session(const wire::ClientId& client, wire::Command command, std::string_view ext);

  /// Asks; `done` is called once, later, never from within this call. Gives the question's id.
  std::uint64_t ask(const link::Inquiry& inquiry, link::OnAnswers done) {
    return ask(inquiry, std::move(done), settings_.question_timeout_ms, settings_.connect_timeout_ms);
  }
  /// Asks all gateways for a sign that they have carried out everything that was sent before; those that did not answer have not
  /// given it.
  void confirm(link::OnAnswers done, int timeout_ms);
  /// Nothing is called back any more.
  void cancel(std::uint64_t question) { questions_.cancel(question); }

  /// A register has told its list.
  [[nodiscard]] bool is_known() const { return known_; }
  /// The gateways that commands reach, and those that send their events.
  [[nodiscard]] std::size_t count_taking_commands() const;
  [[nodiscard]] std::size_t count_taking_events() const;
  /// Gateways that are known, and inner connections that are up.
  [[nodiscard]] std::size_t gateway_count() const { return links_.size(); }
  [[nodiscard]] std::size_t connected() const;
  [[nodiscard]] std::size_t registers_connected() const { return registers_.connected(); }
  /// Commands and questions, a broadcast as one for each gateway.
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  /// Those that had no gateway, or one that was not connected or did not read.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  [[nodiscard]] std::size_t queued_bytes() const;
  /// All of them since this was last called.
  std::vector<Missed> take_missed() { return std::exchange(missed_, {}); }
  /// Why no register has told its list.
  [[nodiscard]] std::string register_problem() const { return registers_.problem(); }

 private:
  std::uint64_t ask(const link::Inquiry& inquiry, link::OnAnswers done, int timeout_ms, int connect_timeout_ms);
  struct Frame {
    wire::GatewayHeader header;
    std::string_view ext = {};
    std::string_view body = {};
    bool binary = false;
    std::string_view key = {};  // of what the message tells
  };
  /// A call made before the gateways were known.
  struct Held {
    std::optional<link::GatewayKey> gateway;  // none: all of them
    wire::GatewayHeader header;
    bool binary = false;
    std::string ext;
    std::string body;
    std::string key;
    std::vector<std::pair<link::GatewayKey, std::string>> other_ext;
    std::uint64_t question = 0;
    int timeout_ms = 0;  // of the question
  };
  /// The ext_data for gateways that get another one than the rest.
  using OtherExt = std::vector<std::pair<link::GatewayKey, std::string>>;

  void on_event(link::GatewayLink& link, const wire::GatewayFrame& frame, const link::EventTicket& ticket) override;
  void on_events_lost(link::GatewayLink& link) override;
  void on_answer(link::GatewayLink& link, std::uint64_t question, std::string_view answer) override;
  void on_unanswered(link::GatewayLink& link, std::uint64_t question) override;
  void on_idle(link::GatewayLink& link) override;
  void on_not_understood(link::GatewayLink& link, const wire::GatewayFrame& frame) override;
  void on_commands_lost(link::GatewayLink& link) override { miss(link.key()); }

  void on_addresses(const std::vector<std::string>& addresses);
  link::GatewayLink* add(const std::string& address);
  link::GatewayLink* find(link::GatewayKey gateway) {
    if (last_found_ == nullptr || last_found_->key() != gateway) last_found_ = look_up(gateway);
    return last_found_;
  }
  [[nodiscard]] link::GatewayLink* look_up(link::GatewayKey gateway) const;
  void sweep();
  void remove(std::unique_ptr<link::GatewayLink> link);
  void finish_stop();

  static Frame with_last_words(Frame frame, const std::optional<Data>& last_words);
  void hold(Held held, const Frame& frame);
  void send_held();
  void to_gateway(link::GatewayKey gateway, const Frame& frame);
  void to_client(const wire::ClientId& client, wire::Command command, std::string_view ext);
  void to_all(const Frame& frame, const OtherExt& other_ext = {});
  void write(link::GatewayLink& link, const Frame& frame);
  void to_connections(link::GatewayKey gateway, const wire::GatewayHeader& header, const std::vector<std::uint32_t>& connections,
                      std::string_view body);
  void miss(link::GatewayKey gateway, const std::string& why = {});
  void refuse_ping_interval(link::GatewayKey gateway);
  void refuse_for_upstream(link::GatewayKey gateway, std::size_t bytes);
  void ask_gateway(link::GatewayLink& link, std::uint64_t question, const Frame& frame);
  void ask_known(std::uint64_t question, const std::optional<link::GatewayKey>& gateway, const Frame& frame);

  net::Loop& loop_;
  const Settings settings_;
  const link::GatewayLink::Settings link_settings_;
  EventHandler* events_ = nullptr;
  link::Questions questions_;
  link::RegisterLinks registers_;
  std::vector<std::unique_ptr<link::GatewayLink>> links_;
  tsl::robin_map<link::GatewayKey, link::GatewayLink*> by_key_;
  link::GatewayLink* last_found_ = nullptr;  // in by_key_; an event is answered where it came from, as a rule
  std::vector<Held> held_;
  std::size_t held_bytes_ = 0;
  std::vector<std::string> refused_addresses_;  // that cannot be dialled; each is logged once
  std::function<void()> stopped_;
  net::TimerId sweep_timer_;
  net::TimerId stop_timer_;
  std::uint64_t sent_ = 0;
  std::uint64_t dropped_ = 0;
  std::vector<Missed> missed_;   // each gateway once for each reason
  std::size_t translating_ = 0;  // commands that wait for an answer before they can be sent (on_not_understood)
  bool known_ = false;           // a register has told its list
  bool hold_complained_ = false;
  bool ping_complained_ = false;
  LogLimit too_long_{1};  // lines in a second
  bool events_open_ = false;
  bool events_paused_ = false;
};

}  // namespace gatehouse
