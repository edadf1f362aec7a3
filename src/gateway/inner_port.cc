#include "gateway/inner_port.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/log.h"
#include "base/version.h"
#include "wire/http_head.h"
#include "wire/spoken_protocol.h"

namespace gatehouse::gateway {

using wire::Command;

namespace {

// Whoever asks and does not read the answers is not read from either, once so many bytes wait for it.
constexpr std::size_t kMaxUnreadAnswers = 4 * 1024 * 1024;
// What one peer may have done in one iteration of the loop: so many messages queued for clients, each
// frame counting as one more. What one read brings of commands for single clients is less.
constexpr std::uint64_t kMostSendsInATurn = 10'000;
// Between two looks at the workers, which are a second apart.
constexpr std::uint64_t kSurelyStoppedMs = 2000;

// Where TLS waits for an answer, so that it can tell this from TLS that fails.
constexpr std::string_view kNoTls = "This is an inner port that speaks no TLS.\n";

std::string describe_garbage(wire::GatewayFrameStatus status, std::string_view bytes) {
  switch (wire::recognize_protocol(bytes)) {
    case wire::SpokenProtocol::tls: return "it speaks TLS; inner_tls is set there, and not here";
    case wire::SpokenProtocol::register_:
      return "it speaks to a register, and this is the inner port of a gateway; its register_addresses name a wrong port";
    default: return fmt::format("{}; it began with \"{}\"", wire::describe(status), printable(bytes, 28));
  }
}

/// Without what is there only to tell one program from another: "127.0.0.1:chat:0@5f2c81d0" is "127.0.0.1:chat:0".
std::string plain_key(std::string_view key) {
  const std::size_t at = key.find('@', key.rfind(':') + 1);
  if (at == std::string_view::npos) return std::string(key);
  const std::size_t generation = std::min(key.find('~', at), key.size());
  return std::string(key.substr(0, at)) + std::string(key.substr(generation));
}

}  // namespace

InnerPort::InnerPort(net::Loop& loop, WorkerTable& workers, EventForwarder& forwarder, Commands& commands, Questions& questions,
                     LimitLog& limits, Settings settings)
    : loop_(loop),
      workers_(workers),
      forwarder_(forwarder),
      commands_(commands),
      questions_(questions),
      limits_(limits),
      settings_(std::move(settings)),
      looked_ms_(loop.now_ms()) {}

void InnerPort::on_open(net::Connection& connection) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(peers_.size()));
    peers_.emplace_back();
  }
  connection.tag = free_.back();
  free_.pop_back();
  peers_[connection.tag] = Peer{.authenticated = settings_.secret_keys.is_open(loop_.now_ms()) && settings_.tls == nullptr,
                                .is_stranger = false,
                                .connection = connection.id(),
                                .since_ms = loop_.now_ms(),
                                .worker = {},
                                .delivery = nullptr};
  if (!peers_[connection.tag].authenticated) add_stranger(connection);
  if (settings_.tls != nullptr) connection.start_tls(*settings_.tls);
}

void InnerPort::add_stranger(net::Connection& connection) {
  peers_[connection.tag].is_stranger = true;
  strangers_line_.push_back(connection.id());
  ++strangers_;
  const auto find_stranger = [this](net::ConnectionId id) {
    net::Connection* found = loop_.find(id);
    return found != nullptr && peers_[found->tag].is_stranger ? found : nullptr;
  };
  while (!strangers_line_.empty()) {
    net::Connection* first = find_stranger(strangers_line_.front());
    if (first != nullptr && strangers_ <= settings_.most_strangers) return;
    strangers_line_.pop_front();
    if (first == nullptr) continue;
    limits_.hit(Limit::inner_strangers, first->peer());
    peers_[first->tag].is_stranger = false;
    --strangers_;
    first->destroy();
  }
}

std::size_t InnerPort::most_before_secret() const {
  // Each byte of the secret may be six in JSON.
  return std::max(kMostBeforeSecret, settings_.secret_keys.key().size() * 6 + 1024);
}

