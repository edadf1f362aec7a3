#include "gateway/gateway.h"

#include <algorithm>
#include <random>
#include <utility>

#include "gateway/access_log.h"
#include "gateway/client_framing.h"
#include "gateway/client_port.h"
#include "gateway/client_table.h"
#include "gateway/clients.h"
#include "gateway/commands.h"
#include "gateway/directory.h"
#include "gateway/event_forwarder.h"
#include "gateway/event_router.h"
#include "gateway/heartbeat.h"
#include "gateway/inner_port.h"
#include "gateway/last_answers.h"
#include "gateway/proxies.h"
#include "gateway/questions.h"
#include "gateway/unfinished_messages.h"
#include "gateway/worker_table.h"
#include "link/register_links.h"
#include "wire/client_id.h"
#include "wire/stream_protocols.h"

namespace gatehouse {
namespace {

/// Room for a session beside a message of the largest size in one inner frame.
constexpr std::size_t kSessionRoom = 4 * 1024 * 1024;
constexpr int kWorkerPingMs = 25'000;
constexpr int kStopMs = 1000;
// What OpenSSL holds for one handshake, 46 KB (LoopTlsSlots.OneInFlightHoldsWhatIsSaidOfIt), and a little more.
constexpr std::size_t kTlsHandshakeBytes = 48 * 1024;
// A part of a message that came over TLS is kept with room behind it for what a read may bring.
constexpr std::size_t kRecordRoom = 34 * 1024;

std::uint64_t milliseconds(std::chrono::milliseconds duration) {
  return static_cast<std::uint64_t>(std::max<std::chrono::milliseconds::rep>(duration.count(), 0));
}

gateway::Compression::Settings compression_settings_for(const GatewayOptions& options) {
  gateway::Compression::Settings settings;
  settings.offered = options.deflate;
  settings.level = options.deflate_level;
  settings.threshold_bytes = options.deflate_threshold;
  settings.rules = {.context_takeover = options.deflate_context_takeover, .window_bits = options.deflate_window_bits};
  settings.max_message_bytes = options.max_package_size;
  settings.max_context_bytes = options.deflate_context_memory;
  return settings;
}

/// Null when it is off.
std::unique_ptr<gateway::Compression> compression_for(const GatewayOptions& options) {
  return options.deflate ? std::make_unique<gateway::Compression>(compression_settings_for(options)) : nullptr;
}

wire::WebSocketLimits websocket_limits_for(const GatewayOptions& options) {
  return {.message = options.max_package_size, .fragments = static_cast<std::uint32_t>(options.max_fragments)};
}

/// Nobody is trusted when the list is wrong, which option_check has found before.
net::AddressSet trusted_by(const GatewayOptions& options) {
  return net::AddressSet::parse(options.trusted_proxies).value_or(net::AddressSet());
}

gateway::Proxies::Settings proxies_for(const GatewayOptions& options) {
  return {options.proxy_protocol, options.real_ip_header, trusted_by(options)};
}

gateway::Admission::Settings admission_for(const GatewayOptions& options) {
  gateway::Admission::Settings settings;
  settings.connections = static_cast<std::uint32_t>(options.max_connections);
  settings.per_address = static_cast<std::uint32_t>(options.max_connections_per_address);
  settings.ipv6_prefix_bits = static_cast<std::uint32_t>(options.ipv6_prefix_bits);
  settings.new_per_s = static_cast<std::uint32_t>(options.max_new_connections_per_second);
  settings.proxies = trusted_by(options);
  settings.memory_bytes = options.max_memory;
  settings.memory_in_use = gateway::heap_in_use;
  return settings;
}

gateway::UnfinishedMessages::Settings unfinished_for(const GatewayOptions& options) {
  return {.most_bytes = options.unfinished_messages_size, .timeout_ms = milliseconds(options.message_timeout)};
}

gateway::ClientPort::Settings client_settings_for(const GatewayOptions& options, net::TlsContext* tls, net::AcceptShare* share) {
  gateway::ClientPort::Settings settings;
  settings.scheme = wire::split_scheme(options.listen.substr(0, options.listen.find("://"))).protocol;
  settings.tls = tls;
  settings.share = share;
  settings.max_message_bytes = options.max_package_size;
  settings.subprotocols = options.subprotocols;
  settings.allowed_origins = options.allowed_origins;
  settings.head = {.bytes = options.max_header_size, .fields = static_cast<std::size_t>(options.max_header_fields)};
  settings.first_bind_ms = milliseconds(options.first_bind_timeout);
  settings.rates = {.messages_per_s = static_cast<std::uint32_t>(options.max_messages_per_second),
                    .bytes_per_s = options.max_bytes_per_second};
  settings.over_rate = options.over_rate;
  settings.arrival_ms = milliseconds(options.handshake_timeout);
  settings.health_path = options.health_path;
  return settings;
}

/// Without the addresses, which never change.
gateway::EventForwarder::Settings forwarding_for(const GatewayOptions& options) {
  gateway::EventForwarder::Settings settings;
  settings.high_water_bytes = options.send_to_worker_buffer_size;
  settings.held_bytes = options.no_worker_buffer_size;
  settings.unfinished_bytes = options.unfinished_buffer_size;
  settings.held_ms = milliseconds(options.no_worker_timeout);
  return settings;
}

gateway::Clients::Settings sending_for(const GatewayOptions& options) {
  return {options.send_to_client_buffer_size, options.send_buffer_policy};
}

gateway::Handshakes::Settings handshakes_for(const GatewayOptions& options) {
  return {milliseconds(options.handshake_timeout), options.handshake_by_worker};
}

gateway::Heartbeat::Settings heartbeat_for(const GatewayOptions& options) {
  return {milliseconds(options.ping_interval), options.ping_not_response_limit, options.ping_data};
}

gateway::InnerPort::Settings inner_settings_for(const GatewayOptions& options, net::TlsContext* tls) {
  gateway::InnerPort::Settings settings;
  settings.secret_keys = SecretKeys(options.secret_key);
  settings.max_frame_bytes = std::max(wire::kMostCommandFrame, options.max_package_size + kSessionRoom);
  settings.secret_ms = milliseconds(options.inner_connect_timeout);
  settings.worker_silence_ms = milliseconds(options.worker_timeout);
  settings.tls = tls;
  return settings;
}

std::uint32_t lan_ip_number(const std::string& lan_ip) {
  const auto endpoint = net::Endpoint::resolve(lan_ip + ":0");
  return endpoint ? endpoint->to_address().ipv4() : 0;
}

}  // namespace

/// The parts of a gateway, in the order in which they need each other.
class Gateway::State {
 public:
  State(net::Loop& loop, GatewayOptions options, int index, std::unique_ptr<Protocol> protocol, Tls tls)
      : loop_(loop),
        options_(std::move(options)),
        index_(index),
        tls_(tls),
        framing_(std::move(protocol), compression_for(options_)) {}

