#include "application/option_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <string>
#include <type_traits>

namespace gatehouse {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json value_of(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<int>(value);
  } else if constexpr (std::is_same_v<T, std::chrono::milliseconds>) {
    return value.count();
  } else if constexpr (std::is_same_v<T, std::string>) {
    return json_of_string(value);
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    Json list = Json::array();
    for (const std::string& each : value) list.push_back(json_of_string(each));
    return list;
  } else if constexpr (std::is_same_v<T, InnerTls>) {
    return Json{{"ca", json_of_string(value.ca)},
                {"cert", json_of_string(value.cert)},
                {"key", json_of_string(value.key)},
                {"name", json_of_string(value.name)}};
  } else {
    return value;
  }
}

template <class T>
void take(const Json& json, T& value) {
  if constexpr (std::is_enum_v<T>) {
    value = static_cast<T>(json.get<int>());
  } else if constexpr (std::is_same_v<T, std::chrono::milliseconds>) {
    value = std::chrono::milliseconds(json.get<std::chrono::milliseconds::rep>());
  } else if constexpr (std::is_same_v<T, std::string>) {
    value = string_of_json(json);
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    value.clear();
    for (const Json& each : json) value.push_back(string_of_json(each));
  } else if constexpr (std::is_same_v<T, InnerTls>) {
    value = {.ca = string_of_json(json.at("ca")),
             .cert = string_of_json(json.at("cert")),
             .key = string_of_json(json.at("key")),
             .name = string_of_json(json.at("name"))};
  } else {
    value = json.get<T>();
  }
}

template <class Options, class T>
OptionRow<Options> row(std::string_view name, TakesEffect effect, T Options::* member, bool is_secret = false) {
  return {.name = name,
          .effect = effect,
          .get = [member](const Options& options) { return value_of(options.*member); },
          .set = [member](Options& options, const Json& json) { take(json, options.*member); },
          .is_secret = is_secret};
}

template <class Options>
OptionRow<Options> function(std::string_view name, TakesEffect effect) {
  return {.name = name, .effect = effect};
}

}  // namespace

nlohmann::ordered_json json_of_string(const std::string& value) {
  try {
    (void)Json(value).dump();
    return value;
  } catch (const Json::exception&) {
    return {{"bytes", fmt::format("{:02x}", fmt::join(std::vector<unsigned char>(value.begin(), value.end()), ""))}};
  }
}

