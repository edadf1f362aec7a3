#include "application/role_process.h"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "application/listen_plan.h"
#include "application/option_problem.h"
#include "application/option_table.h"
#include "application/role_tls.h"
#include "gateway/access_log.h"
#include "gateway/client_tls.h"
#include "gateway/gateway.h"
#include "link/inner_tls.h"
#include "register/register.h"
#include "wire/stream_protocols.h"
#include "worker/business_worker.h"

namespace gatehouse {
namespace {

/// False, and the process is told to end, when it has not what it is to encrypt with.
bool has_tls(const RoleTls& tls, net::Loop& loop, const RoleProcess::Callbacks& callbacks) {
  for (net::TlsContext* each : tls.all()) each->warn(loop.log());
  if (tls.failure.empty()) return true;
  loop.log().error("{}", tls.failure);
  callbacks.failed(tls.failure);
  return false;
}

class RegisterProcess : public RoleProcess {
 public:
  RegisterProcess(net::Loop& loop, const RegisterOptions& options, net::Socket listener)
      : loop_(loop),
        tls_(RoleTls::make(options.inner_tls, link::kUsesOfRegister)),
        listening_(options.listen),
        listener_(std::move(listener)),
        register_(loop, options.secret_key, tls_.inner.get()) {}

  [[nodiscard]] std::string configure(const LiveSettings& live) override {
    register_.change_secret(string_of_json(live.options.at("secret_key")), live.old_secret, live.old_secret_ms());
    return {};
  }

  void start(Callbacks callbacks) override {
    if (!has_tls(tls_, loop_, callbacks)) return;
    register_.serve(std::move(listener_));
    callbacks.ready();
  }
  void stop(std::function<void()> stopped) override {
    register_.stop();
    stopped();
  }
  [[nodiscard]] MessageCounts message_counts() const override { return register_.message_counts(); }
  [[nodiscard]] RoleStatus status() const override {
    RoleStatus status = register_.status();
    status.listening = listening_;
    return status;
  }
  [[nodiscard]] std::vector<net::TlsContext*> tls_contexts() const override { return tls_.all(); }

 private:
  net::Loop& loop_;
  RoleTls tls_;
  std::string listening_;
  net::Socket listener_;
  Register register_;
};

class GatewayProcess : public RoleProcess {
 public:
  GatewayProcess(net::Loop& loop, GatewayOptions options, int index, std::unique_ptr<Protocol> protocol, net::Socket clients,
                 net::Socket inner, net::Socket share, std::shared_ptr<net::TlsTickets> tickets, LogFormat format)
      : loop_(loop),
        options_(std::move(options)),
        tls_(RoleTls::make(options_, std::move(tickets))),
        index_(index),
        protocol_(std::move(protocol)),
        clients_(std::move(clients)),
        inner_(std::move(inner)),
        share_(std::move(share)),
        format_(format) {}

  void start(Callbacks callbacks) override {
    if (!has_tls(tls_, loop_, callbacks)) return;
    // The name may have another address than when the program was started.
    const Result<std::string> ip = announced_ip(options_);
    if (!ip) {
      loop_.log().error("lan_ip: {}", ip.error().message);
      return callbacks.failed("lan_ip: " + ip.error().message);
    }
    if (*ip != options_.lan_ip) loop_.log().info("lan_ip {} is {}", options_.lan_ip, *ip);
    options_.lan_ip = *ip;
    if (!options_.access_log.empty()) {
      auto opened = gateway::AccessLog::open(
          loop_,
          {.path = options_.access_log, .format = format_, .process = fmt::format("gateway {}:{}", options_.name, index_)});
      if (!opened) {
        loop_.log().error("access_log: {}", opened.error().message);
        return callbacks.failed("access_log: " + opened.error().message);
      }
      access_log_ = std::move(*opened);
    }
    gateway_.emplace(loop_, options_, index_, std::move(protocol_), Gateway::Tls{tls_.clients.get(), tls_.inner.get()});
    gateway_->use_access_log(access_log_.get());
    gateway_->serve(std::move(clients_), std::move(inner_), share_);
    if (live_) hand_on(*live_);
    for (const Denied& each : std::exchange(denied_, {})) (void)gateway_->deny(each.range, each.time);
    callbacks.ready();
  }
  [[nodiscard]] std::string configure(const LiveSettings& live) override {
    GatewayOptions next = options_;
    from_json(live.options, next, gateway_options());
    if (tls_.clients) {
      const auto changed = gateway::change_client_tls(*tls_.clients, next);
      if (!changed) return std::string(client_option(changed.error())) + ": " + changed.error().message;
    }
    options_ = std::move(next);
    live_ = live;
    if (gateway_) hand_on(live);
    return {};
  }
  void leave(bool has_siblings) override {
    if (gateway_) gateway_->leave_port(has_siblings);
  }
  std::size_t deny(const net::AddressRange& range, std::optional<std::chrono::milliseconds> time) override {
    if (gateway_) return gateway_->deny(range, time);
    denied_.push_back({range, time});
    return 0;
  }
  void allow(const net::AddressRange& range) override {
    if (gateway_) (void)gateway_->allow(range);
    std::erase_if(denied_, [&](const Denied& each) { return each.range == range; });
  }
  void reopen_logs(const Log& log) override {
    if (access_log_ == nullptr) return;
    if (const auto reopened = access_log_->reopen(); !reopened)
      log.error("access_log: {}; it goes on in the old one", reopened.error().message);
  }
  void stop(std::function<void()> stopped) override {
    if (!gateway_) return stopped();
    gateway_->stop(std::move(stopped));
  }
  void stop_gracefully(std::function<void()> stopped) override {
    if (!gateway_) return stopped();
    gateway_->stop_gracefully(std::move(stopped));
  }
  [[nodiscard]] MessageCounts message_counts() const override { return gateway_ ? gateway_->message_counts() : MessageCounts{}; }
  [[nodiscard]] RoleStatus status() const override {
    RoleStatus status = gateway_ ? gateway_->status() : RoleStatus{};
    status.listening = options_.listen;
    return status;
  }
  [[nodiscard]] std::vector<net::TlsContext*> tls_contexts() const override { return tls_.all(); }

