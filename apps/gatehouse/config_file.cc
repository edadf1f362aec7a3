#include "config_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <limits>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <variant>

#include "application/instance_settings.h"
#include "application/nearest_name.h"
#include "application/option_check.h"
#include "base/duration.h"
#include "master/identity.h"

namespace gatehouse::config {
namespace {

using std::chrono::milliseconds;

/// What a key sets; the type decides what may stand in the file.
using Target = std::variant<std::string*, int*, bool*, std::size_t*, milliseconds*, std::vector<std::string>*, LoadBalancing*,
                            Router*, RateAction*, SendBufferPolicy*, RealIpHeader*>;
using Keys = std::vector<std::pair<std::string, Target>>;

Keys keys_of(RegisterOptions& options) {
  return {{"name", &options.name},
          {"listen", &options.listen},
          {"secret_key", &options.secret_key},
          {"inner_tls_ca", &options.inner_tls.ca},
          {"inner_tls_cert", &options.inner_tls.cert},
          {"inner_tls_key", &options.inner_tls.key},
          {"inner_tls_name", &options.inner_tls.name}};
}

Keys keys_of(InstanceOptions& options) {
  return {{"run_dir", &options.run_dir},   {"pid_file", &options.pid_file},   {"control_socket", &options.control_socket},
          {"log_file", &options.log_file}, {"log_level", &options.log_level}, {"log_format", &options.log_format},
          {"user", &options.user},         {"group", &options.group},         {"stop_timeout", &options.stop_timeout}};
}

Keys keys_of(GatewayOptions& options) {
  return {{"name", &options.name},
          {"listen", &options.listen},
          {"count", &options.count},
          {"lan_ip", &options.lan_ip},
          {"inner_listen", &options.inner_listen},
          {"start_port", &options.start_port},
          {"register", &options.register_addresses},
          {"secret_key", &options.secret_key},
          {"inner_tls_ca", &options.inner_tls.ca},
          {"inner_tls_cert", &options.inner_tls.cert},
          {"inner_tls_key", &options.inner_tls.key},
          {"inner_tls_name", &options.inner_tls.name},
          {"tls_cert", &options.tls_cert},
          {"tls_key", &options.tls_key},
          {"max_tls_handshakes_per_second", &options.max_tls_handshakes_per_second},
          {"max_tls_handshakes", &options.max_tls_handshakes},
          {"ping_interval", &options.ping_interval},
          {"ping_not_response_limit", &options.ping_not_response_limit},
          {"ping_data", &options.ping_data},
          {"select_load_balancing_mode", &options.select_load_balancing_mode},
          {"router", &options.router},
          {"max_package_size", &options.max_package_size},
          {"max_fragments", &options.max_fragments},
          {"send_to_client_buffer_size", &options.send_to_client_buffer_size},
          {"send_to_worker_buffer_size", &options.send_to_worker_buffer_size},
          {"deflate", &options.deflate},
          {"deflate_level", &options.deflate_level},
          {"deflate_threshold", &options.deflate_threshold},
          {"deflate_window_bits", &options.deflate_window_bits},
          {"deflate_context_takeover", &options.deflate_context_takeover},
          {"deflate_context_memory", &options.deflate_context_memory},
          {"send_buffer_policy", &options.send_buffer_policy},
          {"subprotocols", &options.subprotocols},
          {"handshake_by_worker", &options.handshake_by_worker},
          {"allowed_origins", &options.allowed_origins},
          {"trusted_proxies", &options.trusted_proxies},
          {"proxy_protocol", &options.proxy_protocol},
          {"real_ip_header", &options.real_ip_header},
          {"health_path", &options.health_path},
          {"max_header_size", &options.max_header_size},
          {"max_header_fields", &options.max_header_fields},
          {"max_connections", &options.max_connections},
          {"max_connections_per_address", &options.max_connections_per_address},
          {"max_new_connections_per_second", &options.max_new_connections_per_second},
          {"ipv6_prefix_bits", &options.ipv6_prefix_bits},
          {"max_memory", &options.max_memory},
          {"first_bind_timeout", &options.first_bind_timeout},
          {"message_timeout", &options.message_timeout},
          {"max_messages_per_second", &options.max_messages_per_second},
          {"max_bytes_per_second", &options.max_bytes_per_second},
          {"over_rate", &options.over_rate},
          {"unfinished_messages_size", &options.unfinished_messages_size},
          {"inner_connect_timeout", &options.inner_connect_timeout},
          {"access_log", &options.access_log},
          {"handshake_timeout", &options.handshake_timeout},
          {"no_worker_timeout", &options.no_worker_timeout},
          {"no_worker_buffer_size", &options.no_worker_buffer_size},
          {"unfinished_buffer_size", &options.unfinished_buffer_size},
          {"worker_timeout", &options.worker_timeout}};
}

/// Whether a key names a file or a directory.
bool is_path(std::string_view key) {
  constexpr std::array<std::string_view, 10> kPaths = {"access_log", "run_dir",      "pid_file",       "control_socket",
                                                       "log_file",   "inner_tls_ca", "inner_tls_cert", "inner_tls_key",
                                                       "tls_cert",   "tls_key"};
  return std::find(kPaths.begin(), kPaths.end(), key) != kPaths.end();
}

std::vector<std::string> names_of(const Keys& keys) {
  std::vector<std::string> names;
  for (const auto& [name, target] : keys) names.push_back(name);
  return names;
}

/// Each `take` sets what its key is for, and returns what was expected when the value is something else.
using Expected = std::optional<std::string>;

Expected take(const toml::node& node, std::string& target) {
  const auto value = node.value_exact<std::string>();
  if (!value) return "a string in quotes";
  target = *value;
  return std::nullopt;
}

Expected take(const toml::node& node, int& target) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < std::numeric_limits<int>::min() || *value > std::numeric_limits<int>::max()) return "a whole number";
  target = static_cast<int>(*value);
  return std::nullopt;
}

