// As the README's program, with ports of the caller's choice, and with what a test asks it: test_consumer.py plays with it.
#include <gatehouse/gatehouse.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
namespace gh = gatehouse;

class Room : public gh::Events {
  gh::Task<> on_worker_start(gh::Worker& worker) override {
    worker.every(std::chrono::milliseconds(10), [this] { ++ticks_; });
    return {};
  }

  gh::Task<> on_message(gh::Client& client, gh::Message message) override {
    gh::Cluster& cluster = client.cluster();
    const std::string_view text = message.text();
    if (text == "who") {
      client.send(std::to_string(getpid()));
    } else if (text == "join") {
      cluster.join_group(client.id(), "room");
      cluster.bind_uid(client.id(), "42");
      const auto people = co_await cluster.client_count_by_group("room");
      client.send("there are " + std::to_string(people));
    } else if (text == "tick") {
      const int before = ticks_;
      while (ticks_ == before) co_await gh::sleep(std::chrono::milliseconds(5));
      client.send("tock");
    } else if (text.starts_with("die ")) {
      // The worker dies with this message unfinished, and the next one is given it.
      const std::filesystem::path died(text.substr(4));
      if (!std::filesystem::exists(died)) {
        std::ofstream(died) << "once";
        raise(SIGKILL);
      }
      client.send("alive " + std::to_string(getpid()));
    } else {
      cluster.send_to_group("room", text, {.except = {client.id()}});
    }
  }

  int ticks_ = 0;
};

int main(int argc, char** argv) {
  int port = 7272;  // and the two above
  gh::Application app("life");
  app.option("--port", port, "the first of three ports: for clients, of the register, and between the processes");
  if (const auto status = app.parse(argc, argv)) return *status;
  const std::string register_address = "127.0.0.1:" + std::to_string(port + 1);
  app.add(gh::RegisterOptions{.listen = "text://" + register_address});
  app.add(gh::GatewayOptions{.listen = "websocket://127.0.0.1:" + std::to_string(port),
                             .start_port = port + 2,
                             .register_addresses = {register_address}});
  app.add(gh::WorkerOptions{.count = 1, .events = gh::make_events<Room>(), .register_addresses = {register_address}});
  return app.run(argc, argv);
}
