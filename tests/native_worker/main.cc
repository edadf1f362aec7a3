// A worker for tests: its clients make calls of Cluster by JSON messages (calls.h), and each event is told to a log file.
#include <gatehouse/gatehouse.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "calls.h"

namespace gh = gatehouse;

namespace {

class Caller : public gh::Events {
 public:
  explicit Caller(const std::string& event_log) {
    if (!event_log.empty()) log_.open(event_log, std::ios::app);
  }

  gh::Task<> on_worker_start(gh::Worker& worker) override {
    note({"worker_start", worker.index()});
    return {};
  }
  gh::Task<> on_connect(gh::Client& client) override {
    note(
        {"connect", client.id(), client.remote_address(), client.remote_port(), client.gateway_address(), client.gateway_port()});
    return {};
  }
  gh::Task<> on_websocket_connect(gh::Client& client, const gh::Handshake& handshake) override {
    note({"websocket", client.id(), handshake.query(), handshake.server(), handshake.cookies()});
    if (handshake.query().contains("name")) client.session() = {{"name", handshake.query("name")}};
    if (handshake.query().contains("refuse")) client.refuse(std::stoi(handshake.query("refuse")), "not you");
    if (handshake.query().contains("protocol")) client.choose_subprotocol(handshake.query("protocol"));
    return {};
  }
  gh::Task<> on_message(gh::Client& client, gh::Message message) override {
    gh::Value request = gh::Value::parse(message.text(), nullptr, false);
    note({"message", client.id(), request.is_object() ? request : gh::Value(message.size()), client.session()});
    if (!request.is_object()) {
      client.send("echo " + std::string(message.text()));
      co_return;
    }
    if (request.contains("session")) client.session() = request["session"];
    if (request.contains("merge")) client.session().update(request["merge"]);
    if (request.contains("erase")) client.session().erase(request["erase"].get<std::string>());
    if (request.contains("count")) {
      gh::Value& count = client.session()["count"];
      count = count.is_null() ? 1 : count.get<int>() + 1;
    }
    if (request.contains("sleep")) co_await gh::sleep(std::chrono::milliseconds(request["sleep"].get<int>()));
    if (request.contains("until")) {
      // The test knows that the handler runs, and decides how long: until there is a file of this name.
      const auto file = request["until"].get<std::string>();
      std::ofstream(file + ".begun").close();
      while (!std::filesystem::exists(file)) co_await gh::sleep(std::chrono::milliseconds(5));
    }
    gh::Value answer = {{"id", client.id()}, {"session", client.session()}};
    if (request.contains("call")) {
      try {
        answer["result"] = co_await make_call(client.cluster(), request);
      } catch (const std::exception& error) {
        answer["error"] = error.what();
      }
    }
    client.send("R" + answer.dump());
  }
  gh::Task<> on_close(gh::Client& client, gh::CloseReason reason) override {
    note({"close", client.id(), client.session(), static_cast<int>(reason.cause), reason.code});
    return {};
  }
  gh::Task<> on_worker_stop(gh::Worker& worker) override {
    note({"worker_stop", worker.index()});
    return {};
  }

 private:
  void note(const gh::Value& line) {
    if (log_.is_open()) log_ << line.dump(-1, ' ', false, gh::Value::error_handler_t::replace) << std::endl;
  }

  std::ofstream log_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string register_address = "127.0.0.1:1236";
  std::string secret_key;
  std::string event_log;
  std::string name = "Caller";
  int count = 1;

  gh::Application app("native_worker");
  app.option("--register", register_address, "IP:PORT of the register");
  app.option("--secret-key", secret_key, "that of the cluster");
  app.option("--event-log", event_log, "a file to which each event is appended, as a line of JSON");
  app.option("--worker-name", name, "the worker's name in the cluster");
  app.option("--workers", count, "worker processes");
  if (const auto status = app.parse(argc, argv)) return *status;

  app.add(gh::WorkerOptions{.name = name,
                            .count = count,
                            .events = gh::make_events<Caller>(event_log),
                            .register_addresses = {register_address},
                            .secret_key = secret_key});
  return app.run(argc, argv);
}
