// The chat for terminals as a program of its own: the same room and the same talk as in examples/chat, with one gateway.
#include <gatehouse/gatehouse.h>

#include <string>

#include "terminal_talk.h"

namespace gh = gatehouse;

int main(int argc, char** argv) {
  std::string host = "127.0.0.1";
  int port = 8480;
  int register_port = 1237;
  int inner_port = 2600;

  gh::Application app("telnet_chat");
  app.option("--host", host, "the address that terminals reach; 0.0.0.0 for the whole network");
  app.option("--port", port, "where terminals connect");
  app.option("--register-port", register_port, "the register's port on 127.0.0.1");
  app.option("--inner-port", inner_port, "the gateway's inner port on 127.0.0.1");
  if (const auto status = app.parse(argc, argv)) return *status;

  const std::string register_address = "127.0.0.1:" + std::to_string(register_port);
  app.add(gh::RegisterOptions{.listen = "text://" + register_address});
  app.add(gh::GatewayOptions{
      .name = "TelnetGateway",
      .listen = "text://" + host + ":" + std::to_string(port),
      .start_port = inner_port,
      .register_addresses = {register_address},
      .max_package_size = 16 * 1024,
  });
  app.add(gh::WorkerOptions{
      .name = "TelnetWorker",
      .events = gh::make_events<chat::TerminalTalk>(),
      .register_addresses = {register_address},
  });
  return app.run(argc, argv);
}
