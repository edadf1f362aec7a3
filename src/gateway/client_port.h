#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gatehouse/options.h>

#include "gateway/access_log.h"
#include "gateway/admission.h"
#include "gateway/client_framing.h"
#include "gateway/client_rates.h"
#include "gateway/client_table.h"
#include "gateway/clients.h"
#include "gateway/deny_list.h"
#include "gateway/handshakes.h"
#include "gateway/last_answers.h"
#include "gateway/limit_log.h"
#include "gateway/proxies.h"
#include "gateway/turns.h"
#include "gateway/unfinished_messages.h"
#include "gateway/worker_table.h"
#include "net/loop.h"
#include "net/tls_context.h"
#include "wire/http_head.h"
#include "wire/websocket_frame.h"

namespace gatehouse::gateway {

/// The public side of a gateway: accepts clients, shakes hands, decodes what they say and passes it on.
class ClientPort : public net::ConnectionHandler {
 public:
  struct Settings {
    std::size_t max_message_bytes = 1024 * 1024;
    std::string scheme = {};  // "websocket", for `connections`
    std::vector<std::string> subprotocols = {};
    std::vector<std::string> allowed_origins = {};  // empty: all
    wire::HttpLimits head = {};
    std::uint64_t first_bind_ms = 0;  // 0: no deadline
    ClientRates::Settings rates = {};
    RateAction over_rate = RateAction::delay;
    std::uint64_t arrival_ms = 10'000;  // time for a proxy to say whom it speaks for
    net::TlsContext* tls = nullptr;     // null: clients are not encrypted
    std::string health_path = {};       // empty: there is none
    net::AcceptShare* share = nullptr;  // with the other processes of its port; null: there are none
  };
  /// The parts of the gateway that it works with.
  struct Parts {
    net::Loop& loop;
    ClientTable& table;
    Clients& clients;
    Handshakes& handshakes;
    LastAnswers& last_answers;
    ClientFraming& framing;
    wire::WebSocketReader& websockets;
    UnfinishedMessages& unfinished;
    Admission& admission;
    const Proxies& proxies;
    LimitLog& limits;
    Turns& turns;
    const WorkerTable& workers;
    AccessLog* access_log = nullptr;  // null: none is kept
  };

  ClientPort(const Parts& parts, Settings settings);

  /// For clients and messages from now on; the scheme and what encrypts stay as they are.
  void change(Settings settings);
  /// The addresses of those that Admission has let in and that have not left.
  [[nodiscard]] std::vector<net::Address> admitted() const;

  [[nodiscard]] bool lets_in(const net::Address& peer) override;
  void on_open(net::Connection& connection) override;
  std::size_t on_data(net::Connection& connection, std::span<char> bytes, std::size_t seen) override;
  void on_close(net::Connection& connection, net::CloseCause cause, int error) override;
  void on_nothing_shown(net::Connection& connection) override;
  bool on_peer_finished(net::Connection& connection) override;
  void on_tls(net::Connection& connection, net::TlsEvent event) override;
  void describe(const net::Connection& connection, ConnectionRow& row) const override;
  [[nodiscard]] std::string_view refusal() const override;

  /// Ends those whose handshake, message, or first uid or group, is not there in time. Called about once a second.
  void end_late();
  /// Ends those that are no clients yet, since it is not known who they are.
  void end_arrivals();
  /// From now on everybody who comes hears 503, also who asks for health_path. REQUIRES: there is one.
  void drain() { draining_ = true; }

  /// Denies addresses until the loop's time `until_ms`, and disconnects those clients that are there, little by little. Returns
  /// how many those are. Those whom the gateway trusts as proxies are not meant, for behind them is somebody else.
  std::size_t deny(const net::AddressRange& range, std::uint64_t until_ms);
  /// False when exactly this range was not denied.
  bool allow(const net::AddressRange& range) { return denied_.remove(range); }

  [[nodiscard]] std::uint64_t messages() const { return messages_; }
  /// Tells the other processes of the port how many clients there are, and whether there is room for more. Called whenever that
  /// may have changed.
  void tell_share() {
    if (settings_.share != nullptr) settings_.share->set_clients(static_cast<std::uint32_t>(connections_), !admission_.is_full());
  }

  /// Those that are still open, also of clients that have departed and whose last words are on their way.
  [[nodiscard]] std::size_t connections() const { return connections_; }

