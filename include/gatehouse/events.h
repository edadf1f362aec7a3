#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <gatehouse/client.h>
#include <gatehouse/close_reason.h>
#include <gatehouse/handshake.h>
#include <gatehouse/message.h>
#include <gatehouse/task.h>
#include <gatehouse/worker.h>

namespace gatehouse {

/// The business: derive from it and say what happens. One object per worker process, made after the process has started.
///
/// Every handler is a coroutine, or a plain function that returns one, or an empty task (`return {};`). The events of one client
/// run strictly one after the other, in order; while a handler awaits something, other clients' events run. An exception that
/// leaves a handler is logged with the client's id and counted; the worker and its other clients go on.
class Events {
 public:
  Events() = default;
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;
  virtual ~Events() = default;

  /// Once per process, before any other event.
  virtual Task<> on_worker_start(Worker& worker);
  /// At TCP accept: for a WebSocket client before its handshake. What is sent to it here arrives after the handshake.
  virtual Task<> on_connect(Client& client);
  /// A WebSocket client's handshake request has come.
  virtual Task<> on_websocket_connect(Client& client, const Handshake& handshake);
  /// One whole message.
  virtual Task<> on_message(Client& client, Message message) = 0;
  /// The connection has ended, for whatever reason; the session is as it was last. May come without any on_message before it.
  virtual Task<> on_close(Client& client, CloseReason reason);
  /// Once, before an orderly end of the process (not when it is killed). Events have stopped; it has until the stop time-out.
  virtual Task<> on_worker_stop(Worker& worker);
};

using EventsFactory = std::function<std::unique_ptr<Events>()>;

/// `.events = gh::make_events<ChatRoom>(arguments...)`: each worker process makes its own ChatRoom from a copy of the arguments.
template <class T, class... Args>
EventsFactory make_events(Args... args) {
  return [args...] { return std::make_unique<T>(args...); };
}

}  // namespace gatehouse
