#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/client_table.h"
#include "gateway/clients.h"
#include "gateway/event_forwarder.h"
#include "gateway/limit_log.h"
#include "gateway/worker_table.h"
#include "net/loop.h"
#include "wire/handshake_verdict.h"

namespace gatehouse::gateway {

/// The opening handshakes of WebSocket clients: the time they have, and their answers, which the gateway gives at once or, when
/// it is configured so, the business gives from on_websocket_connect.
///
/// A worker of PHP has no word for that answer, and does not say when its callback has run. So its commands about the client are
/// taken for it: a kick (closeClient) refuses; the first that writes its session (also $_SESSION, which PHP's worker sends
/// when the callback has run), or binds it to a uid or a group, lets it in; and so does kPhpAnswerMs without any of these. What
/// is sent to the client meanwhile follows the 101, or is dropped with a refusal.
class Handshakes {
 public:
  struct Settings {
    std::uint64_t deadline_ms = 10'000;
    bool ask_worker = false;
  };
  /// A request that is all right.
  struct Request {
    std::string accept_key;
    std::string extensions;            // agreed on; empty for none
    std::string subprotocol;           // chosen by configuration; empty for none
    std::vector<std::string> offered;  // subprotocols
  };

  Handshakes(net::Loop& loop, ClientTable& table, Clients& clients, WorkerTable& workers, const EventForwarder& forwarder,
             LimitLog& limits, Settings settings)
      : loop_(loop),
        table_(table),
        clients_(clients),
        workers_(workers),
        forwarder_(forwarder),
        limits_(limits),
        settings_(settings) {}
  Handshakes(const Handshakes&) = delete;
  Handshakes& operator=(const Handshakes&) = delete;
  ~Handshakes();

  /// For handshakes that begin from now on.
  void change(Settings settings) { settings_ = settings; }
  /// Its time begins.
  void begin(std::uint32_t client);
  /// Tells a worker and answers, or waits for what that worker says. `head` is that of the client's request, to its empty line.
  void decide(std::uint32_t client, Request request, std::string_view head);
  /// The longest wait for a worker of PHP, if half the deadline is not shorter.
  static constexpr std::uint64_t kPhpAnswerMs = 1000;

  /// Refuses with an HTTP response.
  void refuse(std::uint32_t client, const std::string& response, const char* reason);
  /// What the business says; nobody waits for it when the client has gone or was not asked about.
  void answer(std::uint32_t connection_id, const wire::HandshakeVerdict& verdict);

  /// A command that says that a worker of PHP lets its client in. No more than that when nobody waits for it.
  void let_in(std::uint32_t client);
  /// A worker ends the client before it is in: 403, with `words` if there are any. False when nobody waits for an answer.
  bool turn_away(std::uint32_t client, std::string_view words);

  /// Ends those whose time is over, and opens those that no native worker can be asked about any more. Called about once a
  /// second.
  void end_late();

 private:
  struct Deadline {
    std::uint32_t connection_id;
    std::uint64_t at_ms;
  };
  struct Asked {
    Request request;
    bool is_timed = false;  // a worker of PHP has been told, and has kPhpAnswerMs
    net::TimerId timer;
  };
  /// Whether the worker that has heard of it, or will hear of it, can answer.
  [[nodiscard]] bool can_be_answered(const ClientRecord& record) const;
  /// It is a worker of PHP that is asked.
  void give_php_time(std::uint32_t client, Asked& asked);
  /// Its request, when it was asked about; nobody waits for an answer from now on.
  std::optional<Request> take_asked(std::uint32_t connection_id);
  void refuse_asked(std::uint32_t client, int status, std::string_view words);
  void accept(std::uint32_t client, const Request& request);

  net::Loop& loop_;
  ClientTable& table_;
  Clients& clients_;
  WorkerTable& workers_;
  const EventForwarder& forwarder_;
  LimitLog& limits_;
  Settings settings_;
  std::deque<Deadline> deadlines_;                  // in their order, since all are equally far away
  std::unordered_map<std::uint32_t, Asked> asked_;  // by connection id
};

}  // namespace gatehouse::gateway
