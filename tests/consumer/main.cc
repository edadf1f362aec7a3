#include <gatehouse/gatehouse.h>
namespace gh = gatehouse;

class Room : public gh::Events {  // one object in each worker process
  gh::Task<> on_message(gh::Client& client, gh::Message message) override {
    gh::Cluster& cluster = client.cluster();
    cluster.join_group(client.id(), "room");
    cluster.send_to_group("room", message.text(), {.except = {client.id()}});
    const auto people = co_await cluster.client_count_by_group("room");  // counts the join above
    client.send("delivered to " + std::to_string(people - 1));
  }
};

int main(int argc, char** argv) {
  gh::Application app("room");
  app.add(gh::RegisterOptions{.listen = "text://127.0.0.1:1236"});
  app.add(gh::GatewayOptions{.listen = "websocket://127.0.0.1:7272", .count = 2, .start_port = 2300});
  app.add(gh::WorkerOptions{.count = 2, .events = gh::make_events<Room>()});
  return app.run(argc, argv);  // room start | stop | reload | status | connections | ...
}
