#pragma once

#include <cstdint>
#include <deque>
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

  /// For handshakes that begin from now on.
  void change(Settings settings) { settings_ = settings; }
  /// Its time begins.
  void begin(std::uint32_t client);
  /// Tells a worker and answers, or waits for what that worker says. `head` is that of the client's request, to its empty line.
  void decide(std::uint32_t client, Request request, std::string_view head);
  /// Refuses with an HTTP response.
  void refuse(std::uint32_t client, const std::string& response, const char* reason);
  /// What the business says; nobody waits for it when the client has gone or was not asked about.
  void answer(std::uint32_t connection_id, const wire::HandshakeVerdict& verdict);

  /// Ends those whose time is over, and opens those that no native worker can be asked about any more. Called about once a
  /// second.
  void end_late();

 private:
  struct Deadline {
    std::uint32_t connection_id;
    std::uint64_t at_ms;
  };
  /// Whether the worker that has heard of it, or will hear of it, can answer.
  [[nodiscard]] bool can_be_answered(const ClientRecord& record) const;
  void accept(std::uint32_t client, const Request& request);

  net::Loop& loop_;
  ClientTable& table_;
  Clients& clients_;
  WorkerTable& workers_;
  const EventForwarder& forwarder_;
  LimitLog& limits_;
  Settings settings_;
  std::deque<Deadline> deadlines_;                    // in their order, since all are equally far away
  std::unordered_map<std::uint32_t, Request> asked_;  // by connection id
};

}  // namespace gatehouse::gateway