std::string string_of_json(const nlohmann::ordered_json& json) {
  if (json.is_string()) return json.get<std::string>();
  const auto digits = json.at("bytes").get<std::string>();
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

const char* to_string(TakesEffect effect) {
  switch (effect) {
    case TakesEffect::live: return "live";
    case TakesEffect::new_processes: return "reload";
    case TakesEffect::restart: return "restart";
  }
  return "unknown";
}

const std::vector<OptionRow<GatewayOptions>>& gateway_options() {
  using O = GatewayOptions;
  static const std::vector<OptionRow<O>> table = {
      row("name", TakesEffect::restart, &O::name),
      row("listen", TakesEffect::restart, &O::listen),
      row("count", TakesEffect::live, &O::count),  // upwards
      row("lan_ip", TakesEffect::restart, &O::lan_ip),
      row("inner_listen", TakesEffect::restart, &O::inner_listen),
      row("start_port", TakesEffect::restart, &O::start_port),
      row("register_addresses", TakesEffect::restart, &O::register_addresses),
      row("secret_key", TakesEffect::live, &O::secret_key, true),
      row("inner_tls", TakesEffect::restart, &O::inner_tls),
      row("tls_cert", TakesEffect::live, &O::tls_cert),
      row("tls_key", TakesEffect::live, &O::tls_key),
      row("max_tls_handshakes_per_second", TakesEffect::live, &O::max_tls_handshakes_per_second),
      row("max_tls_handshakes", TakesEffect::live, &O::max_tls_handshakes),
      row("ping_interval", TakesEffect::live, &O::ping_interval),
      row("ping_not_response_limit", TakesEffect::live, &O::ping_not_response_limit),
      row("ping_data", TakesEffect::live, &O::ping_data),
      row("select_load_balancing_mode", TakesEffect::live, &O::select_load_balancing_mode),
      function<O>("router", TakesEffect::restart),
      row("max_package_size", TakesEffect::live, &O::max_package_size),
      row("max_fragments", TakesEffect::live, &O::max_fragments),
      row("send_to_client_buffer_size", TakesEffect::live, &O::send_to_client_buffer_size),
      row("send_buffer_policy", TakesEffect::restart, &O::send_buffer_policy),
      row("send_to_worker_buffer_size", TakesEffect::live, &O::send_to_worker_buffer_size),
      row("deflate", TakesEffect::live, &O::deflate),
      row("deflate_level", TakesEffect::live, &O::deflate_level),
      row("deflate_threshold", TakesEffect::live, &O::deflate_threshold),
      row("deflate_window_bits", TakesEffect::live, &O::deflate_window_bits),
      row("deflate_context_takeover", TakesEffect::live, &O::deflate_context_takeover),
      row("deflate_context_memory", TakesEffect::live, &O::deflate_context_memory),
      row("subprotocols", TakesEffect::live, &O::subprotocols),
      row("handshake_by_worker", TakesEffect::restart, &O::handshake_by_worker),
      row("allowed_origins", TakesEffect::live, &O::allowed_origins),
      row("trusted_proxies", TakesEffect::live, &O::trusted_proxies),
      row("proxy_protocol", TakesEffect::live, &O::proxy_protocol),
      row("real_ip_header", TakesEffect::live, &O::real_ip_header),
      row("health_path", TakesEffect::live, &O::health_path),
      row("max_header_size", TakesEffect::live, &O::max_header_size),
      row("max_header_fields", TakesEffect::live, &O::max_header_fields),
      row("max_connections", TakesEffect::live, &O::max_connections),
      row("max_connections_per_address", TakesEffect::live, &O::max_connections_per_address),
      row("max_new_connections_per_second", TakesEffect::live, &O::max_new_connections_per_second),
      row("ipv6_prefix_bits", TakesEffect::live, &O::ipv6_prefix_bits),
      row("max_memory", TakesEffect::live, &O::max_memory),
      row("first_bind_timeout", TakesEffect::live, &O::first_bind_timeout),
      row("max_messages_per_second", TakesEffect::live, &O::max_messages_per_second),
      row("max_bytes_per_second", TakesEffect::live, &O::max_bytes_per_second),
      row("over_rate", TakesEffect::live, &O::over_rate),
      row("unfinished_messages_size", TakesEffect::live, &O::unfinished_messages_size),
      row("message_timeout", TakesEffect::live, &O::message_timeout),
      row("inner_connect_timeout", TakesEffect::live, &O::inner_connect_timeout),
      row("access_log", TakesEffect::restart, &O::access_log),
      row("handshake_timeout", TakesEffect::live, &O::handshake_timeout),
      row("no_worker_timeout", TakesEffect::live, &O::no_worker_timeout),
      row("no_worker_buffer_size", TakesEffect::live, &O::no_worker_buffer_size),
      row("unfinished_buffer_size", TakesEffect::live, &O::unfinished_buffer_size),
      row("worker_timeout", TakesEffect::live, &O::worker_timeout),
  };
  return table;
}

const std::vector<OptionRow<RegisterOptions>>& register_options() {
  using O = RegisterOptions;
  static const std::vector<OptionRow<O>> table = {
      row("name", TakesEffect::restart, &O::name),
      row("listen", TakesEffect::restart, &O::listen),
      row("secret_key", TakesEffect::live, &O::secret_key, true),
      row("inner_tls", TakesEffect::restart, &O::inner_tls),
  };
  return table;
}

const std::vector<OptionRow<WorkerOptions>>& worker_options() {
  using O = WorkerOptions;
  static const std::vector<OptionRow<O>> table = {
      row("name", TakesEffect::new_processes, &O::name),
      row("count", TakesEffect::new_processes, &O::count),
      function<O>("events", TakesEffect::new_processes),
      row("register_addresses", TakesEffect::new_processes, &O::register_addresses),
      row("secret_key", TakesEffect::new_processes, &O::secret_key, true),
      row("inner_tls", TakesEffect::new_processes, &O::inner_tls),
      row("delivery", TakesEffect::new_processes, &O::delivery),
      row("blocked_after", TakesEffect::new_processes, &O::blocked_after),
      row("kill_blocked_after", TakesEffect::new_processes, &O::kill_blocked_after),
  };
  return table;
}

const std::vector<OptionRow<ProcessOptions>>& process_options() {
  using O = ProcessOptions;
  static const std::vector<OptionRow<O>> table = {
      row("name", TakesEffect::restart, &O::name),
      row("listen", TakesEffect::restart, &O::listen),
      function<O>("run", TakesEffect::restart),
  };
  return table;
}

const std::vector<OptionRow<Settings>>& instance_options() {
  using O = Settings;
  static const std::vector<OptionRow<O>> table = {
      row("run_dir", TakesEffect::restart, &O::run_dir),
      row("pid_file", TakesEffect::restart, &O::pid_file),
      row("control_socket", TakesEffect::restart, &O::control_socket),
      row("log_file", TakesEffect::restart, &O::log_file),
      row("log_level", TakesEffect::live, &O::log_level),
      row("log_format", TakesEffect::live, &O::log_format),
      row("user", TakesEffect::restart, &O::user),
      row("group", TakesEffect::restart, &O::group),
      {.name = "stop_timeout",
       .effect = TakesEffect::live,
       .get = [](const O& settings) { return Json(settings.stop_timeout().count()); },
       .set = [](O& settings, const Json& json) { settings.stop_timeout_seconds = json.get<double>() / 1000; }},
  };
  return table;
}

}  // namespace gatehouse
