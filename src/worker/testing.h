#pragma once

// For unit tests of the worker: Events made of functions.

#include <gatehouse/cluster.h>
#include <gatehouse/events.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace gatehouse::testing {

/// What the handlers do; those that are not set do nothing.
struct Script {
  std::function<Task<>(Worker&)> on_worker_start;
  std::function<Task<>(Client&)> on_connect;
  std::function<Task<>(Client&, const Handshake&)> on_websocket_connect;
  std::function<Task<>(Client&, Message)> on_message;
  std::function<Task<>(Client&, CloseReason)> on_close;
  std::function<Task<>(Worker&)> on_worker_stop;
};

class ScriptedEvents final : public Events {
 public:
  explicit ScriptedEvents(Script& script) : script_(script) {}
  Task<> on_worker_start(Worker& worker) override { return script_.on_worker_start ? script_.on_worker_start(worker) : Task<>(); }
  Task<> on_connect(Client& client) override {
    return script_.on_connect ? script_.on_connect(client) : Events::on_connect(client);
  }
  Task<> on_websocket_connect(Client& client, const Handshake& handshake) override {
    return script_.on_websocket_connect ? script_.on_websocket_connect(client, handshake) : Task<>();
  }
  Task<> on_message(Client& client, Message message) override {
    return script_.on_message ? script_.on_message(client, message) : Task<>();
  }
  Task<> on_close(Client& client, CloseReason reason) override {
    return script_.on_close ? script_.on_close(client, std::move(reason)) : Task<>();
  }
  Task<> on_worker_stop(Worker& worker) override { return script_.on_worker_stop ? script_.on_worker_stop(worker) : Task<>(); }

 private:
  Script& script_;
};

}  // namespace gatehouse::testing