Expected take(const toml::node& node, bool& target) {
  const auto value = node.value_exact<bool>();
  if (!value) return "true or false";
  target = *value;
  return std::nullopt;
}

/// One of some words.
template <class Enum>
Expected take_word(const toml::node& node, Enum& target, std::initializer_list<std::pair<const char*, Enum>> words) {
  const auto value = node.value_exact<std::string>();
  std::string expected;
  for (const auto& [word, meaning] : words) {
    if (value && *value == word) {
      target = meaning;
      return std::nullopt;
    }
    expected += fmt::format("{}\"{}\"", expected.empty() ? "" : " or ", word);
  }
  return expected;
}

Expected take(const toml::node& node, RateAction& target) {
  return take_word(node, target, {{"delay", RateAction::delay}, {"close", RateAction::close}});
}

Expected take(const toml::node& node, SendBufferPolicy& target) {
  return take_word(node, target,
                   {{"disconnect", SendBufferPolicy::disconnect},
                    {"drop_newest", SendBufferPolicy::drop_newest},
                    {"drop_oldest", SendBufferPolicy::drop_oldest},
                    {"keep_latest", SendBufferPolicy::keep_latest}});
}

Expected take(const toml::node& node, RealIpHeader& target) {
  return take_word(
      node, target,
      {{"none", RealIpHeader::none}, {"x-forwarded-for", RealIpHeader::x_forwarded_for}, {"x-real-ip", RealIpHeader::x_real_ip}});
}

Expected take(const toml::node& node, std::size_t& target) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < 0) return "a number of bytes, without a unit";
  target = static_cast<std::size_t>(*value);
  return std::nullopt;
}

Expected take(const toml::node& node, milliseconds& target) {
  std::optional<milliseconds> duration;
  if (const auto text = node.value_exact<std::string>()) duration = parse_duration(*text);
  if (node.is_number()) duration = duration_from_seconds(*node.value<double>());
  if (!duration) return "a duration such as \"50s\", \"500ms\" or \"2m\", or a number of seconds";
  target = *duration;
  return std::nullopt;
}

Expected take(const toml::node& node, std::vector<std::string>& target) {
  target.clear();
  if (const auto one = node.value_exact<std::string>()) {
    target.push_back(*one);
    return std::nullopt;
  }
  const toml::array* list = node.as_array();
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const auto element = (*list)[i].value_exact<std::string>();
    if (!element) return "a list of strings, such as [\"127.0.0.1:1236\"]";
    target.push_back(*element);
  }
  if (list == nullptr) return "a list of strings, such as [\"127.0.0.1:1236\"]";
  return std::nullopt;
}

/// One of a few words. `known` gives each its value.
template <class T>
Expected take_word(const toml::node& node, const std::vector<std::pair<std::string, T>>& known, T& target) {
  const std::string word = node.value_exact<std::string>().value_or("");
  std::vector<std::string> names;
  for (const auto& [name, value] : known) {
    if (name == word) {
      target = value;
      return std::nullopt;
    }
    names.push_back("\"" + name + "\"");
  }
  return fmt::format("one of {}", fmt::join(names, ", "));
}