void InnerPort::let_in(Peer& peer) {
  peer.authenticated = true;
  if (std::exchange(peer.is_stranger, false)) --strangers_;
}

std::size_t InnerPort::on_data(net::Connection& connection, std::span<char> bytes, std::size_t /*seen*/) {
  const std::string_view input(bytes.data(), bytes.size());
  // Over TLS, what can be read comes from one with a right certificate.
  if (!peers_[connection.tag].authenticated && settings_.secret_keys.is_open(loop_.now_ms())) let_in(peers_[connection.tag]);
  std::size_t used = static_cast<std::size_t>(std::min<std::uint64_t>(peers_[connection.tag].to_skip, input.size()));
  peers_[connection.tag].to_skip -= used;
  std::uint64_t frames = 0;
  const std::uint64_t sends = commands_.sends();
  while (used < input.size() && !connection.is_paused()) {
    if (frames + commands_.sends() - sends >= kMostSendsInATurn) {
      connection.yield();
      break;
    }
    ++frames;
    const std::size_t most = peers_[connection.tag].authenticated ? settings_.max_frame_bytes : most_before_secret();
    const wire::DecodedGatewayFrame decoded = wire::decode_gateway_frame(input.substr(used), most);
    if (decoded.status == wire::GatewayFrameStatus::need_more) break;
    if (decoded.status == wire::GatewayFrameStatus::too_long && peers_[connection.tag].has_commanded) {
      const std::string_view rest = input.substr(used);
      if (rest.size() < wire::GatewayHeader::kSize) break;
      if (const std::uint64_t size = pass_over(connection, rest); size != 0) {
        const std::size_t here = static_cast<std::size_t>(std::min<std::uint64_t>(size, rest.size()));
        peers_[connection.tag].to_skip = size - here;
        used += here;
        continue;
      }
    }
    if (decoded.status != wire::GatewayFrameStatus::complete) {
      if (wire::begins_like_http(input.substr(used))) {
        answer_http(connection);
        return bytes.size();
      }
      const wire::SpokenProtocol spoken = wire::recognize_protocol(input.substr(used));
      const bool tls = spoken == wire::SpokenProtocol::tls;
      const bool is_strayed = spoken == wire::SpokenProtocol::register_;
      refuse(connection,
             tls          ? Refusal::tls
             : is_strayed ? Refusal::wrong_port
                          : Refusal::malformed,
             describe_garbage(decoded.status, input.substr(used)), tls ? kNoTls : "");
      return bytes.size();
    }
    used += decoded.size;
    if (!take(connection, decoded.frame)) return bytes.size();
  }
  return used;
}

/// A command over the limit, of a peer that has shown that it speaks this protocol: that command is lost, and not the connection
/// with all that others have on it. Gives the frame's size, or 0 when it is to be refused: what cannot be told from garbage, and
/// a question, for without its answer no later one would belong to its question.
std::uint64_t InnerPort::pass_over(const net::Connection& connection, std::string_view header) {
  const std::uint64_t size = load_be32(header.data());
  const auto command = static_cast<Command>(static_cast<unsigned char>(header[4]));
  if (!Commands::knows(command) || load_be32(header.data() + 24) > size - wire::GatewayHeader::kSize) return 0;
  limits_.count(Limit::command_size);
  if (long_commands_.allow(loop_.now_ms())) {
    loop_.log().warning("inner port: command {} of {} bytes from {} passed over; {} are the most for one{}",
                        static_cast<int>(command), size, connection.peer().to_string(), settings_.max_frame_bytes,
                        long_commands_.take_suppressed_words());
  }
  return size;
}

/// A health probe or a browser: told, but no line in the log, for probes come every few seconds.
void InnerPort::answer_http(net::Connection& connection) {
  loop_.log().debug("{} speaks HTTP to the inner port", connection.peer().to_string());
  connection.send(
      "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 38\r\n\r\n"
      "This is the inner port of a gateway.\r\n");
  connection.close();
}

