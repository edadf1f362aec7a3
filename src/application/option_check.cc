#include "application/option_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <map>
#include <utility>

#include "application/listen_plan.h"
#include "application/listen_url.h"
#include "application/nearest_name.h"
#include "application/role_tls.h"
#include "gateway/client_tls.h"
#include "gateway/event_forwarder.h"
#include "link/inner_tls.h"
#include "net/address_set.h"
#include "wire/http_head.h"
#include "wire/stream_protocols.h"
#include "wire/utf8.h"
#include "wire/websocket_handshake.h"

namespace gatehouse {
namespace {

/// The largest of all sizes: what a 32-bit length on the inner protocol and a sensible process can carry.
constexpr std::size_t kMaxSize = std::size_t{1} << 30;
/// The longest message of a client: it goes to a worker in one frame, which has to have room for a session.
constexpr std::size_t kMaxMessage = gateway::EventForwarder::kMaxFrameForNative - std::size_t{64} * 1024;

/// Collects the first problem of one role; later ones are not even looked at.
class Checker {
 public:
  Checker(RoleKind kind, std::size_t number) : kind_(kind), number_(number) {}

  [[nodiscard]] const std::optional<OptionProblem>& problem() const { return problem_; }

  /// Returns `ok`, so that checks that build upon it can be left out.
  bool require(bool ok, const char* option, const std::string& message) {
    if (!ok && !problem_) problem_ = OptionProblem{kind_, number_, option, message};
    return ok;
  }

  void name(const std::string& name) {
    require(!name.empty(), "name", "it is empty; give it a name of its own, such as \"web\"");
    const bool printable = std::none_of(name.begin(), name.end(), [](unsigned char c) { return std::iscntrl(c) != 0; });
    require(printable, "name", "it has control characters in it; letters, digits, '-' and '_' are good");
    require(wire::is_utf8(name), "name", "it is no text in UTF-8; letters, digits, '-' and '_' are good");
  }

  void count(int count) {
    constexpr int kMost = 1000;  // a slip of the hand must not fill the machine
    require(count >= 1, "count", fmt::format("{} processes cannot be; 1 or more", count));
    require(count <= kMost, "count", fmt::format("{} processes are more than a machine has use for; {} at most", count, kMost));
  }

  void registers(const std::vector<std::string>& addresses) {
    require(!addresses.empty(), "register_addresses", "it is empty; name at least one, such as \"127.0.0.1:1236\"");
    for (const std::string& address : addresses) {
      const Result<int> port = parse_host_and_port(address);
      require(port.has_value(), "register_addresses", port ? "" : port.error().message);
    }
  }

  void duration(const char* option, std::chrono::milliseconds value, bool zero_allowed) {
    const auto smallest = std::chrono::milliseconds(zero_allowed ? 0 : 1);
    require(value >= smallest, option,
            fmt::format("{} ms cannot be; {}", value.count(), zero_allowed ? "0 or more" : "1 ms or more"));
    // What the loop's timers can hold (2^32 ms).
    require(value <= std::chrono::hours(24 * 49), option, "it is longer than 49 days");
  }

  void size(const char* option, std::size_t value) {
    require(value >= 1 && value <= kMaxSize, option, fmt::format("{} bytes cannot be; from 1 to {}", value, kMaxSize));
  }

  /// Whoever can reach an inner port or the register can send to every client, so it takes more than knowing the address.
  void secret(const char* option, const net::Endpoint& endpoint, const std::string& secret_key, const InnerTls& inner_tls) {
    require(endpoint.is_loopback() || !secret_key.empty() || inner_tls.is_set(), option,
            fmt::format("refusing to start: {} can be reached from other machines, and secret_key is empty; set a secret_key or "
                        "inner_tls, or use 127.0.0.1",
                        endpoint.to_string()));
  }

  void inner_tls(const InnerTls& files, net::TlsUses uses) {
    if (problem_) return;
    const auto made = link::make_inner_tls(files, false, uses);
    if (!made) require(false, inner_option(made.error()), made.error().message);
  }

