// The smallest program, and the one that measurements are made with: nothing in on_message but what its first byte asks for.
#include <gatehouse/gatehouse.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace gh = gatehouse;

namespace {

gh::Data as_it_came(const gh::Message& message) {
  return message.is_binary() ? gh::binary(message.bytes()) : gh::Data(message.bytes());
}

class Echo : public gh::Events {
 public:
  explicit Echo(bool mirror) : mirror_(mirror) {}

  gh::Task<> on_message(gh::Client& client, gh::Message message) override {
    const std::string_view bytes = message.bytes();
    if (mirror_ || bytes.starts_with('E')) {
      client.send(as_it_came(message));
    } else if (bytes.starts_with('J')) {
      client.cluster().join_group(client.id(), bytes.substr(1));
      client.send("j");
    } else if (bytes.starts_with('P')) {
      publish(client.cluster(), bytes.substr(1));
    } else if (bytes.starts_with('A')) {
      client.cluster().send_to_all(bytes.substr(1));
    }
    return {};  // nothing is awaited, so there is no coroutine to make
  }

 private:
  static void publish(gh::Cluster& cluster, std::string_view group_and_payload) {
    // A message of the text protocol cannot hold a line feed, so there a TAB ends the group.
    std::size_t end = group_and_payload.find('\n');
    if (end == std::string_view::npos) end = group_and_payload.find('\t');
    if (end == std::string_view::npos) return;
    cluster.send_to_group(group_and_payload.substr(0, end), group_and_payload.substr(end + 1));
  }

  bool mirror_;
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> listen = {"websocket://127.0.0.1:9000"};
  int gateways = 1;
  int workers = 1;
  std::string register_address = "127.0.0.1:1336";
  int start_port = 2900;
  bool mirror = false;
  int max_message = 1024 * 1024;
  int max_fragments = 1024;
  int max_connections = 0;
  int ping_interval = 0;
  bool deflate = false;
  bool deflate_context_takeover = false;
  std::vector<std::string> tls_cert;
  std::vector<std::string> tls_key;
  int tls_handshakes = 0;
  gh::InnerTls inner_tls;

  gh::Application app("echo");
  app.option("--listen", listen, "where clients connect, as in text://127.0.0.1:9001; may be given several times");
  app.option("--gateways", gateways, "gateway processes for each --listen");
  app.option("--workers", workers, "worker processes");
  app.option("--register", register_address, "IP:PORT of the register");
  app.option("--start-port", start_port, "the first inner port of the gateways");
  app.option("--mirror", mirror, "send every message back as it came, whatever it begins with");
  app.option("--max-message", max_message, "the longest message taken from a client, in bytes");
  app.option("--max-fragments", max_fragments, "the most frames of one WebSocket message");
  app.option("--max-connections", max_connections, "the most clients of one gateway process; 0: any number");
  app.option("--ping-interval", ping_interval, "send clients a ping when they were silent for so many seconds; 0: never");
  app.option("--deflate", deflate, "compress messages for clients that offer permessage-deflate");
  app.option("--deflate-context-takeover", deflate_context_takeover, "keep a context for each such client");
  app.option("--tls-cert", tls_cert, "a certificate, for --listen wss://... or text+tls://...; may be given several times");
  app.option("--tls-key", tls_key, "its key");
  app.option("--tls-handshakes", tls_handshakes, "the most new TLS handshakes in a second");
  app.option("--inner-tls-ca", inner_tls.ca, "the authority of the processes' own certificates, to encrypt what is between them");
  app.option("--inner-tls-cert", inner_tls.cert, "their certificate");
  app.option("--inner-tls-key", inner_tls.key, "its key");
  app.option("--inner-tls-name", inner_tls.name, "the name that all of their certificates are for; any, when it is left out");
  if (const auto status = app.parse(argc, argv)) return *status;

  app.add(gh::RegisterOptions{.listen = "text://" + register_address, .inner_tls = inner_tls});
  int next_port = start_port;
  for (const std::string& address : listen) {
    const std::string scheme = address.substr(0, address.find("://"));
    const std::string name = next_port == start_port ? "EchoGateway" : "EchoGateway-" + std::to_string(next_port);
    const bool is_encrypted = scheme == "wss" || scheme.ends_with("+tls");
    app.add(gh::GatewayOptions{.name = name,
                               .listen = address,
                               .count = gateways,
                               .start_port = next_port,
                               .register_addresses = {register_address},
                               .inner_tls = inner_tls,
                               .tls_cert = is_encrypted ? tls_cert : std::vector<std::string>(),
                               .tls_key = is_encrypted ? tls_key : std::vector<std::string>(),
                               .max_tls_handshakes_per_second = tls_handshakes,
                               .ping_interval = std::chrono::seconds(std::max(ping_interval, 0)),
                               .ping_data = "ping",
                               .max_package_size = static_cast<std::size_t>(std::max(max_message, 0)),
                               .max_fragments = max_fragments,
                               .deflate = deflate || deflate_context_takeover,
                               .deflate_context_takeover = deflate_context_takeover,
                               .max_connections = max_connections});
    next_port += gateways;
  }
  app.add(gh::WorkerOptions{.name = "EchoWorker",
                            .count = workers,
                            .events = gh::make_events<Echo>(mirror),
                            .register_addresses = {register_address},
                            .inner_tls = inner_tls});
  return app.run(argc, argv);
}