 private:
  struct Deadline {
    std::uint32_t connection_id;
    std::uint64_t at_ms;
  };
  struct Arrival {
    net::ConnectionId connection;
    std::uint64_t deadline_ms;
  };
  /// Tags of connections that are no client's, beside Clients::kNobody: refused at once; a proxy's, that has to say in a PROXY
  /// header or in the head of its request who the client is.
  static constexpr std::uint32_t kRefused = 0xfffffffeU;
  static constexpr std::uint32_t kProxyHeader = 0xfffffffdU;
  static constexpr std::uint32_t kHttpHead = 0xfffffffcU;
  static constexpr bool is_arrival(std::uint32_t tag) { return tag == kProxyHeader || tag == kHttpHead; }
  static constexpr bool is_client(std::uint32_t tag) { return tag < kHttpHead; }
  static constexpr std::size_t kCutAtOnce = 200;     // clients that are disconnected in one iteration
  static constexpr std::size_t kMostRefusals = 256;  // that are told why, at a time; more are just closed

  void let_in(net::Connection& connection);
  void refuse_at_once(net::Connection& connection, Limit limit);
  [[nodiscard]] std::string words_for_refused(const net::Connection& connection, int status) const;
  void refuse_arrival(net::Connection& connection, Limit limit, int status);
  /// From here on come the client's own bytes.
  void start(net::Connection& connection);
  /// It is known who the client is: a worker hears of it.
  void admit(net::Connection& connection);
  /// False, and it is refused, when there are too many of that address.
  bool move_to(net::Connection& connection, const net::Address& address);
  std::size_t read_arrival(net::Connection& connection, std::span<char> bytes, std::size_t seen);
  std::size_t read_proxy_header(net::Connection& connection, std::string_view bytes);
  bool read_head(net::Connection& connection, std::string_view bytes, std::size_t seen);
  [[nodiscard]] bool wants_head_first(const net::Address& peer) const;
  /// Whether it is denied, and is nobody who speaks for others.
  [[nodiscard]] bool is_denied(const net::Address& address) const;
  void cut(std::vector<std::uint32_t> ids);
  /// Gives the connection, which is no client's, its last words.
  void end_with(net::Connection& connection, const std::string& words);
  std::size_t read_client(net::Connection& connection, std::span<char> bytes, std::size_t seen);
  /// Whether the client may say something more now; if not, it is read from later, or it has been closed.
  bool may_speak(net::Connection& connection, std::uint32_t client);
  bool spend(std::uint32_t client, std::uint32_t messages, std::size_t bytes);
  /// Notes what of the client is kept until more of it comes; `is_new`: it begins a message. When that is too much with what
  /// others have left, clients are closed: false when this one is.
  bool may_wait(net::Connection& connection, std::uint32_t client, std::size_t left, bool is_new);
  void make_room();
  void end_late_messages();

  std::size_t shake_hands(net::Connection& connection, std::span<char> bytes, std::size_t seen);
  std::size_t read_frames(net::Connection& connection, std::span<char> bytes);
  std::size_t read_stream(net::Connection& connection, std::span<char> bytes, std::size_t seen);
  /// One WebSocket event; false when the client has gone with it.
  bool take(net::Connection& connection, std::uint32_t client, const wire::WebSocketEvent& event, bool is_last);
  void inflate_and_deliver(std::uint32_t client, const wire::WebSocketEvent& event);
  void deliver(std::uint32_t client, std::string_view message, bool binary);
  void fail(std::uint32_t client, std::uint16_t code, const char* reason);
  void refuse_stream(std::uint32_t client, std::string_view bytes, const std::string& why);
  void close(std::uint32_t client, CloseReason::Cause cause, std::uint16_t code, const char* words);
  [[nodiscard]] bool still(const net::Connection& connection, std::uint32_t client) const {
    return connection.is_open() && connection.tag == client && !connection.is_paused();
  }

  net::Loop& loop_;
  ClientTable& table_;
  Clients& clients_;
  Handshakes& handshakes_;
  LastAnswers& last_answers_;
  ClientFraming& framing_;
  wire::WebSocketReader& websockets_;
  UnfinishedMessages& unfinished_;
  Admission& admission_;
  const Proxies& proxies_;
  LimitLog& limits_;
  Turns& turns_;
  const WorkerTable& workers_;
  AccessLog* const access_log_;
  Settings settings_;
  DenyList denied_;
  bool draining_ = false;
  ClientRates rates_;
  wire::HttpHead head_;               // of the handshake at hand; kept for its memory
  std::deque<Deadline> first_binds_;  // in the order of their deadlines, which are all equally far away
  std::deque<Arrival> arrivals_;      // in the order of their deadlines; some are clients meanwhile, or gone
  std::size_t refusals_ = 0;          // that are being told why
  std::uint64_t messages_ = 0;
  int inflating_ = 0;              // work of this turn, see Turns
  bool has_unread_pongs_ = false;  // who is read from now has said a ping and does not read what it is answered
  std::size_t connections_ = 0;
};

}  // namespace gatehouse::gateway
