// A gateway with a client protocol of one's own: clients speak netstrings, the business neither knows nor cares.
#include <gatehouse/gatehouse.h>

#include <memory>
#include <string>

#include "netstring.h"

namespace gh = gatehouse;

namespace {

class Counter : public gh::Events {
 public:
  gh::Task<> on_message(gh::Client& client, gh::Message message) override {
    gh::Value& count = client.session()["messages"];  // null at the first message
    const int messages = count.is_number_integer() ? count.get<int>() + 1 : 1;
    count = messages;
    client.send("message " + std::to_string(messages) + " has " + std::to_string(message.size()) + " bytes");
    co_return;
  }
};

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:9100";
  int register_port = 1238;
  int inner_port = 2700;
  gh::Application app("custom_protocol");
  app.option("--address", address, "IP:PORT where clients connect");
  app.option("--register-port", register_port, "of the register, on 127.0.0.1");
  app.option("--inner-port", inner_port, "of the gateway, on 127.0.0.1");
  if (const auto status = app.parse(argc, argv)) return *status;

  const std::string register_address = "127.0.0.1:" + std::to_string(register_port);
  app.add_protocol("netstring", [] { return std::make_unique<Netstring>(); });
  app.add(gh::RegisterOptions{.listen = "text://" + register_address});
  app.add(gh::GatewayOptions{.name = "NetstringGateway",
                             .listen = "netstring://" + address,
                             .start_port = inner_port,
                             .register_addresses = {register_address},
                             .max_package_size = 64 * 1024});
  app.add(
      gh::WorkerOptions{.name = "CounterWorker", .events = gh::make_events<Counter>(), .register_addresses = {register_address}});
  return app.run(argc, argv);
}