Expected take(const toml::node& node, LoadBalancing& target) {
  return take_word<LoadBalancing>(node,
                                  {{"least_connections", LoadBalancing::least_connections},
                                   {"random", LoadBalancing::random},
                                   {"round_robin", LoadBalancing::round_robin}},
                                  target);
}

Expected take(const toml::node& node, Router& target) {
  return take_word<Router>(node, {{"bind", {}}, {"random", route_at_random()}, {"round_robin", route_in_turn()}}, target);
}

std::string describe(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "a list";
    case toml::node_type::string: return fmt::format("\"{}\"", *node.value<std::string>());
    case toml::node_type::integer: return fmt::format("{}", *node.value<std::int64_t>());
    case toml::node_type::floating_point: {
      const std::string digits = fmt::format("{}", *node.value<double>());
      return digits.find_first_not_of("-0123456789") == std::string::npos ? digits + ".0" : digits;
    }
    case toml::node_type::boolean: return *node.value<bool>() ? "true" : "false";
    default: return "a date or time";
  }
}

/// What people coming from GatewayWorker look for, and where it is.
std::string advice_on_table(std::string_view name, const toml::node& node) {
  if (!node.is_table() && !node.is_array()) {
    return fmt::format("\"{}\" stands outside of the tables; write [register] or [[gateway]] in the line before it", name);
  }
  const std::string unknown =
      fmt::format("unknown table \"{}\"{}", name, did_you_mean(name, {"instance", "register", "gateway"}));
  const bool worker = name.find("worker") != std::string_view::npos;
  return worker ? unknown + "; business workers are programs of their own, in PHP or C++, and find the gateways by the register"
                : unknown;
}

/// For keys of another table, and settings of GatewayWorker that are not there: what is right instead.
std::string advice_on_key(std::string_view name) {
  InstanceOptions instance;
  const std::vector<std::string> elsewhere = names_of(keys_of(instance));
  if (std::find(elsewhere.begin(), elsewhere.end(), name) != elsewhere.end()) return "; it stands in [instance]";
  if (name == "protocol_accelerate" || name == "protocolAccelerate") return "; leave it out: every broadcast is encoded once";
  if (name == "transport" || name == "context" || name == "ssl" || name == "local_cert" || name == "local_pk") {
    return "; for TLS write listen = \"wss://...\", tls_cert and tls_key";
  }
  if (name == "reuse_port" || name == "reusePort") return "; leave it out: the processes of a gateway share one listening socket";
  return {};
}

/// What toml++ says, in the words of somebody who is no TOML parser.
std::string explain(const toml::parse_error& error) {
  const std::string_view said = error.description();
  const auto quoted = [&] { return said.substr(said.find('\''), said.rfind('\'') - said.find('\'') + 1); };
  if (said.find("cannot redefine") != std::string_view::npos) return fmt::format("{} stands here for the second time", quoted());
  std::string text = fmt::format("this is no TOML: {}", said);
  if (said.find("could not determine value type") != std::string_view::npos) text += "; text stands in quotes, as in \"text\"";
  return text;
}

}  // namespace

/// Fills a ConfigFile from a parsed table. Throws std::runtime_error with the finished line.
class ConfigFile::Reader {
 public:
  Reader(ConfigFile& file, const toml::table& root) : file_(file), root_(root) {}

  void read() {
    for (const auto& [key, node] : root_) {
      if (key == "register") {
        read_register(node);
      } else if (key == "gateway") {
        read_gateways(node);
      } else if (key == "instance") {
        read_instance(node);
      } else {
        refuse(line_of(key), advice_on_table(key.str(), node));
      }
    }
    if (file_.register_lines_.empty() && file_.gateway_lines_.empty()) {
      refuse(1, "there is nothing to start; it takes a [register] or a [[gateway]]");
    }
  }

  void read_instance() {
    if (const toml::node* node = root_.get("instance")) read_instance(*node);
  }

 private:
  static std::size_t line_of(const toml::key& key) { return key.source().begin.line; }
  static std::size_t line_of(const toml::node& node) { return node.source().begin.line; }

  [[noreturn]] void refuse(std::size_t line, const std::string& sentence) const {
    throw std::runtime_error(fmt::format("{}:{}: {}", file_.path_, line, sentence));
  }

  void read_register(const toml::node& node) {
    if (node.is_array_of_tables()) refuse(line_of(node), "there is one register at most; write [register]");
    if (!node.is_table()) refuse(line_of(node), fmt::format("register is a table, not {}; write [register]", describe(node)));
    file_.register_lines_.push_back(read_table(*node.as_table(), file_.program_.registers.emplace_back()));
  }

