#include "application/option_table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "application/program.h"

namespace gatehouse {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream stream(std::string(GATEHOUSE_VECTORS_DIR "/../../") + path);
  std::stringstream text;
  text << stream.rdbuf();
  EXPECT_FALSE(text.str().empty()) << path;
  return text.str();
}

/// The members of a struct of options.h, in their order.
std::vector<std::string> members_of(const std::string& name) {
  const std::string all = text_of("include/gatehouse/options.h");
  const std::size_t begin = all.find("struct " + name + " {\n");
  EXPECT_NE(begin, std::string::npos) << name;
  const std::string body = all.substr(begin, all.find("\n};\n", begin) - begin);
  std::vector<std::string> members;
  // "  int count = 1;", "  std::chrono::milliseconds ping_interval{0};"; no comment begins like this.
  const std::regex member(R"(\n  [A-Za-z][^\n/;]*?[ >](\w+)(?: = [^\n]*|\{[^\n]*\});)");
  for (auto found = std::sregex_iterator(body.begin(), body.end(), member); found != std::sregex_iterator(); ++found) {
    members.push_back((*found)[1]);
  }
  return members;
}

template <class Options>
void expect_all(const std::string& name, const std::vector<OptionRow<Options>>& table) {
  std::vector<std::string> names;
  for (const auto& row : table) names.emplace_back(row.name);
  EXPECT_EQ(names, members_of(name)) << "options.h and option_table.cc; say there what it takes until a change is in force";
}

TEST(OptionTable, HasEveryOption) {
  EXPECT_GT(members_of("GatewayOptions").size(), 50U);
  expect_all("GatewayOptions", gateway_options());
  expect_all("RegisterOptions", register_options());
  expect_all("WorkerOptions", worker_options());
  expect_all("ProcessOptions", process_options());
  expect_all("InstanceOptions", instance_options());
}

template <class Options>
void expect_round_trip(const std::vector<OptionRow<Options>>& table, const Options& changed) {
  const auto json = to_json(changed, table);
  Options other;
  from_json(json, other, table);
  EXPECT_EQ(to_json(other, table), json);
}

TEST(OptionTable, ValuesComeBackAsTheyWere) {
  GatewayOptions gateway;
  gateway.listen = "ws://[::1]:1";
  gateway.tls_cert = {"a", "caf\xe9"};
  gateway.inner_tls = {.ca = "ca", .cert = "c", .key = "k", .name = "n"};
  gateway.real_ip_header = RealIpHeader::x_real_ip;
  gateway.over_rate = RateAction::close;
  gateway.max_memory = std::size_t{1} << 40;
  gateway.ping_interval = std::chrono::milliseconds(1234);
  gateway.deflate = true;
  gateway.ping_data = std::string("\xff\0{}", 4);
  gateway.secret_key = "\x80\xff";
  expect_round_trip(gateway_options(), gateway);
  // It is handed on as text.
  const auto handed = nlohmann::ordered_json::parse(to_json(gateway, gateway_options()).dump());
  GatewayOptions other_gateway;
  from_json(handed, other_gateway, gateway_options());
  EXPECT_EQ(other_gateway.tls_cert, gateway.tls_cert);
  EXPECT_EQ(other_gateway.ping_data, gateway.ping_data);
  EXPECT_EQ(other_gateway.secret_key, gateway.secret_key);
  expect_round_trip(register_options(), RegisterOptions{.secret_key = "s"});
  expect_round_trip(worker_options(), WorkerOptions{.delivery = Delivery::at_most_once});
  Settings settings{.instance = "i", .run_dir = "r"};
  settings.stop_timeout_seconds = 2.5;
  const auto json = to_json(settings, instance_options());
  EXPECT_EQ(json["stop_timeout"], 2500);
  Settings other{.instance = "i", .run_dir = ""};
  from_json(json, other, instance_options());
  EXPECT_EQ(to_json(other, instance_options()), json);
}

/// docs/operations.md has a line "| `max_memory` | live |" for every option.
template <class Options>
std::string table_of(const std::string& role, const std::vector<OptionRow<Options>>& table) {
  std::string out;
  for (const TakesEffect effect : {TakesEffect::live, TakesEffect::new_processes, TakesEffect::restart}) {
    std::string names;
    for (const auto& row : table) {
      if (row.effect != effect) continue;
      const std::string name = row.name == "register_addresses" && role != "workers" ? "register" : std::string(row.name);
      names += (names.empty() ? "`" : ", `") + name + "`";
    }
    if (!names.empty()) out += "| " + role + " | " + std::string(to_string(effect)) + " | " + names + " |\n";
  }
  return out;
}

TEST(OptionTable, TheManualSaysTheSame) {
  const std::string wanted = table_of("`[instance]`", instance_options()) + table_of("`[register]`", register_options()) +
                             table_of("`[[gateway]]`", gateway_options()) + table_of("workers", worker_options()) +
                             table_of("other processes", process_options());
  EXPECT_NE(text_of("docs/operations.md").find(wanted), std::string::npos) << "docs/operations.md is to have these lines:\n"
                                                                           << wanted;
}

}  // namespace
}  // namespace gatehouse
