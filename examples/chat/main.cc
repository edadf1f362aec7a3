// A chat for web pages and terminals: one cluster, two gateways with two protocols, and a process that serves the page.
#include <gatehouse/gatehouse.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "chat_events.h"
#include "page_server.h"

namespace gh = gatehouse;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  std::string host = "127.0.0.1";
  int web_port = 8080;
  int websocket_port = 7272;
  int telnet_port = 8480;
  int register_port = 1236;
  int inner_port = 2300;
  int workers = 2;
  std::string tls_cert;
  std::string tls_key;

  gh::Application app("chat");
  app.option("--host", host, "the address that browsers and terminals reach; 0.0.0.0 for the whole network");
  app.option("--web-port", web_port, "where the page is served");
  app.option("--ws-port", websocket_port, "where the page's WebSockets go");
  app.option("--telnet-port", telnet_port, "where terminals connect");
  app.option("--register-port", register_port, "the register's port on 127.0.0.1");
  app.option("--inner-port", inner_port, "the first of the gateways' inner ports on 127.0.0.1");
  app.option("--workers", workers, "worker processes");
  app.option("--tls-cert", tls_cert, "a certificate: the page then comes over https, and its WebSockets over wss");
  app.option("--tls-key", tls_key, "its key");
  if (const auto status = app.parse(argc, argv)) return *status;

  // The cluster speaks to itself on loopback, so it needs no secret key, whatever --host is.
  const std::string register_address = "127.0.0.1:" + std::to_string(register_port);
  const auto public_address = [&](const std::string& scheme, int port) {
    return scheme + "://" + host + ":" + std::to_string(port);
  };

  // Either of them alone is a mistake, which is named before anything starts.
  const bool is_encrypted = !tls_cert.empty() || !tls_key.empty();
  const auto files = [](const std::string& file) {
    return file.empty() ? std::vector<std::string>() : std::vector<std::string>{file};
  };

  app.add(gh::RegisterOptions{.listen = "text://" + register_address});
  app.add(gh::GatewayOptions{
      .name = "ChatGateway",
      .listen = public_address(is_encrypted ? "wss" : "websocket", websocket_port),
      .count = 2,
      .start_port = inner_port,
      .register_addresses = {register_address},
      .tls_cert = files(tls_cert),
      .tls_key = files(tls_key),
      .ping_interval = 25s,
      .ping_not_response_limit = 1,
      .ping_data = R"({"type":"ping"})",
      // 2000 characters, each written as two \u escapes at worst, and the request around them.
      .max_package_size = 32 * 1024,
  });
  app.add(gh::GatewayOptions{
      .name = "TelnetGateway",
      .listen = public_address("text", telnet_port),
      .start_port = inner_port + 200,
      .register_addresses = {register_address},
      .max_package_size = 16 * 1024,
  });
  app.add(gh::WorkerOptions{
      .name = "ChatWorker",
      .count = workers,
      .events = gh::make_events<chat::ChatEvents>(static_cast<std::uint16_t>(telnet_port)),
      .register_addresses = {register_address},
  });
  const chat::PageServerOptions page = {
      .host = host, .port = web_port, .websocket_port = websocket_port, .tls_cert = tls_cert, .tls_key = tls_key};
  app.add(gh::ProcessOptions{
      .name = "ChatPage",
      .listen = host + ":" + std::to_string(web_port),
      .run = [page](const std::function<void(std::function<void()>)>& on_stop) { return chat::serve_page(page, on_stop); },
  });
  return app.run(argc, argv);
}