bool InnerPort::take(net::Connection& connection, const wire::GatewayFrame& frame) {
  const Command command = frame.header.command;
  if (command == Command::worker_connect || command == Command::gateway_client_connect) return connect(connection, frame);
  if (!peers_[connection.tag].authenticated) {
    return refuse(connection, Refusal::no_secret,
                  fmt::format("command {} without the secret key before it", static_cast<int>(command)));
  }
  peers_[connection.tag].has_commanded = true;
  if (WorkerDelivery* link = peers_[connection.tag].delivery) link->heard_ms = loop_.now_ms();
  if (command == Command::finished || command == Command::begun || command == Command::leaving) {
    return take_delivery_frame(connection, frame);
  }
  const Commands::Outcome outcome = commands_.execute(frame);
  if (outcome == Commands::Outcome::done) return true;
  if (outcome == Commands::Outcome::unknown) {
    answer_.clear();
    if (!questions_.answer(frame, answer_))
      return refuse(connection, Refusal::of_member, fmt::format("unknown command {}", static_cast<int>(command)));
    connection.send(answer_);
    slow_down(connection);
    if (answer_.capacity() > 1024 * 1024) std::string().swap(answer_);
    return true;
  }
  // The frame itself was whole, so the connection can go on.
  ++malformed_;
  if (malformed_ <= 10 || malformed_ % 1000 == 0) {
    loop_.log().warning(
        "inner port: command {} from {} ignored, its data cannot be read: ext_data \"{}\", body of {} bytes ({} so far)",
        static_cast<int>(command), connection.peer().to_string(), printable(frame.ext_data, 60), frame.body.size(), malformed_);
  }
  return true;
}

void InnerPort::slow_down(net::Connection& connection) {
  if (connection.queued_bytes() <= kMaxUnreadAnswers) return;
  connection.flush();
  if (connection.queued_bytes() <= kMaxUnreadAnswers) return;
  connection.pause();
  connection.notify_below(kMaxUnreadAnswers / 2);
}

bool InnerPort::connect(net::Connection& connection, const wire::GatewayFrame& frame) {
  wire::ConnectBody body;
  if (!wire::parse_connect_body(frame.body, body)) {
    return refuse(connection, Refusal::malformed, "its connect is not the JSON that was expected (worker_key, secret_key)");
  }
  if (!settings_.secret_keys.accepts(body.secret_key, loop_.now_ms())) {
    return refuse(connection, Refusal::wrong_secret, "wrong secret_key; set the same one in every role of the cluster");
  }
  let_in(peers_[connection.tag]);
  peers_[connection.tag].has_commanded = true;
  if (frame.header.command == Command::worker_connect) {
    if (body.worker_key.empty()) return refuse(connection, Refusal::of_member, "worker_connect without a worker_key");
    return join(connection, connection.peer().ip() + ":" + body.worker_key, body);
  }
  return true;
}

bool InnerPort::join(net::Connection& connection, const std::string& worker_key, const wire::ConnectBody& body) {
  Peer& peer = peers_[connection.tag];
  leave(peer);
  const WorkerLink* same = workers_.find(worker_key);
  net::Connection* old = same == nullptr ? nullptr : loop_.find(same->connection);
  if (old != nullptr) {
    loop_.log().warning("worker {} connected twice: the older connection is closed; give workers on one machine different names",
                        worker_key);
    leave(peers_[old->tag]);
    old->close();
  }
  const std::uint64_t before = workers_.size();
  workers_.add(worker_key, connection.id(), body.extension, peer.worker);
  if (peer.worker.generation == 0)
    return refuse(connection, Refusal::of_member, fmt::format("{} workers are more than can be known", before + 1));
  if (body.delivery != wire::Delivery::unacknowledged) {
    const bool again = body.delivery == wire::Delivery::at_least_once;
    peer.delivery = &forwarder_.open_delivery(connection.id(), peer.worker, again);
  }
  if (body.extension != 0) tell_of_namesake(worker_key);
  loop_.log().debug("worker {} connected from {} ({} workers)", worker_key, connection.peer().to_string(), workers_.size());
  if (body.extension != 0) say_hello(connection);
  if (before == 0 && forwarder_.held() > 0)
    loop_.log().info("a worker is back: {} events that waited go to it", forwarder_.held());
  forwarder_.deliver_held();
  return true;
}