 private:
  void hand_on(const LiveSettings& live) { gateway_->configure(options_, live.old_secret, live.old_secret_ms()); }

  net::Loop& loop_;
  GatewayOptions options_;
  RoleTls tls_;
  int index_;
  std::unique_ptr<Protocol> protocol_;
  net::Socket clients_;
  net::Socket inner_;
  net::Socket share_;
  const LogFormat format_;
  struct Denied {
    net::AddressRange range;
    std::optional<std::chrono::milliseconds> time;
  };
  std::vector<Denied> denied_;  // before there is a gateway
  std::unique_ptr<gateway::AccessLog> access_log_;
  std::optional<Gateway> gateway_;
  std::optional<LiveSettings> live_;  // taken over since the configuration was read
};

class WorkerProcess : public RoleProcess {
 public:
  WorkerProcess(net::Loop& loop, const WorkerOptions& options, int index, int generation, const std::string& instance)
      : loop_(loop),
        tls_(RoleTls::make(options.inner_tls, link::kUsesOfWorker)),
        worker_(loop, options, index, generation, tls_.inner.get(), instance) {}

  void start(Callbacks callbacks) override {
    if (has_tls(tls_, loop_, callbacks)) worker_.start(with_reason(callbacks.failed), callbacks.ready);
  }
  void prepare(Callbacks callbacks) override {
    if (has_tls(tls_, loop_, callbacks)) worker_.prepare(with_reason(callbacks.failed), callbacks.ready);
  }
  void serve(std::function<void()> serving) override { worker_.serve(std::move(serving)); }
  void stop(std::function<void()> stopped) override { worker_.stop(std::move(stopped)); }
  void stop_gracefully(std::function<void()> stopped) override { worker_.stop_gracefully(std::move(stopped)); }
  void record_in(BlackBox& box) override { worker_.record_in(box); }
  [[nodiscard]] MessageCounts message_counts() const override { return worker_.message_counts(); }
  [[nodiscard]] RoleStatus status() const override { return worker_.status(); }
  [[nodiscard]] std::vector<net::TlsContext*> tls_contexts() const override { return tls_.all(); }

 private:
  std::function<void()> with_reason(std::function<void(const std::string& why)> failed) {
    return [this, failed = std::move(failed)] { failed(worker_.failure()); };
  }

  net::Loop& loop_;
  RoleTls tls_;
  BusinessWorker worker_;
};

/// Null for websocket, which is more than a framing.
std::unique_ptr<Protocol> make_protocol(const Program& program, const GatewayOptions& options) {
  const std::string scheme = wire::split_scheme(options.listen.substr(0, options.listen.find("://"))).protocol;
  for (const auto& [name, factory] : program.protocols) {
    if (name == scheme) return factory();
  }
  return wire::make_stream_protocol(scheme);
}

}  // namespace

std::unique_ptr<RoleProcess> make_role_process(const Program& program, const master::ChildEnvironment& child, net::Loop& loop,
                                               const std::shared_ptr<net::TlsTickets>& tickets, const std::string& instance,
                                               LogFormat format) {
  const auto number = static_cast<std::size_t>(child.number);
  const auto is_one_of = [&](RoleKind kind, std::size_t count, std::size_t sockets) {
    return child.kind == to_string(kind) && number < count && child.listen_fds.size() == sockets;
  };
  if (is_one_of(RoleKind::register_server, program.registers.size(), 1)) {
    return std::make_unique<RegisterProcess>(loop, program.registers[number], net::Socket(child.listen_fds[0]));
  }
  if (is_one_of(RoleKind::gateway, program.gateways.size(), 3)) {
    const GatewayOptions& options = program.gateways[number];
    return std::make_unique<GatewayProcess>(loop, options, child.index, make_protocol(program, options),
                                            net::Socket(child.listen_fds[0]), net::Socket(child.listen_fds[1]),
                                            net::Socket(child.listen_fds[2]), tickets, format);
  }
  if (is_one_of(RoleKind::worker, program.workers.size(), 0)) {
    return std::make_unique<WorkerProcess>(loop, program.workers[number], child.index, child.generation, instance);
  }
  return nullptr;
}

}  // namespace gatehouse
