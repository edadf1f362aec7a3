#include "application/listen_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "application/listen_url.h"

namespace gatehouse {
namespace {

bool is_wildcard(const net::Address& address) {
  static constexpr std::array<std::uint8_t, 16> kAny6{};
  return address.is_ipv4() ? address.ipv4() == 0 : address.bytes() == kAny6;
}

/// Whether the kernel would refuse to listen on both. An IPv6 wildcard takes IPv4 clients too (net::listen_tcp).
bool collide(const net::Address& a, const net::Address& b) {
  if (a.port() != b.port()) return false;
  const auto covers = [](const net::Address& all, const net::Address& one) {
    return is_wildcard(all) && (!all.is_ipv4() || one.is_ipv4());
  };
  return a.bytes() == b.bytes() || covers(a, b) || covers(b, a);
}

std::string explain(const PlannedListener& listener, int error) {
  const std::string what = listener.endpoint.to_string();
  const std::string who = listener.index == PlannedListener::kShared ? "" : fmt::format(" (for process {})", listener.index);
  switch (error) {
    case EADDRINUSE: return fmt::format("{}{} is in use by another program; end that one, or choose another port", what, who);
    case EADDRNOTAVAIL: return fmt::format("{}{} is no address of this machine", what, who);
    case EACCES: return fmt::format("{}{} needs root or the capability CAP_NET_BIND_SERVICE, as all ports below 1024", what, who);
    default: return fmt::format("cannot listen on {}{}: {}", what, who, std::generic_category().message(error));
  }
}

}  // namespace

Result<net::Endpoint> inner_endpoint(const GatewayOptions& options, int index) {
  const std::string& host = options.inner_listen.empty() ? options.lan_ip : options.inner_listen;
  const bool bare_ipv6 = host.find(':') != std::string::npos && !host.starts_with('[');
  return net::Endpoint::resolve(
      fmt::format("{}{}{}:{}", bare_ipv6 ? "[" : "", host, bare_ipv6 ? "]" : "", options.start_port + index));
}

Result<std::string> announced_ip(const GatewayOptions& options) {
  const auto endpoint = net::Endpoint::resolve(options.lan_ip + ":0");
  if (endpoint && endpoint->to_address().is_ipv4()) return endpoint->to_address().ip();
  return failure(fmt::format(
      "\"{}\" is neither an IPv4 address nor a name of one; give what workers reach this machine at, such as 192.168.1.5",
      options.lan_ip));
}

tl::expected<std::vector<PlannedListener>, OptionProblem> plan_listeners(const Program& program) {
  std::vector<PlannedListener> plan;
  std::optional<OptionProblem> problem;
  const auto add = [&](PlannedListener listener, const Result<net::Endpoint>& endpoint) {
    if (problem) return;
    if (!endpoint) {
      problem = OptionProblem{listener.kind, listener.number, listener.option, endpoint.error().message};
      return;
    }
    listener.endpoint = *endpoint;
    for (const PlannedListener& other : plan) {
      if (!collide(other.endpoint.to_address(), listener.endpoint.to_address())) continue;
      problem = OptionProblem{
          listener.kind, listener.number, listener.option,
          fmt::format("port {} is taken by {} \"{}\" ({}) of this program; choose another", listener.endpoint.to_address().port(),
                      to_string(other.kind), name_of(program, other.kind, other.number), other.option)};
      return;
    }
    plan.push_back(listener);
  };
  const auto of_url = [](const std::string& text) {
    return ListenUrl::parse(text).map([](const ListenUrl& url) { return url.endpoint; });
  };

  for (std::size_t number = 0; number < program.registers.size(); ++number) {
    add({.kind = RoleKind::register_server, .number = number, .endpoint = {}}, of_url(program.registers[number].listen));
  }
  for (std::size_t number = 0; number < program.gateways.size(); ++number) {
    const GatewayOptions& options = program.gateways[number];
    add({.kind = RoleKind::gateway, .number = number, .endpoint = {}}, of_url(options.listen));
    for (int index = 0; index < options.count && !problem; ++index) {
      add({.kind = RoleKind::gateway, .number = number, .index = index, .option = "start_port", .endpoint = {}},
          inner_endpoint(options, index));
    }
  }
  for (std::size_t number = 0; number < program.processes.size(); ++number) {
    const std::string& listen = program.processes[number].listen;
    if (listen.empty()) continue;
    add({.kind = RoleKind::process, .number = number, .endpoint = {}, .only_tried = true}, net::Endpoint::resolve(listen));
  }
  if (problem) return tl::unexpected(*problem);
  return plan;
}

tl::expected<std::vector<net::Socket>, OptionProblem> open_listeners(const std::vector<PlannedListener>& plan) {
  std::vector<net::Socket> sockets;
  for (const PlannedListener& listener : plan) {
    Result<net::Socket> socket = net::listen_tcp(listener.endpoint);
    if (!socket) {
      return tl::unexpected(
          OptionProblem{listener.kind, listener.number, listener.option, explain(listener, socket.error().os_error)});
    }
    sockets.push_back(listener.only_tried ? net::Socket() : std::move(*socket));
  }
  return sockets;
}

}  // namespace gatehouse
