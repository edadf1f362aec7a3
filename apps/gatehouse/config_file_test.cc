#include "config_file.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "application/program_description.h"
#include "net/tls_test_support.h"

namespace gatehouse::config {
namespace {

using std::chrono::milliseconds;

std::string line_for(const std::string& text) {
  const auto file = ConfigFile::parse(text, "g.toml");
  return file ? "fine" : file.error().message;
}

void expect_line(const std::string& text, const std::string& expected) { EXPECT_EQ(line_for(text), expected) << text; }

// Three lines, so that what is appended stands in line 4.
constexpr const char* kGateway =
    "[[gateway]]\n"
    "name = \"web\"\n"
    "listen = \"ws://127.0.0.1:8282\"\n";

std::string gateway_with(const std::string& line) { return kGateway + line + "\n"; }

TEST(ConfigFile, ReadsEveryKey) {
  // Files that are named are looked at.
  const net::testing::TestDirectory directory;
  for (const char* name : {"r", "g", "one", "two"}) {
    const net::testing::TestIdentity identity({.names = {std::string(name) + ".internal"}});
    (void)identity.write(directory, name);
    net::testing::write_text(directory.file(std::string(name) + "-ca.pem"), identity.certificate_pem());
  }
  std::string text = R"([instance]
run_dir = "/srv/run"
pid_file = "/run/g.pid"
control_socket = "/run/g.sock"
log_file = "/var/log/g.log"
log_level = "debug"
log_format = "json"
user = "www-data"
group = "adm"
stop_timeout = "20s"

[register]
name = "Phonebook"
listen = "text://0.0.0.0:1236"
secret_key = "s"
inner_tls_ca = "/etc/r-ca.pem"
inner_tls_cert = "/etc/r.pem"
inner_tls_key = "/etc/r.key"
inner_tls_name = "r.internal"

[[gateway]]
name = "web"
listen = "frame+tls://0.0.0.0:8282"
count = 3
lan_ip = "192.168.1.5"
inner_listen = "0.0.0.0"
start_port = 2950
register = ["192.168.1.5:1236", "192.168.1.6:1236"]
secret_key = "t"
inner_tls_ca = "/etc/g-ca.pem"
inner_tls_cert = "/etc/g.pem"
inner_tls_key = "/etc/g.key"
inner_tls_name = "g.internal"
tls_cert = ["/etc/one.pem", "/etc/two.pem"]
tls_key = ["/etc/one.key", "/etc/two.key"]
max_tls_handshakes_per_second = 34
ping_interval = "50s"
ping_not_response_limit = 2
ping_data = "{}"
select_load_balancing_mode = "round_robin"
router = "random"
max_package_size = 11
max_fragments = 21
send_to_client_buffer_size = 12
send_buffer_policy = "drop_oldest"
deflate = true
deflate_level = 6
deflate_threshold = 22
deflate_window_bits = 10
deflate_context_takeover = false
deflate_context_memory = 23
subprotocols = ["a", "b"]
handshake_by_worker = true
allowed_origins = "https://chat.example"
trusted_proxies = ["10.0.0.0/8", "::1"]
proxy_protocol = true
max_header_size = 300
max_header_fields = 24
max_connections = 25
max_connections_per_address = 26
max_new_connections_per_second = 27
ipv6_prefix_bits = 56
max_memory = 28
first_bind_timeout = "29s"
max_messages_per_second = 30
max_bytes_per_second = 31
over_rate = "close"
unfinished_messages_size = 32
message_timeout = "34s"
max_tls_handshakes = 35
inner_connect_timeout = "33s"
send_to_worker_buffer_size = 13
handshake_timeout = 2.5
no_worker_timeout = 7
no_worker_buffer_size = 14
unfinished_buffer_size = 15
worker_timeout = 8

[[gateway]]
name = "text"
listen = "text+tls://0.0.0.0:8283"
tls_cert = "/etc/one.pem"
tls_key = "/etc/one.key"
register = ["192.168.1.7:1236"]

[[gateway]]
name = "proxied"
listen = "websocket://0.0.0.0:8284"
start_port = 4950
register = ["192.168.1.7:1236"]
trusted_proxies = "10.0.0.5"
real_ip_header = "x-real-ip"
)";
  for (std::size_t at = 0; (at = text.find("/etc/")) != std::string::npos;) text.replace(at, 5, directory.file(""));
  const auto file = ConfigFile::parse(text, "g.toml");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->instance().run_dir, "/srv/run");
  EXPECT_EQ(file->instance().pid_file, "/run/g.pid");
  EXPECT_EQ(file->instance().control_socket, "/run/g.sock");
  EXPECT_EQ(file->instance().log_file, "/var/log/g.log");
  EXPECT_EQ(file->instance().log_level, "debug");
  EXPECT_EQ(file->instance().log_format, "json");
  EXPECT_EQ(file->instance().user, "www-data");
  EXPECT_EQ(file->instance().group, "adm");
  EXPECT_EQ(file->instance().stop_timeout, milliseconds(20'000));
  const Program& program = file->program();
  ASSERT_EQ(program.registers.size(), 1U);
  EXPECT_EQ(program.registers[0].name, "Phonebook");
  EXPECT_EQ(program.registers[0].listen, "text://0.0.0.0:1236");
  EXPECT_EQ(program.registers[0].secret_key, "s");
  EXPECT_EQ(program.registers[0].inner_tls.ca, directory.file("r-ca.pem"));
  EXPECT_EQ(program.registers[0].inner_tls.cert, directory.file("r.pem"));
  EXPECT_EQ(program.registers[0].inner_tls.key, directory.file("r.key"));
  EXPECT_EQ(program.registers[0].inner_tls.name, "r.internal");
  ASSERT_EQ(program.gateways.size(), 3U);
  EXPECT_EQ(program.gateways[2].trusted_proxies, std::vector<std::string>{"10.0.0.5"});
  EXPECT_EQ(program.gateways[2].real_ip_header, RealIpHeader::x_real_ip);
  const GatewayOptions& web = program.gateways[0];
  EXPECT_EQ(web.name, "web");
  EXPECT_EQ(web.listen, "frame+tls://0.0.0.0:8282");
  EXPECT_EQ(web.count, 3);
  EXPECT_EQ(web.lan_ip, "192.168.1.5");
  EXPECT_EQ(web.inner_listen, "0.0.0.0");
  EXPECT_EQ(web.start_port, 2950);
  EXPECT_EQ(web.register_addresses, (std::vector<std::string>{"192.168.1.5:1236", "192.168.1.6:1236"}));
  EXPECT_EQ(web.secret_key, "t");
  EXPECT_EQ(web.inner_tls.ca, directory.file("g-ca.pem"));
  EXPECT_EQ(web.inner_tls.cert, directory.file("g.pem"));
  EXPECT_EQ(web.inner_tls.key, directory.file("g.key"));
  EXPECT_EQ(web.inner_tls.name, "g.internal");
  EXPECT_EQ(web.tls_cert, (std::vector<std::string>{directory.file("one.pem"), directory.file("two.pem")}));
  EXPECT_EQ(web.tls_key, (std::vector<std::string>{directory.file("one.key"), directory.file("two.key")}));
  EXPECT_EQ(web.max_tls_handshakes_per_second, 34);
  EXPECT_EQ(program.gateways[1].tls_cert, std::vector<std::string>{directory.file("one.pem")}) << "one needs no list";
  EXPECT_EQ(program.gateways[1].tls_key, std::vector<std::string>{directory.file("one.key")});
  EXPECT_EQ(web.ping_interval, milliseconds(50'000));
  EXPECT_EQ(web.ping_not_response_limit, 2);
  EXPECT_EQ(web.ping_data, "{}");
  EXPECT_EQ(web.select_load_balancing_mode, LoadBalancing::round_robin);
  EXPECT_TRUE(web.router);
  EXPECT_FALSE(program.gateways[1].router);
  EXPECT_EQ(web.max_package_size, 11U);
  EXPECT_EQ(web.send_to_client_buffer_size, 12U);
  EXPECT_EQ(web.max_fragments, 21);
  EXPECT_EQ(web.send_buffer_policy, SendBufferPolicy::drop_oldest);
  EXPECT_TRUE(web.deflate);
  EXPECT_EQ(web.deflate_level, 6);
  EXPECT_EQ(web.deflate_threshold, 22U);
  EXPECT_EQ(web.deflate_window_bits, 10);
  EXPECT_FALSE(web.deflate_context_takeover);
  EXPECT_EQ(web.deflate_context_memory, 23U);
  EXPECT_EQ(web.subprotocols, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(web.handshake_by_worker);
  EXPECT_EQ(web.allowed_origins, std::vector<std::string>{"https://chat.example"});
  EXPECT_EQ(web.trusted_proxies, (std::vector<std::string>{"10.0.0.0/8", "::1"}));
  EXPECT_TRUE(web.proxy_protocol);
  EXPECT_EQ(web.real_ip_header, RealIpHeader::none);
  EXPECT_EQ(web.max_header_size, 300U);
  EXPECT_EQ(web.max_header_fields, 24);
  EXPECT_EQ(web.max_connections, 25);
  EXPECT_EQ(web.max_connections_per_address, 26);
  EXPECT_EQ(web.max_new_connections_per_second, 27);
  EXPECT_EQ(web.ipv6_prefix_bits, 56);
  EXPECT_EQ(web.max_memory, 28U);
  EXPECT_EQ(web.first_bind_timeout, milliseconds(29'000));
  EXPECT_EQ(web.max_messages_per_second, 30);
  EXPECT_EQ(web.max_bytes_per_second, 31U);
  EXPECT_EQ(web.over_rate, RateAction::close);
  EXPECT_EQ(web.unfinished_messages_size, 32U);
  EXPECT_EQ(web.message_timeout, milliseconds(34'000));
  EXPECT_EQ(web.max_tls_handshakes, 35);
  EXPECT_EQ(web.inner_connect_timeout, milliseconds(33'000));
  EXPECT_EQ(web.send_to_worker_buffer_size, 13U);
  EXPECT_EQ(web.handshake_timeout, milliseconds(2500));
  EXPECT_EQ(web.no_worker_timeout, milliseconds(7000));
  EXPECT_EQ(web.no_worker_buffer_size, 14U);
  EXPECT_EQ(web.unfinished_buffer_size, 15U);
  EXPECT_EQ(web.worker_timeout, milliseconds(8000));
  EXPECT_EQ(program.gateways[1].ping_interval, GatewayOptions{}.ping_interval) << "what is not said has its default";
  EXPECT_EQ(summarize(file->program()), "1 register and 3 gateways (6 processes)");
}

TEST(ConfigFile, UnknownKeysAndTables) {
  expect_line(gateway_with("lisen = \"x\""), "g.toml:4: unknown key \"lisen\"; did you mean \"listen\"?");
  expect_line(gateway_with("register_addresses = []"),
              "g.toml:4: unknown key \"register_addresses\"; did you mean \"register\"?");
  expect_line(gateway_with("colour = 1"), "g.toml:4: unknown key \"colour\"");
  expect_line("\n[gateways]\n", "g.toml:2: unknown table \"gateways\"; did you mean \"gateway\"?");
  expect_line("[register]\ncount = 1\n", "g.toml:2: unknown key \"count\"");
  expect_line("[gateway]\nname = \"web\"\n", "g.toml:1: gateways are a list; write [[gateway]], in double brackets");
  expect_line("[instance]\n\nlog_format = \"xml\"\n", "g.toml:3: log_format: \"xml\" is none of text, json");
  expect_line("[instance]\nlogfile = \"x\"\n", "g.toml:2: unknown key \"logfile\"; did you mean \"log_file\"?");
  expect_line("[[register]]\n", "g.toml:1: there is one register at most; write [register]");
  expect_line("register = 1\n", "g.toml:1: register is a table, not 1; write [register]");
  expect_line("listen = \"ws://127.0.0.1:1\"\n",
              "g.toml:1: \"listen\" stands outside of the tables; write [register] or [[gateway]] in the line before it");
  expect_line(
      "[[businessworker]]\nname = \"w\"\n",
      "g.toml:1: unknown table \"businessworker\"; business workers are programs of their own, in PHP or C++, and find the "
      "gateways by the register");
  expect_line(gateway_with("user = \"www\""), "g.toml:4: unknown key \"user\"; it stands in [instance]");
  expect_line(gateway_with("transport = \"ssl\""),
              "g.toml:4: unknown key \"transport\"; for TLS write listen = \"wss://...\", tls_cert and tls_key");
  expect_line("", "g.toml:1: there is nothing to start; it takes a [register] or a [[gateway]]");
}

TEST(ConfigFile, WrongTypes) {
  expect_line(gateway_with("count = \"2\""), "g.toml:4: count: a whole number is expected, not \"2\"");
  expect_line(gateway_with("count = 2.5"), "g.toml:4: count: a whole number is expected, not 2.5");
  expect_line(gateway_with("count = 99999999999"), "g.toml:4: count: a whole number is expected, not 99999999999");
  expect_line(gateway_with("count = 2.0"), "g.toml:4: count: a whole number is expected, not 2.0");
  expect_line(gateway_with("lan_ip = 127"), "g.toml:4: lan_ip: a string in quotes is expected, not 127");
  expect_line(gateway_with("max_package_size = \"1M\""),
              "g.toml:4: max_package_size: a number of bytes, without a unit is expected, not \"1M\"");
  expect_line(gateway_with("max_package_size = -1"),
              "g.toml:4: max_package_size: a number of bytes, without a unit is expected, not -1");
  expect_line(
      gateway_with("ping_interval = \"50\""),
      "g.toml:4: ping_interval: a duration such as \"50s\", \"500ms\" or \"2m\", or a number of seconds is expected, not \"50\"");
  expect_line(
      gateway_with("ping_interval = true"),
      "g.toml:4: ping_interval: a duration such as \"50s\", \"500ms\" or \"2m\", or a number of seconds is expected, not true");
  expect_line(gateway_with("register = [1]"),
              "g.toml:4: register: a list of strings, such as [\"127.0.0.1:1236\"] is expected, not a list");
  expect_line(gateway_with("router = \"rand\""),
              "g.toml:4: router: one of \"bind\", \"random\", \"round_robin\" is expected, not \"rand\"");
  expect_line(
      gateway_with("select_load_balancing_mode = 1"),
      "g.toml:4: select_load_balancing_mode: one of \"least_connections\", \"random\", \"round_robin\" is expected, not 1");
  expect_line(gateway_with("start_port = 1979-05-27"), "g.toml:4: start_port: a whole number is expected, not a date or time");
}

TEST(ConfigFile, ImpossibleValuesHaveTheLineOfTheirKey) {
  EXPECT_TRUE(line_for(gateway_with("count = 0")).starts_with("g.toml:4: gateway \"web\": count: "))
      << line_for(gateway_with("count = 0"));
  EXPECT_TRUE(
      line_for(gateway_with("ping_interval = -5")).starts_with("g.toml:4: gateway \"web\": ping_interval: -5000 ms cannot be"));
  EXPECT_TRUE(line_for(gateway_with("register = []")).starts_with("g.toml:4: gateway \"web\": register: "));
  EXPECT_TRUE(
      line_for(gateway_with("lan_ip = \"192.168.1.5\"")).starts_with("g.toml:4: gateway \"web\": lan_ip: refusing to start"));
  EXPECT_TRUE(line_for("[[gateway]]\nname = \"web\"\n").starts_with("g.toml:1: gateway \"web\": listen: it is missing"))
      << "an option that is not there has the line of its table";
  EXPECT_TRUE(line_for(gateway_with("") + "[[gateway]]\nname = \"two\"\nlisten = \"ws://127.0.0.1:8282\"\n")
                  .starts_with("g.toml:7: gateway \"two\": listen: port 8282 is taken by gateway \"web\""));
}

TEST(ConfigFile, BrokenTomlHasItsLine) {
  const std::string line = line_for("[register]\nlisten = \n");
  EXPECT_TRUE(line.starts_with("g.toml:2: ")) << line;
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  expect_line(gateway_with("name = \"again\""), "g.toml:4: 'name' stands here for the second time");
  EXPECT_TRUE(line_for(gateway_with("lan_ip = localhost")).ends_with("; text stands in quotes, as in \"text\""))
      << line_for(gateway_with("lan_ip = localhost"));
}

TEST(ConfigFile, TheExampleIsFine) {
  const auto file = ConfigFile::load(GATEHOUSE_VECTORS_DIR "/../../apps/gatehouse/gatehouse.toml");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(summarize(file->program()), "1 register and 1 gateway (3 processes)");
}

TEST(ConfigFile, SaysWhenItCannotBeRead) {
  const auto file = ConfigFile::load("/nonexistent/g.toml");
  ASSERT_FALSE(file.has_value());
  EXPECT_NE(file.error().message.find("/nonexistent/g.toml"), std::string::npos);
  EXPECT_NE(file.error().message.find("No such file"), std::string::npos);
  const auto directory = ConfigFile::load("/");
  ASSERT_FALSE(directory.has_value());
  EXPECT_NE(directory.error().message.find("Is a directory"), std::string::npos) << directory.error().message;
  const auto empty = ConfigFile::load("/dev/null");
  ASSERT_FALSE(empty.has_value());
  EXPECT_NE(empty.error().message.find("nothing to start"), std::string::npos) << empty.error().message;
}

TEST(ConfigFile, FilesCountFromTheDirectoryOfTheConfiguration) {
  const auto file = ConfigFile::parse(
      "[instance]\nrun_dir = \"run\"\npid_file = \"/p.pid\"\nlog_file = \"../g.log\"\nuser = \"www\"\n[register]\nname = \"r\"\n",
      "/etc/gatehouse/g.toml");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->instance().run_dir, "/etc/gatehouse/run");
  EXPECT_EQ(file->instance().pid_file, "/p.pid");
  EXPECT_EQ(file->instance().log_file, "/etc/gatehouse/../g.log");
  EXPECT_EQ(file->instance().user, "www");
  EXPECT_EQ(file->instance().control_socket, "") << "what is not said is not a directory";
  const std::string line = line_for(std::string("[[gateway]]\nlisten = \"wss://127.0.0.1:8282\"\n") +
                                    "tls_cert = \"a.pem\"\ntls_key = \"/nonexistent/a.key\"\n");
  EXPECT_NE(line.find(" a.pem"), std::string::npos) << line;
}

TEST(ConfigFile, AnUnknownUserHasItsLine) {
  const auto file = ConfigFile::parse("[register]\n[instance]\n\nuser = \"no-such-user\"\n", "g.toml");
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(file->find_unknown_user().value_or(""),
            "g.toml:4: user: there is no user \"no-such-user\" on this machine; make one with adduser --system");
  EXPECT_EQ(ConfigFile::parse("[register]\n[instance]\nuser = \"root\"\n", "g.toml")->find_unknown_user(), std::nullopt);
}

TEST(ConfigFile, WordsAndSwitches) {
  expect_line(gateway_with("over_rate = \"slow\""), "g.toml:4: over_rate: \"delay\" or \"close\" is expected, not \"slow\"");
  expect_line(
      gateway_with("send_buffer_policy = 1"),
      "g.toml:4: send_buffer_policy: \"disconnect\" or \"drop_newest\" or \"drop_oldest\" or \"keep_latest\" is expected, not 1");
  expect_line(gateway_with("deflate = 1"), "g.toml:4: deflate: true or false is expected, not 1");
  expect_line(gateway_with("deflate_windowbits = 9"),
              "g.toml:4: unknown key \"deflate_windowbits\"; did you mean \"deflate_window_bits\"?");
}

}  // namespace
}  // namespace gatehouse::config