 private:
  RoleKind kind_;
  std::size_t number_;
  std::optional<OptionProblem> problem_;
};

void check(Checker& checker, const RegisterOptions& options) {
  checker.name(options.name);
  const Result<ListenUrl> url = ListenUrl::parse(options.listen);
  if (!checker.require(url.has_value(), "listen", url ? "" : url.error().message)) return;
  checker.require(url->scheme == "text", "listen",
                  fmt::format("\"{}\": a register speaks text only, as in text://127.0.0.1:1236", options.listen));
  checker.secret("listen", url->endpoint, options.secret_key, options.inner_tls);
  checker.inner_tls(options.inner_tls, link::kUsesOfRegister);
}

void check_inner_side(Checker& checker, const GatewayOptions& options) {
  const Result<std::string> ip = announced_ip(options);
  checker.require(ip.has_value(), "lan_ip", ip ? "" : ip.error().message);
  checker.require(
      !ip || *ip != "0.0.0.0", "lan_ip",
      "0.0.0.0 is no address that workers could connect to; give this machine's own, and use inner_listen to bind to all");
  checker.require(options.start_port >= 1 && options.start_port <= 65535, "start_port",
                  fmt::format("{} is not a port; 1 to 65535", options.start_port));
  checker.require(options.start_port + std::int64_t{options.count} - 1 <= 65535, "start_port",
                  fmt::format("{} processes from port {} on would need ports over 65535", options.count, options.start_port));
  if (checker.problem()) return;
  const Result<net::Endpoint> inner = inner_endpoint(options, 0);
  if (!checker.require(
          inner.has_value(), "inner_listen",
          fmt::format("\"{}\" is neither an IP address nor a name of one; such as 0.0.0.0, without a port (that is start_port)",
                      options.inner_listen))) {
    return;
  }
  checker.secret(options.inner_listen.empty() ? "lan_ip" : "inner_listen", *inner, options.secret_key, options.inner_tls);
}

void check_deflate(Checker& checker, const GatewayOptions& options) {
  checker.require(options.deflate_level >= 1 && options.deflate_level <= 9, "deflate_level",
                  fmt::format("{} cannot be; from 1 (quick) to 9 (small)", options.deflate_level));
  checker.require(options.deflate_window_bits >= 9 && options.deflate_window_bits <= 15, "deflate_window_bits",
                  fmt::format("{} cannot be; from 9 (512 bytes) to 15 (32 KB)", options.deflate_window_bits));
  const bool drops_oldest = options.send_buffer_policy == SendBufferPolicy::drop_oldest;
  checker.require(
      !options.deflate || !options.deflate_context_takeover || !drops_oldest, "deflate_context_takeover",
      "a compressed message that refers to others cannot be read when those are dropped; use another send_buffer_policy "
      "than drop_oldest");
}

/// "https://chat.example:8443": scheme and host, without a path; what a browser may say.
bool is_origin(const std::string& origin) {
  const std::size_t scheme_end = origin.find("://");
  if (scheme_end == std::string::npos || scheme_end == 0) return false;
  const std::string host = origin.substr(scheme_end + 3);
  const bool has_capitals = std::any_of(origin.begin(), origin.end(), [](unsigned char c) { return std::isupper(c) != 0; });
  return !host.empty() && !has_capitals && host.find_first_of("/?#@ *") == std::string::npos;
}

void check_handshakes(Checker& checker, const GatewayOptions& options) {
  for (const std::string& name : options.subprotocols) {
    checker.require(wire::is_subprotocol(name), "subprotocols",
                    fmt::format("\"{}\" is no subprotocol; letters, digits, '.' and '-', such as \"chat.v2\"", name));
  }
  for (const std::string& origin : options.allowed_origins) {
    checker.require(is_origin(origin), "allowed_origins",
                    fmt::format("\"{}\" is no origin; scheme and host in small letters and nothing behind, such as "
                                "\"https://chat.example\"",
                                origin));
  }
  checker.require(options.max_header_size >= 256 && options.max_header_size <= wire::kMostHead.bytes, "max_header_size",
                  fmt::format("{} bytes cannot be; from 256 to {}", options.max_header_size, wire::kMostHead.bytes));
  checker.require(
      options.max_header_fields >= 5 && static_cast<std::size_t>(options.max_header_fields) <= wire::kMostHead.fields,
      "max_header_fields",
      fmt::format("{} cannot be; from 5, which a handshake has, to {}", options.max_header_fields, wire::kMostHead.fields));
}

void check_health_path(Checker& checker, const GatewayOptions& options, const std::string& protocol) {
  const std::string& path = options.health_path;
  if (path.empty()) return;
  const bool plain = path.starts_with('/') && std::all_of(path.begin(), path.end(), [](unsigned char c) {
                       return c > 0x20 && c < 0x7f && c != '?' && c != '#';
                     });
  checker.require(plain, "health_path",
                  fmt::format("\"{}\" is no path of a request; one begins with '/' and has neither spaces nor '?', such as "
                              "\"/healthz\"",
                              printable(path)));
  checker.require(protocol.empty() || wire::is_websocket(protocol), "health_path",
                  fmt::format("only websocket has paths, not {}; a TCP connect says that the process lives", protocol));
}

void check_proxies(Checker& checker, const GatewayOptions& options, const std::string& scheme) {
  const Result<net::AddressSet> trusted = net::AddressSet::parse(options.trusted_proxies);
  checker.require(trusted.has_value(), "trusted_proxies", trusted ? "" : trusted.error().message);
  const bool by_header = options.real_ip_header != RealIpHeader::none;
  checker.require(!options.proxy_protocol || !options.trusted_proxies.empty(), "proxy_protocol",
                  "nobody is trusted to say it; name the proxies in trusted_proxies, such as [\"10.0.0.0/8\"]");
  checker.require(!by_header || !options.trusted_proxies.empty(), "real_ip_header",
                  "nobody is trusted to say it; name the proxies in trusted_proxies, such as [\"10.0.0.0/8\"]");
  checker.require(!by_header || scheme == "websocket" || scheme == "ws", "real_ip_header",
                  fmt::format("only websocket has headers, not {}; proxy_protocol is for every scheme", scheme));
  checker.require(options.trusted_proxies.empty() || options.proxy_protocol || by_header, "trusted_proxies",
                  "it says nothing without proxy_protocol or real_ip_header; set the one by which they tell who the client is");
}

void check_limits(Checker& checker, const GatewayOptions& options) {
  for (const auto& [option, value] : {std::pair("max_connections", options.max_connections),
                                      std::pair("max_connections_per_address", options.max_connections_per_address),
                                      std::pair("max_new_connections_per_second", options.max_new_connections_per_second),
                                      std::pair("max_messages_per_second", options.max_messages_per_second)}) {
    checker.require(value >= 0, option, fmt::format("{} cannot be; 0 (no limit) or more", value));
  }
  checker.require(options.ipv6_prefix_bits >= 1 && options.ipv6_prefix_bits <= 128, "ipv6_prefix_bits",
                  fmt::format("{} cannot be; from 1 to 128", options.ipv6_prefix_bits));
  checker.size("unfinished_messages_size", options.unfinished_messages_size);
  checker.duration("message_timeout", options.message_timeout, true);
  checker.duration("first_bind_timeout", options.first_bind_timeout, true);
  checker.duration("inner_connect_timeout", options.inner_connect_timeout, false);
}

std::string advice_on_scheme(const std::string& scheme, const std::vector<std::string>& schemes) {
  if (scheme == "ssl" || scheme == "tls") return "; bytes over TLS are tcp+tls";
  if (scheme == "https") return "; did you mean \"wss\"?";
  return did_you_mean(scheme, schemes);
}

void check_client_tls(Checker& checker, const GatewayOptions& options, const ListenUrl& url) {
  const auto [protocol, is_encrypted] = wire::split_scheme(url.scheme);
  const std::size_t certificates = options.tls_cert.size();
  checker.require(
      !is_encrypted || certificates > 0, "tls_cert",
      fmt::format("it is missing; {} takes a certificate and its key (tls_key), as files in PEM form", options.listen));
  const std::string encrypted = wire::is_websocket(protocol) ? "wss" : protocol + "+tls";
  checker.require(is_encrypted || (certificates == 0 && options.tls_key.empty()), certificates > 0 ? "tls_cert" : "tls_key",
                  fmt::format("{} is not encrypted, so it is for nothing; write listen as {}://{}, or leave it out",
                              options.listen, encrypted, url.endpoint.to_string()));
  checker.require(options.tls_key.size() == certificates, "tls_key",
                  fmt::format("{} keys for {} certificates (tls_cert); one is wanted for each, in the same order",
                              options.tls_key.size(), certificates));
  checker.require(options.max_tls_handshakes >= 1, "max_tls_handshakes",
                  fmt::format("{} cannot be; 1 or more", options.max_tls_handshakes));
  checker.require(options.max_tls_handshakes_per_second >= 0, "max_tls_handshakes_per_second",
                  fmt::format("{} cannot be; 0 (no limit) or more", options.max_tls_handshakes_per_second));
  if (checker.problem()) return;
  const auto made = gateway::make_client_tls(options, nullptr, false);
  if (!made) checker.require(false, client_option(made.error()), made.error().message);
}

void check(Checker& checker, const GatewayOptions& options, const std::vector<std::string>& schemes) {
  checker.name(options.name);
  checker.require(!options.listen.empty(), "listen",
                  "it is missing; say where clients connect, such as websocket://0.0.0.0:8282");
  const Result<ListenUrl> url = ListenUrl::parse(options.listen);
  if (checker.require(url.has_value(), "listen", url ? "" : url.error().message)) {
    const std::string protocol = wire::split_scheme(url->scheme).protocol;
    checker.require(std::find(schemes.begin(), schemes.end(), protocol) != schemes.end(), "listen",
                    fmt::format("unknown scheme \"{}\" (known: {}; over TLS wss, or any of them with +tls, such as text+tls){}",
                                url->scheme, fmt::join(schemes, ", "), advice_on_scheme(url->scheme, schemes)));
    if (!checker.problem()) check_client_tls(checker, options, *url);
  }
  checker.count(options.count);
  check_inner_side(checker, options);
  checker.inner_tls(options.inner_tls, link::kUsesOfGateway);
  checker.registers(options.register_addresses);
  checker.duration("ping_interval", options.ping_interval, true);
  checker.require(options.ping_not_response_limit >= 0, "ping_not_response_limit",
                  fmt::format("{} cannot be; 0 (never disconnect) or more", options.ping_not_response_limit));
  checker.size("max_package_size", options.max_package_size);
  checker.require(options.max_package_size <= kMaxMessage, "max_package_size",
                  fmt::format("{} bytes cannot be; {} at most, since a native worker takes no more than {} bytes with one event, "
                              "the session and what stands around it included (one of PHP {})",
                              options.max_package_size, kMaxMessage, gateway::EventForwarder::kMaxFrameForNative,
                              gateway::EventForwarder::kMaxFrameForPhp));
  checker.require(options.max_fragments >= 1, "max_fragments", fmt::format("{} cannot be; 1 or more", options.max_fragments));
  checker.size("send_to_client_buffer_size", options.send_to_client_buffer_size);
  checker.size("send_to_worker_buffer_size", options.send_to_worker_buffer_size);
  check_deflate(checker, options);
  check_handshakes(checker, options);
  check_limits(checker, options);
  check_health_path(checker, options, url ? wire::split_scheme(url->scheme).protocol : "");
  check_proxies(checker, options, url ? wire::split_scheme(url->scheme).protocol : "");
  checker.duration("handshake_timeout", options.handshake_timeout, false);
  checker.duration("no_worker_timeout", options.no_worker_timeout, true);
  checker.require(options.no_worker_buffer_size <= kMaxSize, "no_worker_buffer_size",
                  fmt::format("it is over {} bytes", kMaxSize));
  checker.size("unfinished_buffer_size", options.unfinished_buffer_size);
  checker.duration("worker_timeout", options.worker_timeout, true);
}

void check(Checker& checker, const WorkerOptions& options) {
  checker.name(options.name);
  checker.count(options.count);
  checker.require(static_cast<bool>(options.events), "events",
                  "they are missing; such as .events = gatehouse::make_events<MyEvents>()");
  checker.registers(options.register_addresses);
  checker.inner_tls(options.inner_tls, link::kUsesOfWorker);
  checker.duration("blocked_after", options.blocked_after, true);
  checker.duration("kill_blocked_after", options.kill_blocked_after, true);
}

void check(Checker& checker, const ProcessOptions& options) {
  checker.name(options.name);
  checker.require(static_cast<bool>(options.run), "run", "it is missing; give the function that the process runs");
  if (options.listen.empty()) return;
  const Result<int> port = parse_host_and_port(options.listen);
  if (!checker.require(port.has_value(), "listen", port ? "" : port.error().message)) return;
  const Result<net::Endpoint> endpoint = net::Endpoint::resolve(options.listen);
  checker.require(endpoint.has_value(), "listen", endpoint ? "" : endpoint.error().message);
}

bool is_scheme(const std::string& scheme) {
  const auto letter = [](unsigned char c) { return std::isalpha(c) != 0; };
  const auto letter_or_digit = [](unsigned char c) { return std::isalnum(c) != 0; };
  return !scheme.empty() && letter(static_cast<unsigned char>(scheme[0])) &&
         std::all_of(scheme.begin(), scheme.end(), letter_or_digit);
}

std::optional<OptionProblem> check_program(const Program& program) {
  Checker checker(RoleKind::program, 0);
  const bool plain = std::all_of(program.name.begin(), program.name.end(),
                                 [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; });
  checker.require(!program.name.empty() && plain, "name", "it names files: letters, digits, '-' and '_' only");
  std::map<std::string, int> seen = {{"websocket", 1}, {"ws", 1}, {"text", 1}, {"frame", 1}, {"tcp", 1}, {"wss", 1}};
  for (const auto& [scheme, factory] : program.protocols) {
    checker.require(is_scheme(scheme), "add_protocol",
                    fmt::format("\"{}\" is no scheme name; a letter, then letters and digits", scheme));
    checker.require(++seen[scheme] == 1, "add_protocol", fmt::format("the scheme \"{}\" is taken; choose another name", scheme));
    checker.require(static_cast<bool>(factory), "add_protocol", fmt::format("the scheme \"{}\" has no factory", scheme));
  }
  checker.require(
      !program.registers.empty() || !program.gateways.empty() || !program.workers.empty() || !program.processes.empty(), "",
      "there is nothing to start; add() a register, a gateway, a worker or a process");
  return checker.problem();
}

/// Names are what status, log, the processes of a reload and, for workers, the cluster tell roles apart by.
std::optional<OptionProblem> check_names(const Program& program) {
  std::map<std::string, RoleKind> seen;
  std::optional<OptionProblem> problem;
  const auto add = [&](RoleKind kind, std::size_t count) {
    for (std::size_t number = 0; number < count && !problem; ++number) {
      const std::string name = name_of(program, kind, number);
      const auto [other, is_new] = seen.emplace(name, kind);
      if (!is_new) {
        problem =
            OptionProblem{kind, number, "name",
                          fmt::format("another {} has this name already; give each a name of its own", to_string(other->second))};
      }
    }
  };
  add(RoleKind::register_server, program.registers.size());
  add(RoleKind::worker, program.workers.size());
  add(RoleKind::process, program.processes.size());
  // Theirs are shown only, so that they may be those of other roles.
  seen.clear();
  add(RoleKind::gateway, program.gateways.size());
  return problem;
}

/// The roles of one program that meet at a register: it, or its address, and what each has as inner_tls.
struct AtRegister {
  RoleKind kind;
  std::size_t number;
  const InnerTls* files;
};

std::string port_and_host(const std::string& address) {
  const Result<net::Endpoint> endpoint = net::Endpoint::parse_numeric(address);
  return endpoint ? endpoint->to_string() : address;
}

/// inner_tls is for all roles of a cluster or for none: one without it never reaches the others.
std::optional<OptionProblem> check_inner_tls_of_all(const Program& program) {
  std::map<std::string, std::vector<AtRegister>> meet;
  for (std::size_t i = 0; i < program.registers.size(); ++i) {
    const Result<ListenUrl> url = ListenUrl::parse(program.registers[i].listen);
    if (!url) continue;
    const std::string port = fmt::format(":{}", url->endpoint.to_address().port());
    const AtRegister self{RoleKind::register_server, i, &program.registers[i].inner_tls};
    const std::string ip = url->endpoint.to_address().ip();
    // One that listens on all addresses is dialled at one of them, most often the loopback's.
    const bool is_any = ip == "0.0.0.0" || ip == "::";
    meet[is_any ? "127.0.0.1" + port : url->endpoint.to_string()].push_back(self);
    if (ip == "::") meet["[::1]" + port].push_back(self);
  }
  const auto add = [&meet](RoleKind kind, std::size_t number, const std::vector<std::string>& addresses, const InnerTls& files) {
    for (const std::string& address : addresses) meet[port_and_host(address)].push_back({kind, number, &files});
  };
  for (std::size_t i = 0; i < program.gateways.size(); ++i) {
    add(RoleKind::gateway, i, program.gateways[i].register_addresses, program.gateways[i].inner_tls);
  }
  for (std::size_t i = 0; i < program.workers.size(); ++i) {
    add(RoleKind::worker, i, program.workers[i].register_addresses, program.workers[i].inner_tls);
  }
  for (const auto& [address, roles] : meet) {
    const auto with = std::find_if(roles.begin(), roles.end(), [](const AtRegister& each) { return each.files->is_set(); });
    const auto without = std::find_if(roles.begin(), roles.end(), [](const AtRegister& each) { return !each.files->is_set(); });
    if (with == roles.end() || without == roles.end()) continue;
    return OptionProblem{
        without->kind, without->number, "inner_tls_ca",
        fmt::format("it is missing, and the {} \"{}\" of the same register {} has it; every role of a cluster has it, or none",
                    to_string(with->kind), name_of(program, with->kind, with->number), address)};
  }
  return std::nullopt;
}

template <class Options, class... More>
std::optional<OptionProblem> check_all(RoleKind kind, const std::vector<Options>& list, const More&... more) {
  for (std::size_t number = 0; number < list.size(); ++number) {
    Checker checker(kind, number);
    check(checker, list[number], more...);
    if (checker.problem()) return checker.problem();
  }
  return std::nullopt;
}

}  // namespace

std::optional<OptionProblem> check_options(const Program& program) {
  if (auto problem = check_program(program)) return problem;
  if (auto problem = check_all(RoleKind::register_server, program.registers)) return problem;
  if (auto problem = check_all(RoleKind::gateway, program.gateways, known_schemes(program))) return problem;
  if (auto problem = check_all(RoleKind::worker, program.workers)) return problem;
  if (auto problem = check_all(RoleKind::process, program.processes)) return problem;
  if (auto problem = check_names(program)) return problem;
  if (auto problem = check_inner_tls_of_all(program)) return problem;
  const auto plan = plan_listeners(program);
  return plan ? std::nullopt : std::optional(plan.error());
}

}  // namespace gatehouse