  void read_instance(const toml::node& node) {
    if (!node.is_table()) refuse(line_of(node), fmt::format("instance is a table, not {}; write [instance]", describe(node)));
    file_.instance_lines_ = read_table(*node.as_table(), file_.instance_);
    if (const auto problem = check_instance_options(file_.instance_)) {
      refuse(file_.instance_lines_.at(problem->option), fmt::format("{}: {}", problem->option, problem->message));
    }
  }

  void read_gateways(const toml::node& node) {
    if (!node.is_array_of_tables()) refuse(line_of(node), "gateways are a list; write [[gateway]], in double brackets");
    for (const toml::node& each : *node.as_array()) {
      file_.gateway_lines_.push_back(read_table(*each.as_table(), file_.program_.gateways.emplace_back()));
    }
  }

  template <class Options>
  Lines read_table(const toml::table& table, Options& options) {
    const Keys keys = keys_of(options);
    Lines lines{{"", line_of(table)}};
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      const auto known = std::find_if(keys.begin(), keys.end(), [&](const auto& each) { return each.first == name; });
      if (known == keys.end())
        refuse(line_of(key), fmt::format("unknown key \"{}\"{}", name,
                                         advice_on_key(name).empty() ? did_you_mean(name, names_of(keys)) : advice_on_key(name)));
      const Expected expected = std::visit([&node = node](auto* target) { return take(node, *target); }, known->second);
      if (expected) refuse(line_of(key), fmt::format("{}: {} is expected, not {}", name, *expected, describe(node)));
      if (is_path(name)) place(known->second);
      lines[name] = line_of(key);
    }
    return lines;
  }

  /// A relative path counts from the directory of the file that it stands in.
  void place(std::string& path) const {
    if (!path.empty()) path = (std::filesystem::path(file_.path_).parent_path() / path).string();
  }
  void place(const Target& target) const {
    if (std::string* const* one = std::get_if<std::string*>(&target)) return place(**one);
    for (std::string& path : *std::get<std::vector<std::string>*>(target)) place(path);
  }

  ConfigFile& file_;
  const toml::table& root_;
};

namespace {

Result<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  if (stream) text << stream.rdbuf();
  // A directory opens like a file, and fails to be read; an empty file fails too, but with no error behind it.
  if ((!stream || !text) && errno != 0)
    return os_failure(fmt::format("cannot read the configuration file {} (-c chooses another)", path), errno);
  return text.str();
}

}  // namespace

Result<ConfigFile> ConfigFile::load(const std::string& path) {
  const Result<std::string> text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  return parse(*text, path);
}

Result<InstanceOptions> ConfigFile::parse_instance(std::string_view text, const std::string& path) {
  ConfigFile file;
  file.path_ = path;
  try {
    const toml::table root = toml::parse(text, path);
    Reader(file, root).read_instance();
  } catch (const toml::parse_error& error) {
    return failure(fmt::format("{}:{}: {}", path, error.source().begin.line, error.description()));
  } catch (const std::runtime_error& error) {
    return failure(error.what());
  }
  return file.instance_;
}

Result<ConfigFile> ConfigFile::parse(std::string_view text, const std::string& path) {
  ConfigFile file;
  file.path_ = path;
  try {
    Reader(file, toml::parse(text, path)).read();
  } catch (const toml::parse_error& error) {
    return failure(fmt::format("{}:{}: {}", path, error.source().begin.line, explain(error)));
  } catch (const std::runtime_error& error) {
    return failure(error.what());
  }
  if (const auto problem = check_options(file.program_)) return failure(file.locate(*problem));
  return file;
}

std::optional<std::string> ConfigFile::find_unknown_user() const {
  const auto problem = master::find_unknown_user(instance_.user, instance_.group);
  if (!problem) return std::nullopt;
  const auto line = instance_lines_.find(problem->starts_with("user") ? "user" : "group");
  return fmt::format("{}:{}: {}", path_, line == instance_lines_.end() ? 1 : line->second, *problem);
}

std::string ConfigFile::locate(const OptionProblem& problem) const {
  OptionProblem named = problem;
  if (named.option == "register_addresses") named.option = "register";
  const std::vector<Lines>& tables = problem.kind == RoleKind::register_server ? register_lines_ : gateway_lines_;
  std::size_t line = 1;
  if (problem.number < tables.size()) {
    const Lines& lines = tables[problem.number];
    // An option that is wrong though it is not there has its default, or is missing: then it is the table that is looked at.
    const auto found = lines.find(named.option);
    line = found != lines.end() ? found->second : lines.at("");
  }
  return fmt::format("{}:{}: {}", path_, line, to_line(named, program_));
}

}  // namespace gatehouse::config