/// No mistake when both are one cluster's: each has a key of its own. But often somebody has started a program twice.
void InnerPort::tell_of_namesake(const std::string& worker_key) {
  std::vector<WorkerRef> here;
  workers_.list(here);
  const std::string plain = plain_key(worker_key);
  for (const WorkerRef ref : here) {
    const std::string& other = workers_.find(ref)->key;
    if (other == worker_key || plain_key(other) != plain) continue;
    if (!namesakes_.allow(loop_.now_ms())) return;
    loop_.log().info(
        "worker {} is here from two programs, on one machine or behind one address (NAT), and both get events; was one meant to "
        "be "
        "stopped?{}",
        plain, namesakes_.take_suppressed_words());
    return;
  }
}

void InnerPort::say_hello(net::Connection& connection) {
  wire::GatewayHeader header;
  header.command = Command::hello;
  header.local_ip = forwarder_.settings().local_ip;
  header.local_port = forwarder_.settings().local_port;
  header.gateway_port = forwarder_.settings().gateway_port;
  wire::Hello hello;
  if (const WorkerDelivery* link = peers_[connection.tag].delivery) {
    hello.link = link->id;
    hello.timeout_ms = static_cast<std::uint32_t>(std::min<std::uint64_t>(settings_.worker_silence_ms, 0xffffffffU));
  }
  std::string bytes;
  wire::append_gateway_frame(bytes, header, {}, wire::hello_body(kVersion, hello));
  connection.send(bytes);
}

bool InnerPort::take_delivery_frame(net::Connection& connection, const wire::GatewayFrame& frame) {
  if (frame.header.command == Command::leaving) return let_leave(connection);
  // These come on the worker's command connection, behind what the handlers have commanded.
  WorkerDelivery* link = forwarder_.find_delivery(frame.header.connection_id);
  if (link == nullptr) return true;  // it has been given up
  link->heard_ms = loop_.now_ms();
  const bool finished = frame.header.command == Command::finished;
  const bool well = finished ? forwarder_.finish(*link, frame.body) : forwarder_.begin(*link, frame.body);
  if (!well) return refuse(connection, Refusal::of_member, "it named events in a way that cannot be read");
  close_when_finished(*link);
  return true;
}

bool InnerPort::let_leave(net::Connection& connection) {
  Peer& peer = peers_[connection.tag];
  if (peer.delivery == nullptr)
    return refuse(connection, Refusal::of_member, "it says that it is leaving, and has not said that it acknowledges events");
  WorkerLink* worker = workers_.find(peer.worker);
  if (worker == nullptr) return true;  // said twice
  loop_.log().debug("worker {} is leaving; {} events of it are not finished", worker->key, peer.delivery->events.size());
  const std::vector<std::uint32_t> waiting = std::exchange(worker->waiting, {});
  workers_.remove(std::exchange(peer.worker, {}));
  // Those that have events there are stopped again at once.
  forwarder_.resume_clients_of(waiting);
  forwarder_.let_leave(*peer.delivery);
  close_when_finished(*peer.delivery);
  return true;
}

void InnerPort::close_when_finished(const WorkerDelivery& link) {
  if (!link.leaving || !link.events.empty()) return;
  if (net::Connection* connection = loop_.find(link.connection)) connection->close();
}