  void serve(net::Socket clients, net::Socket inner, const net::Socket& share);
  void configure(const GatewayOptions& options, const std::string& old_secret, std::uint64_t old_secret_ms);
  void stop(std::function<void()> stopped);
  void stop_gracefully(std::function<void()> stopped);
  void leave_port(bool has_siblings);
  void use_access_log(gateway::AccessLog* log) { access_log_ = log; }
  [[nodiscard]] gateway::ClientPort& client_port() { return *client_port_; }
  [[nodiscard]] std::uint64_t now_ms() const { return loop_.now_ms(); }
  [[nodiscard]] RoleStatus status() const;
  [[nodiscard]] MessageCounts message_counts() const;

 private:
  [[nodiscard]] gateway::Admission::Settings admission_settings() const;
  [[nodiscard]] std::size_t promised_memory() const;
  void build(std::uint16_t port, std::uint16_t inner_port);
  void give_up_waiting();

  net::Loop& loop_;
  GatewayOptions options_;
  const int index_;
  const Tls tls_;
  std::unique_ptr<net::AcceptShare> share_;  // null when it is alone
  gateway::ClientFraming framing_;
  wire::WebSocketReader websockets_{wire::WebSocketReader::Role::server, websocket_limits_for(options_)};
  gateway::ClientTable table_{std::random_device{}()};
  gateway::UnfinishedMessages unfinished_{table_, websockets_, unfinished_for(options_)};
  gateway::Directory directory_{table_};
  gateway::WorkerTable workers_;
  gateway::LimitLog limits_{loop_};
  gateway::Admission admission_{admission_settings()};
  gateway::Proxies proxies_{proxies_for(options_)};
  // Made when the ports are known.
  std::unique_ptr<gateway::EventRouter> router_;
  std::unique_ptr<gateway::EventForwarder> forwarder_;
  std::unique_ptr<gateway::Clients> clients_;
  std::unique_ptr<gateway::Heartbeat> heartbeat_;
  std::unique_ptr<gateway::Handshakes> handshakes_;
  std::unique_ptr<gateway::LastAnswers> last_answers_;
  std::unique_ptr<gateway::Commands> commands_;
  std::unique_ptr<gateway::Questions> questions_;
  std::unique_ptr<gateway::ClientPort> client_port_;
  std::unique_ptr<gateway::InnerPort> inner_port_;
  std::unique_ptr<link::RegisterLinks> registers_;
  net::ListenerId client_listener_;
  bool is_leaving_ = false;  // lets nobody in any more
  gateway::AccessLog* access_log_ = nullptr;
  net::TimerId leaving_;
};

gateway::Admission::Settings Gateway::State::admission_settings() const {
  gateway::Admission::Settings settings = admission_for(options_);
  settings.memory_promised = [this] { return promised_memory(); };
  return settings;
}

/// What clients may take until both their handshakes are done.
std::size_t Gateway::State::promised_memory() const {
  const std::size_t in_tls = std::min(loop_.tls_handshakes(), static_cast<std::size_t>(options_.max_tls_handshakes));
  const std::size_t head = 2 * options_.max_header_size + (tls_.clients != nullptr ? kRecordRoom : 0);
  return in_tls * kTlsHandshakeBytes + (clients_ != nullptr ? clients_->handshaking() * head : 0);
}

void Gateway::State::build(std::uint16_t port, std::uint16_t inner_port) {
  gateway::EventForwarder::Settings forwarding = forwarding_for(options_);
  forwarding.local_ip = lan_ip_number(options_.lan_ip);
  forwarding.local_port = inner_port;
  forwarding.gateway_port = port;
  router_ =
      std::make_unique<gateway::EventRouter>(loop_, workers_, directory_,
                                             gateway::EventRouter::Settings{.balancing = options_.select_load_balancing_mode,
                                                                            .router = options_.router,
                                                                            .local_ip = forwarding.local_ip,
                                                                            .local_port = inner_port,
                                                                            .native_handshakes = options_.handshake_by_worker});
  forwarder_ = std::make_unique<gateway::EventForwarder>(loop_, table_, workers_, *router_, forwarding);
  clients_ = std::make_unique<gateway::Clients>(loop_, table_, directory_, workers_, *forwarder_, framing_, unfinished_, limits_,
                                                sending_for(options_));
  handshakes_ =
      std::make_unique<gateway::Handshakes>(loop_, table_, *clients_, workers_, *forwarder_, limits_, handshakes_for(options_));
  heartbeat_ = std::make_unique<gateway::Heartbeat>(loop_, table_, *clients_, heartbeat_for(options_));
  clients_->set_heartbeat(*heartbeat_);
  last_answers_ = std::make_unique<gateway::LastAnswers>(loop_, table_, *clients_, *forwarder_);
  if (access_log_ != nullptr) {
    access_log_->set_client_ids(
        [ip = forwarding.local_ip, inner_port](std::uint32_t id) { return wire::format_client_id({ip, inner_port, id}); });
    clients_->set_access_log(*access_log_);
  }
  commands_ = std::make_unique<gateway::Commands>(loop_, table_, directory_, *clients_, *heartbeat_, *handshakes_);
  questions_ = std::make_unique<gateway::Questions>(table_, directory_);
  client_port_ = std::make_unique<gateway::ClientPort>(
      gateway::ClientPort::Parts{loop_, table_, *clients_, *handshakes_, *last_answers_, framing_, websockets_, unfinished_,
                                 admission_, proxies_, limits_, forwarder_->turns(), workers_, access_log_},
      client_settings_for(options_, tls_.clients, share_.get()));
  inner_port_ = std::make_unique<gateway::InnerPort>(loop_, workers_, *forwarder_, *commands_, *questions_, limits_,
                                                     inner_settings_for(options_, tls_.inner));
}

void Gateway::State::serve(net::Socket clients, net::Socket inner, const net::Socket& share) {
  if (share.valid()) share_ = std::make_unique<net::AcceptShare>(share, static_cast<std::size_t>(index_));
  const std::uint16_t inner_port = net::local_address(inner.fd()).port();
  build(net::local_address(clients.fd()).port(), inner_port);
  client_listener_ = loop_.listen(std::move(clients), *client_port_, 0, share_.get());
  loop_.listen(std::move(inner), *inner_port_);
  heartbeat_->start();
  loop_.every(std::chrono::seconds(1), [this] {
    client_port_->end_late();
    inner_port_->end_strangers();
    inner_port_->end_silent_workers();
    admission_.measure();
    client_port_->tell_share();
    loop_.take_those_that_wait(client_listener_);
    if (gateway::Compression* compression = framing_.compression()) compression->free_unused(loop_.now_ms());
    if (access_log_ != nullptr) access_log_->flush();
    give_up_waiting();
  });
  const net::Address lan = net::Address::from_ipv4(forwarder_->settings().local_ip, inner_port);
  if (!lan.is_loopback()) {
    loop_.every(std::chrono::milliseconds(kWorkerPingMs), [this] { inner_port_->ping_workers(); });
  }
  link::RegisterLinks::Settings registering;
  registering.addresses = options_.register_addresses;
  registering.secret_key = options_.secret_key;
  registering.announce = lan.to_string();
  registering.tls = tls_.inner;
  registers_ = std::make_unique<link::RegisterLinks>(loop_, std::move(registering), [](const std::vector<std::string>&) {});
  registers_->start();
}

void Gateway::State::configure(const GatewayOptions& options, const std::string& old_secret, std::uint64_t old_secret_ms) {
  options_ = options;
  websockets_.set_limits(websocket_limits_for(options_));
  admission_.change(admission_settings(), client_port_->admitted());
  unfinished_.change(unfinished_for(options_));
  proxies_.change(proxies_for(options_));
  if (framing_.is_websocket()) framing_.set_compression(compression_settings_for(options_));
  router_->set_balancing(options_.select_load_balancing_mode);
  gateway::EventForwarder::Settings forwarding = forwarding_for(options_);
  forwarding.local_ip = forwarder_->settings().local_ip;
  forwarding.local_port = forwarder_->settings().local_port;
  forwarding.gateway_port = forwarder_->settings().gateway_port;
  forwarder_->change(forwarding);
  clients_->change(sending_for(options_));
  handshakes_->change(handshakes_for(options_));
  heartbeat_->change(heartbeat_for(options_));
  client_port_->change(client_settings_for(options_, tls_.clients, share_.get()));
  gateway::InnerPort::Settings inner = inner_settings_for(options_, tls_.inner);
  if (old_secret_ms != 0) inner.secret_keys.change(options_.secret_key, old_secret, loop_.now_ms() + old_secret_ms);
  inner_port_->change(std::move(inner));
  registers_->set_secret_key(options_.secret_key);
}

void Gateway::State::give_up_waiting() {
  for (const std::uint32_t id : forwarder_->take_deadly()) {
    const std::uint32_t client = table_.find(id);
    if (client == gateway::ClientTable::kNone) continue;
    clients_->close(client, CloseReason::Cause::undeliverable, wire::close_code::kInternalError, "cannot be handled");
  }
  const std::vector<std::uint32_t> expired = forwarder_->take_expired();
  if (expired.empty()) return;
  loop_.log().warning(
      "no worker for {} ms: {} clients that waited for one are disconnected; are the business workers running, and at "
      "the same register?",
      forwarder_->settings().held_ms, expired.size());
  for (const std::uint32_t id : expired) {
    const std::uint32_t client = table_.find(id);
    if (client == gateway::ClientTable::kNone) continue;
    clients_->hit(gateway::Limit::no_worker_time, client);
    clients_->close(client, CloseReason::Cause::timeout, wire::close_code::kTryLater, "no worker");
  }
}

void Gateway::State::leave_port(bool has_siblings) {
  if (std::exchange(is_leaving_, true)) return;
  // What would come here all the same would be taken from the siblings.
  if (has_siblings) return loop_.close_listener(client_listener_);
  options_.health_path.empty() ? loop_.shut_listener(client_listener_) : client_port_->drain();
}

void Gateway::State::stop_gracefully(std::function<void()> stopped) {
  if (!std::exchange(is_leaving_, true)) {
    options_.health_path.empty() ? loop_.close_listener(client_listener_) : client_port_->drain();
  }
  leaving_ = loop_.every(std::chrono::milliseconds(20), [this, stopped = std::move(stopped)] {
    if (table_.size() > 0) return;
    const auto done = stopped;  // stop() destroys this function
    stop(done);
  });
}

void Gateway::State::stop(std::function<void()> stopped) {
  loop_.cancel(leaving_);
  registers_->stop();
  loop_.close_listener(client_listener_);
  client_port_->end_arrivals();
  table_.for_each([this](std::uint32_t client, const gateway::ClientRecord&) {
    clients_->close(client, CloseReason::Cause::shutdown, wire::close_code::kGoingAway, "server stopping");
  });
  // The on_close events and the last words leave within the next iterations; a peer that does not read is not waited for.
  const std::uint64_t deadline_ms = loop_.now_ms() + kStopMs;
  auto timer = std::make_shared<net::TimerId>();
  *timer = loop_.every(std::chrono::milliseconds(10), [this, deadline_ms, timer, stopped = std::move(stopped)] {
    std::size_t queued = 0;  // the on_close events, towards the workers
    loop_.for_each_connection([&](net::Connection& connection) { queued += connection.queued_bytes(); });
    if ((queued > 0 || client_port_->connections() > 0) && loop_.now_ms() < deadline_ms) return;
    const auto done = stopped;  // cancel() destroys this function
    loop_.cancel(*timer);
    done();
  });
}

MessageCounts Gateway::State::message_counts() const {
  return client_port_ == nullptr ? MessageCounts{} : MessageCounts{client_port_->messages(), clients_->messages_sent()};
}

RoleStatus Gateway::State::status() const {
  RoleStatus status;
  status.listening = options_.listen;
  status.connections = table_.size();
  status.inner_connections = inner_port_->connections();
  status.messages_in = client_port_->messages();
  status.messages_out = clients_->messages_sent();
  status.send_failures = clients_->send_failures();
  status.limits = limits_.counts();
  if (loop_.refused_connections() != 0) status.limits["descriptors"] = loop_.refused_connections();
  if (access_log_ != nullptr && access_log_->lost_lines() != 0) status.limits["access_log_lines"] = access_log_->lost_lines();
  loop_.for_each_connection([&](net::Connection& connection) {
    status.queued_bytes += connection.queued_bytes();
    status.unread_bytes += connection.unread_bytes();
  });
  return status;
}

Gateway::Gateway(net::Loop& loop, const GatewayOptions& options, int index, std::unique_ptr<Protocol> protocol, Tls tls)
    : state_(std::make_unique<State>(loop, options, index, std::move(protocol), tls)) {}

Gateway::~Gateway() = default;

void Gateway::serve(net::Socket clients, net::Socket inner, const net::Socket& share) {
  state_->serve(std::move(clients), std::move(inner), share);
}

void Gateway::configure(const GatewayOptions& options, const std::string& old_secret, std::uint64_t old_secret_ms) {
  state_->configure(options, old_secret, old_secret_ms);
}

void Gateway::stop(std::function<void()> stopped) { state_->stop(std::move(stopped)); }

void Gateway::stop_gracefully(std::function<void()> stopped) { state_->stop_gracefully(std::move(stopped)); }

void Gateway::leave_port(bool has_siblings) { state_->leave_port(has_siblings); }

void Gateway::use_access_log(gateway::AccessLog* log) { state_->use_access_log(log); }

std::size_t Gateway::deny(const net::AddressRange& range, std::optional<std::chrono::milliseconds> time) {
  const std::uint64_t until_ms = time ? state_->now_ms() + milliseconds(*time) : gateway::DenyList::kForEver;
  return state_->client_port().deny(range, until_ms);
}

bool Gateway::allow(const net::AddressRange& range) { return state_->client_port().allow(range); }

RoleStatus Gateway::status() const { return state_->status(); }

MessageCounts Gateway::message_counts() const { return state_->message_counts(); }

}  // namespace gatehouse
