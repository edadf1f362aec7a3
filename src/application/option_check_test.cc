#include "application/option_check.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "net/tls_test_support.h"

namespace gatehouse {
namespace {

using std::chrono::milliseconds;

class NoEvents : public Events {
 public:
  Task<> on_message(Client& /*client*/, Message /*message*/) override { co_return; }
};

Program good_program() {
  Program program{.name = "chat"};
  program.registers.push_back({.listen = "text://127.0.0.1:11236"});
  program.gateways.push_back({.name = "web", .listen = "websocket://0.0.0.0:17272", .count = 2, .start_port = 12300});
  program.workers.push_back({.name = "ChatWorker", .count = 2, .events = make_events<NoEvents>()});
  program.processes.push_back({.name = "page", .listen = "127.0.0.1:18080", .run = [](const auto&) { return 0; }});
  return program;
}

/// The line for a good program that `spoil` has changed.
std::string line_for(const std::function<void(Program&)>& spoil) {
  Program program = good_program();
  spoil(program);
  const auto problem = check_options(program);
  return problem ? to_line(*problem, program) : "fine";
}

void expect_line(const std::function<void(Program&)>& spoil, const std::string& beginning, const std::string& somewhere) {
  const std::string line = line_for(spoil);
  EXPECT_TRUE(line.starts_with(beginning)) << line;
  EXPECT_NE(line.find(somewhere), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
}

TEST(OptionCheck, FindsNothingWrongWithAGoodProgram) {
  EXPECT_EQ(line_for([](Program&) {}), "fine");
  EXPECT_EQ(line_for([](Program& p) {
              p.gateways[0].inner_listen = "0.0.0.0";
              p.gateways[0].lan_ip = "192.168.1.5";
              p.gateways[0].secret_key = "long and random";
            }),
            "fine");
  EXPECT_EQ(line_for([](Program& p) { p.workers[0].register_addresses = {"register.internal:1236", "[::1]:1236"}; }), "fine");
}

TEST(OptionCheck, AMessageThatNoWorkerTakesIsRefusedBeforehand) {
  constexpr std::size_t kMost = 32 * 1024 * 1024 - 64 * 1024;
  EXPECT_EQ(line_for([](Program& p) { p.gateways[0].max_package_size = kMost; }), "fine");
  expect_line([](Program& p) { p.gateways[0].max_package_size = kMost + 1; },
              "gateway \"web\": max_package_size: ", "33488896 at most, since a native worker takes no more than 33554432");
}

TEST(OptionCheck, HealthPathOfAGateway) {
  const std::string at = "gateway \"web\": health_path: ";
  EXPECT_EQ(line_for([](Program& p) { p.gateways[0].health_path = "/healthz"; }), "fine");
  for (const char* path : {"healthz", "/health z", "/healthz?full", "/h#z", "/h\n"}) {
    expect_line([path](Program& p) { p.gateways[0].health_path = path; }, at, "is no path of a request");
  }
  expect_line(
      [](Program& p) {
        p.gateways[0].listen = "text://0.0.0.0:17272";
        p.gateways[0].health_path = "/healthz";
      },
      at, "only websocket has paths, not text");
}

TEST(OptionCheck, ListenOfAGateway) {
  const std::string at = "gateway \"web\": listen: ";
  expect_line([](Program& p) { p.gateways[0].listen = ""; }, at, "websocket://0.0.0.0:8282");
  expect_line([](Program& p) { p.gateways[0].listen = "0.0.0.0:80"; }, at, "SCHEME://IP:PORT");
  expect_line([](Program& p) { p.gateways[0].listen = "websocket://0.0.0.0:0"; }, at, "1 to 65535");
  expect_line(
      [](Program& p) { p.gateways[0].listen = "websoket://0.0.0.0:80"; }, at,
      "unknown scheme \"websoket\" (known: websocket, ws, text, frame, tcp; over TLS wss, or any of them with +tls, such as "
      "text+tls); did you mean \"websocket\"?");
  expect_line(
      [](Program& p) {
        p.protocols.emplace_back("json", [] { return nullptr; });
        p.gateways[0].listen = "jsn://0.0.0.0:80";
      },
      at, "tcp, json; over TLS wss, or any of them with +tls, such as text+tls); did you mean \"json\"?");
}

TEST(OptionCheck, InnerSideOfAGateway) {
  const std::string at = "gateway \"web\": ";
  expect_line([](Program& p) { p.gateways[0].lan_ip = "no.such.name.invalid"; }, at + "lan_ip: ", "nor a name of one");
  expect_line([](Program& p) { p.gateways[0].lan_ip = "::1"; }, at + "lan_ip: ", "neither an IPv4 address");
  expect_line([](Program& p) { p.gateways[0].lan_ip = ""; }, at + "lan_ip: ", "neither an IPv4 address");
  EXPECT_EQ(line_for([](Program& p) { p.gateways[0].lan_ip = "localhost"; }), "fine");
  EXPECT_EQ(line_for([](Program& p) { p.gateways[0].inner_listen = "localhost"; }), "fine");
  expect_line([](Program& p) { p.gateways[0].lan_ip = "0.0.0.0"; }, at + "lan_ip: ", "inner_listen");
  expect_line([](Program& p) { p.gateways[0].inner_listen = "0.0.0.0:2300"; }, at + "inner_listen: ", "without a port");
  expect_line([](Program& p) { p.gateways[0].start_port = 0; }, at + "start_port: ", "1 to 65535");
  expect_line([](Program& p) { p.gateways[0].start_port = 65535; }, at + "start_port: ", "over 65535");
  EXPECT_EQ(line_for([](Program& p) { p.gateways[0].start_port = 65534; }), "fine");
  expect_line([](Program& p) { p.gateways[0].count = 2147483647; }, at + "count: ", "1000 at most");
  expect_line([](Program& p) { p.gateways[0].count = 0; }, at + "count: ", "1 or more");
  expect_line([](Program& p) { p.gateways[0].count = 1001; }, at + "count: ", "1000 at most");
}

TEST(OptionCheck, RefusesToStartWithoutASecretOutsideLoopback) {
  expect_line([](Program& p) { p.gateways[0].lan_ip = "192.168.1.5"; }, "gateway \"web\": lan_ip: refusing to start",
              "secret_key");
  expect_line([](Program& p) { p.gateways[0].inner_listen = "0.0.0.0"; }, "gateway \"web\": inner_listen: refusing to start",
              "secret_key");
  expect_line([](Program& p) { p.registers[0].listen = "text://0.0.0.0:1236"; },
              "register \"Register\": listen: refusing to start", "secret_key");
}

TEST(OptionCheck, NumbersThatCannotBe) {
  const std::string at = "gateway \"web\": ";
  expect_line([](Program& p) { p.gateways[0].ping_interval = milliseconds(-1); }, at + "ping_interval: ", "0 or more");
  expect_line([](Program& p) { p.gateways[0].ping_interval = std::chrono::hours(24 * 50); }, at + "ping_interval: ", "49 days");
  expect_line([](Program& p) { p.gateways[0].ping_not_response_limit = -1; }, at + "ping_not_response_limit: ", "0 (never");
  expect_line([](Program& p) { p.gateways[0].max_package_size = 0; }, at + "max_package_size: ", "from 1");
  expect_line([](Program& p) { p.gateways[0].max_package_size = (1U << 30) + 1; }, at + "max_package_size: ", "1073741824");
  expect_line([](Program& p) { p.gateways[0].handshake_timeout = milliseconds(0); }, at + "handshake_timeout: ", "1 ms");
  expect_line([](Program& p) { p.gateways[0].no_worker_timeout = milliseconds(-5); }, at + "no_worker_timeout: ", "-5 ms");
}

TEST(OptionCheck, CompressionHandshakesAndLimits) {
  const std::string at = "gateway \"web\": ";
  expect_line([](Program& p) { p.gateways[0].max_fragments = 0; }, at + "max_fragments: ", "1 or more");
  expect_line([](Program& p) { p.gateways[0].deflate_level = 0; }, at + "deflate_level: ", "from 1 (quick) to 9");
  expect_line([](Program& p) { p.gateways[0].deflate_window_bits = 8; }, at + "deflate_window_bits: ", "from 9");
  expect_line(
      [](Program& p) {
        p.gateways[0].deflate = p.gateways[0].deflate_context_takeover = true;
        p.gateways[0].send_buffer_policy = SendBufferPolicy::drop_oldest;
      },
      at + "deflate_context_takeover: ", "drop_oldest");
  expect_line([](Program& p) { p.gateways[0].subprotocols = {"a b"}; }, at + "subprotocols: \"a b\"", "chat.v2");
  for (const char* origin :
       {"chat.example", "https://chat.example/", "https://", "null", "*", "https://Chat.example", "https://*.example"}) {
    expect_line([&](Program& p) { p.gateways[0].allowed_origins = {origin}; }, at + "allowed_origins: ", "https://chat.example");
  }
  EXPECT_EQ(line_for([](Program& p) { p.gateways[0].allowed_origins = {"https://chat.example:8443", "http://[::1]:80"}; }),
            "fine");
  expect_line([](Program& p) { p.gateways[0].max_header_size = 10; }, at + "max_header_size: ", "from 256");
  expect_line([](Program& p) { p.gateways[0].max_header_fields = 4; }, at + "max_header_fields: ", "from 5");
  expect_line([](Program& p) { p.gateways[0].max_connections = -1; }, at + "max_connections: ", "0 (no limit)");
  expect_line([](Program& p) { p.gateways[0].ipv6_prefix_bits = 129; }, at + "ipv6_prefix_bits: ", "from 1 to 128");
  expect_line([](Program& p) { p.gateways[0].unfinished_messages_size = 0; }, at + "unfinished_messages_size: ", "from 1");
  expect_line([](Program& p) { p.gateways[0].max_tls_handshakes = 0; }, at + "max_tls_handshakes: ", "1 or more");
  expect_line([](Program& p) { p.gateways[0].message_timeout = milliseconds(-1); }, at + "message_timeout: ", "0 or more");
  expect_line([](Program& p) { p.gateways[0].first_bind_timeout = milliseconds(-1); }, at + "first_bind_timeout: ", "0 or more");
  expect_line([](Program& p) { p.gateways[0].inner_connect_timeout = milliseconds(0); }, at + "inner_connect_timeout: ", "1 ms");
}

TEST(OptionCheck, Proxies) {
  const std::string at = "gateway \"web\": ";
  const auto proxied = [](Program& p) {
    p.gateways[0].trusted_proxies = {"127.0.0.1", "10.0.0.0/8", "2001:db8::/32"};
    p.gateways[0].proxy_protocol = true;
    p.gateways[0].real_ip_header = RealIpHeader::x_forwarded_for;
  };
  EXPECT_EQ(line_for(proxied), "fine");
  for (const char* text : {"localhost", "10.0.0.0/33", "10.0.0.1/8", "2001:db8::/x", ""}) {
    expect_line(
        [&](Program& p) {
          proxied(p);
          p.gateways[0].trusted_proxies.emplace_back(text);
        },
        at + "trusted_proxies: \"" + text + "\"", "");
  }
  expect_line([](Program& p) { p.gateways[0].proxy_protocol = true; }, at + "proxy_protocol: ", "trusted_proxies");
  expect_line([](Program& p) { p.gateways[0].real_ip_header = RealIpHeader::x_real_ip; },
              at + "real_ip_header: ", "trusted_proxies");
  expect_line([](Program& p) { p.gateways[0].trusted_proxies = {"::1"}; }, at + "trusted_proxies: ", "proxy_protocol");
  expect_line(
      [&](Program& p) {
        proxied(p);
        p.gateways[0].listen = "text://0.0.0.0:8282";
      },
      at + "real_ip_header: ", "not text");
}

TEST(OptionCheck, ClientsOverTls) {
  const net::testing::TestDirectory directory;
  const net::testing::TestIdentity identity(net::testing::TestIdentity::Wish{});
  const net::TlsFiles files = identity.write(directory, "own");
  const std::string at = "gateway \"web\": ";
  const auto encrypted = [&](Program& p) {
    p.gateways[0].listen = "wss://0.0.0.0:8443";
    p.gateways[0].tls_cert = {files.certificate};
    p.gateways[0].tls_key = {files.key};
  };
  EXPECT_EQ(line_for(encrypted), "fine");
  for (const char* scheme : {"websocket+tls", "ws+tls", "text+tls", "frame+tls", "tcp+tls"}) {
    EXPECT_EQ(line_for([&](Program& p) {
                encrypted(p);
                p.gateways[0].listen = std::string(scheme) + "://0.0.0.0:8443";
              }),
              "fine");
  }
  const auto but = [&](const std::function<void(GatewayOptions&)>& change) {
    return [&, change](Program& p) {
      encrypted(p);
      change(p.gateways[0]);
    };
  };
  expect_line(but([](GatewayOptions& o) { o.listen = "ssl://0.0.0.0:443"; }), at + "listen: ", "bytes over TLS are tcp+tls");
  expect_line(but([](GatewayOptions& o) { o.listen = "https://0.0.0.0:443"; }), at + "listen: ", "did you mean \"wss\"?");
  expect_line(but([](GatewayOptions& o) { o.listen = "txt+tls://0.0.0.0:443"; }), at + "listen: ", "unknown scheme \"txt+tls\"");
  expect_line(but([](GatewayOptions& o) { o.tls_cert = o.tls_key = {}; }), at + "tls_cert: it is missing; ", "tls_key");
  expect_line(but([](GatewayOptions& o) { o.tls_key = {}; }), at + "tls_key: ", "0 keys for 1 certificates");
  expect_line(but([](GatewayOptions& o) { o.listen = "websocket://0.0.0.0:8443"; }), at + "tls_cert: ", "wss://0.0.0.0:8443");
  expect_line(but([](GatewayOptions& o) { o.listen = "text://0.0.0.0:8443"; }), at + "tls_cert: ", "text+tls://0.0.0.0:8443");
  expect_line(but([](GatewayOptions& o) { o.max_tls_handshakes_per_second = -1; }),
              at + "max_tls_handshakes_per_second: ", "0 (no");
  expect_line(but([](GatewayOptions& o) { o.tls_cert = {"/nowhere.pem"}; }),
              at + "tls_cert: /nowhere.pem cannot be read: ", "No such file");
  expect_line(but([](GatewayOptions& o) { o.tls_key = {"/nowhere.key"}; }),
              at + "tls_key: /nowhere.key cannot be read: ", "No such file");
}

TEST(OptionCheck, InnerTlsOfEachRole) {
  const net::testing::TestDirectory directory;
  using net::testing::TestIdentity;
  const TestIdentity authority(TestIdentity::Wish{.names = {"cluster"}, .is_authority = true});
  const TestIdentity member(TestIdentity::Wish{.names = {"member"}}, &authority);
  const net::TlsFiles files = member.write(directory, "member");
  const InnerTls good{net::testing::write_text(directory.file("ca.pem"), authority.certificate_pem()), files.certificate,
                      files.key};
  EXPECT_EQ(line_for([&](Program& p) {
              p.registers[0].inner_tls = p.gateways[0].inner_tls = p.workers[0].inner_tls = good;
              // Certificates are as good as a secret.
              p.registers[0].listen = "text://0.0.0.0:1236";
              p.gateways[0].inner_listen = "0.0.0.0";
            }),
            "fine");
  expect_line([&](Program& p) { p.gateways[0].inner_tls = {good.ca, good.cert, ""}; },
              "gateway \"web\": inner_tls_key: ", "belong together");
  expect_line([&](Program& p) { p.registers[0].inner_tls = {"", good.cert, good.key}; },
              "register \"Register\": inner_tls_ca: ", "belong together");
  expect_line([&](Program& p) { p.workers[0].inner_tls = {good.ca, good.cert, good.key, "cluster.internal"}; },
              "worker \"ChatWorker\": inner_tls_cert: ", "is not for the name \"cluster.internal\"");
  expect_line([&](Program& p) { p.workers[0].inner_tls.name = "cluster.internal"; },
              "worker \"ChatWorker\": inner_tls_ca: ", "belong together");
  const auto at_one_register = [](Program& p) { p.registers[0].listen = "text://0.0.0.0:1236"; };
  expect_line(
      [&](Program& p) {
        at_one_register(p);
        p.registers[0].inner_tls = p.gateways[0].inner_tls = good;
      },
      "worker \"ChatWorker\": inner_tls_ca: it is missing, and the register \"Register\" of the same register ",
      "every role of a cluster has it, or none");
  expect_line(
      [&](Program& p) {
        at_one_register(p);
        p.registers[0].secret_key = "s";
        p.workers[0].inner_tls = good;
      },
      "register \"Register\": inner_tls_ca: it is missing, and the worker \"ChatWorker\" ", "or none");
  expect_line([&](Program& p) { p.workers[0].inner_tls = {good.ca, "/nowhere.pem", good.key}; },
              "worker \"ChatWorker\": inner_tls_cert: /nowhere.pem", "No such file");
}

TEST(OptionCheck, RegisterAddresses) {
  expect_line([](Program& p) { p.gateways[0].register_addresses = {}; },
              "gateway \"web\": register_addresses: ", "127.0.0.1:1236");
  expect_line([](Program& p) { p.gateways[0].register_addresses = {"text://127.0.0.1:1236"}; },
              "gateway \"web\": register_addresses: ", "a scheme is not wanted here, just \"127.0.0.1:1236\"");
  expect_line([](Program& p) { p.workers[0].register_addresses = {"127.0.0.1"}; },
              "worker \"ChatWorker\": register_addresses: ", "IP:PORT");
  expect_line([](Program& p) { p.registers[0].listen = "tcp://127.0.0.1:1236"; },
              "register \"Register\": listen: ", "text://127.0.0.1:1236");
}

TEST(OptionCheck, WorkersAndProcesses) {
  expect_line([](Program& p) { p.workers[0].events = {}; }, "worker \"ChatWorker\": events: ", "make_events");
  expect_line([](Program& p) { p.workers[0].count = -3; }, "worker \"ChatWorker\": count: ", "-3");
  expect_line([](Program& p) { p.workers[0].count = 2'000'000; }, "worker \"ChatWorker\": count: ", "1000 at most");
  expect_line([](Program& p) { p.processes[0].run = {}; }, "process \"page\": run: ", "missing");
  expect_line([](Program& p) { p.processes[0].listen = "8080"; }, "process \"page\": listen: ", "IP:PORT");
}

TEST(OptionCheck, NamesAreNeededAndDiffer) {
  expect_line([](Program& p) { p.workers[0].name = ""; }, "worker \"\": name: ", "empty");
  expect_line([](Program& p) { p.processes[0].name = "ChatWorker"; }, "process \"ChatWorker\": name: ", "another worker");
  expect_line([](Program& p) { p.workers.push_back(p.workers[0]); }, "worker \"ChatWorker\": name: ", "another worker");
  expect_line(
      [](Program& p) {
        p.gateways.push_back(p.gateways[0]);
        p.gateways[1].listen = "text://0.0.0.0:17273";
        p.gateways[1].start_port = 12400;
      },
      "gateway \"web\": name: ", "another gateway");
  EXPECT_EQ(line_for([](Program& p) { p.gateways[0].name = "ChatWorker"; }), "fine");
  expect_line([](Program& p) { p.gateways[0].name = "caf\xe9"; }, "gateway \"caf", "UTF-8");
  expect_line([](Program& p) { p.name = "my chat"; }, "program \"my chat\": name: ", "letters");
  expect_line([](Program& p) { p = Program{.name = "chat"}; }, "program \"chat\": ", "nothing to start");
}

TEST(OptionCheck, SchemesOfTheProgram) {
  expect_line([](Program& p) { p.protocols.emplace_back("1st", [] { return nullptr; }); },
              "program \"chat\": add_protocol: ", "1st");
  expect_line([](Program& p) { p.protocols.emplace_back("text", [] { return nullptr; }); },
              "program \"chat\": add_protocol: ", "taken");
  expect_line([](Program& p) { p.protocols.emplace_back("json", nullptr); }, "program \"chat\": add_protocol: ", "factory");
}

TEST(OptionCheck, PortsThatTwoRolesWant) {
  expect_line([](Program& p) { p.gateways[0].listen = "ws://0.0.0.0:11236"; },
              "gateway \"web\": listen: port 11236 is taken by register", "\"Register\"");
  expect_line([](Program& p) { p.gateways[0].start_port = 11235; },
              "gateway \"web\": start_port: port 11236 is taken by register", "\"Register\"");
  expect_line([](Program& p) { p.processes[0].listen = "127.0.0.1:17272"; },
              "process \"page\": listen: port 17272 is taken by gateway", "\"web\"");
  EXPECT_EQ(line_for([](Program& p) {
              p.gateways[0].listen = "ws://127.0.0.2:17272";
              p.processes[0].listen = "127.0.0.3:17272";
            }),
            "fine");
}

}  // namespace
}  // namespace gatehouse