void InnerPort::leave(Peer& peer) {
  const WorkerRef ref = std::exchange(peer.worker, {});
  WorkerDelivery* link = std::exchange(peer.delivery, nullptr);
  WorkerLink* worker = workers_.find(ref);
  std::vector<std::uint32_t> waiting;
  if (worker != nullptr) {
    loop_.log().debug("worker {} left", worker->key);
    waiting = std::move(worker->waiting);
    workers_.remove(ref);
  }
  if (link != nullptr) forwarder_.close_delivery(*link);
  if (worker == nullptr && link == nullptr) return;
  // They are bound anew at their next event, unless it is back by then; so are those whose event came when this worker was just
  // going.
  forwarder_.resume_clients_of(waiting);
  forwarder_.deliver_held();
}

bool InnerPort::refuse(net::Connection& connection, Refusal kind, const std::string& why, std::string_view words) {
  limits_.count(Limit::inner_refused);
  LogLimit& lines = refusals_[static_cast<std::size_t>(kind)];
  if (lines.allow(loop_.now_ms())) {
    loop_.log().warning("inner port: {} refused: {}{}", connection.peer().to_string(), why, lines.take_suppressed_words());
  }
  if (words.empty()) {
    connection.destroy();
  } else {
    connection.send(words);
    connection.close();
  }
  return false;
}

void InnerPort::on_close(net::Connection& connection, net::CloseCause /*cause*/, int /*error*/) {
  leave(peers_[connection.tag]);
  if (peers_[connection.tag].is_stranger) --strangers_;
  peers_[connection.tag] = Peer{};
  free_.push_back(connection.tag);
}

void InnerPort::on_drain(net::Connection& connection) {
  connection.resume();
  if (WorkerLink* worker = workers_.find(peers_[connection.tag].worker)) forwarder_.relieve(*worker);
}

void InnerPort::on_tls(net::Connection& connection, net::TlsEvent event) {
  if (event == net::TlsEvent::crowded || event == net::TlsEvent::ousted)
    return limits_.hit(Limit::open_tls_handshakes, connection.peer());
  limits_.hit(Limit::inner_tls, connection.peer());
  loop_.log().debug("inner port: {}: TLS: {}", connection.peer().to_string(), connection.tls_problem());
}

void InnerPort::end_silent_workers() {
  if (settings_.worker_silence_ms == 0) return;
  const std::uint64_t since_ms = loop_.now_ms() - std::exchange(looked_ms_, loop_.now_ms());
  if (since_ms > kSurelyStoppedMs) forwarder_.excuse_silence(since_ms);
  for (const net::ConnectionId id : forwarder_.silent_links(settings_.worker_silence_ms)) {
    if (net::Connection* connection = loop_.find(id)) connection->destroy();
  }
}

void InnerPort::end_strangers() {
  if (settings_.secret_keys.is_open(loop_.now_ms())) return;
  for (const Peer& peer : peers_) {
    if (!peer.is_stranger || loop_.now_ms() - peer.since_ms < settings_.secret_ms) continue;
    net::Connection* connection = loop_.find(peer.connection);
    if (connection == nullptr) continue;
    limits_.hit(Limit::inner_connect, connection->peer());
    connection->destroy();
  }
}

void InnerPort::describe(const net::Connection& connection, ConnectionRow& row) const {
  const Peer& peer = peers_[connection.tag];
  const WorkerLink* worker = workers_.find(peer.worker);
  row.protocol = "gateway";
  row.kind = worker != nullptr ? "worker" : peer.authenticated ? "commands" : "peer";
  if (worker != nullptr) row.peer = plain_key(worker->key);
}

void InnerPort::ping_workers() {
  std::string ping;
  wire::append_gateway_frame(ping, {.command = Command::ping}, {}, {});
  for (const Peer& peer : peers_) {
    const WorkerLink* worker = workers_.find(peer.worker);
    net::Connection* connection = worker == nullptr ? nullptr : loop_.find(worker->connection);
    if (connection != nullptr) connection->send(ping);
  }
}

}  // namespace gatehouse::gateway
