#include "register/register.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/log_limit.h"
#include "base/secret_keys.h"
#include "link/retire.h"
#include "net/peer_probe.h"
#include "wire/http_head.h"
#include "wire/register_line.h"
#include "wire/spoken_protocol.h"

namespace gatehouse {
namespace {

constexpr std::size_t kMaxAddressSize = 256;
constexpr std::uint64_t kQuietMs = 10'000;  // between two lines about peers that are not let in

/// A key that came with a malformed line does not belong in a log file.
std::string for_log(std::string_view line) {
  return line.find("secret") != std::string_view::npos ? std::string("(not shown: it may hold a key)") : printable(line);
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

class Register::Peers final : public net::ConnectionHandler {
 public:
  Peers(net::Loop& loop, std::string secret_key, net::TlsContext* tls)
      : loop_(loop), secret_keys_(std::move(secret_key)), tls_(tls) {}

  void change_secret(std::string secret_key, std::string old, std::uint64_t old_ms) {
    secret_keys_.change(std::move(secret_key), std::move(old), old_ms == 0 ? 0 : loop_.now_ms() + old_ms);
  }

  void serve(net::Socket listener) {
    listening_ = "text://" + net::local_address(listener.fd()).to_string();
    listener_ = loop_.listen(std::move(listener), *this);
    serving_ = true;
  }

  void stop() {
    if (std::exchange(serving_, false)) loop_.close_listener(listener_);
    stopped_ = true;
    for (auto& [slot, peer] : peers_) {
      loop_.cancel(peer.deadline);
      if (net::Connection* connection = loop_.find(peer.connection)) connection->destroy();
    }
  }

  [[nodiscard]] MessageCounts message_counts() const { return {lines_in_, lines_out_}; }

  [[nodiscard]] RoleStatus status() const {
    RoleStatus status;
    status.listening = listening_;
    status.connections = peers_.size();
    status.messages_in = lines_in_;
    status.messages_out = lines_out_;
    for (const auto& [name, count] :
         {std::pair("refused", refusals_), std::pair("address_taken", taken_), std::pair("inner_tls", refused_),
          std::pair("strangers", ousted_), std::pair("open_tls_handshakes", crowded_)}) {
      if (count != 0) status.limits[name] = count;
    }
    loop_.for_each_connection([&](net::Connection& connection) {
      status.queued_bytes += connection.queued_bytes();
      status.unread_bytes += connection.unread_bytes();
    });
    return status;
  }

 private:
  struct Peer {
    net::ConnectionId connection;
    net::TimerId deadline;   // until the first valid line
    std::string address;     // what a gateway announced; empty for others
    bool is_worker = false;  // is told the list
    bool has_spoken = false;
    bool is_stranger = true;  // it has shown no key yet, and counts as one that has not
  };
  /// What is refused at any rate is logged at a lower one, for each of these by itself.
  enum class Complaint : std::uint8_t { key, late, malformed, tls, inner_frame, ousted, count_ };
  /// In the order of their announcement, as upstream lists them. A gateway that comes back may announce itself before this has
  /// come to the end of its old connection: the address stays as long as any connection announces it.
  struct Announced {
    std::string address;
    std::size_t connections = 0;
  };

  void on_open(net::Connection& connection) override {
    Peer& peer = peers_[connection.id().slot];
    peer.connection = connection.id();
    add_stranger(connection.id());
    peer.deadline = loop_.after(std::chrono::milliseconds(kFirstLineTimeoutMs), [this, id = connection.id()] {
      net::Connection* silent = loop_.find(id);
      if (silent == nullptr) return;
      // One that has said nothing at all is a probe that holds its connection, and no line in the log.
      if (peers_[id.slot].has_spoken) {
        complain(*silent, Complaint::late, fmt::format("showed no valid first line within {} s", kFirstLineTimeoutMs / 1000));
      }
      silent->close();
    });
    if (tls_ != nullptr) connection.start_tls(*tls_);
  }

  /// Each byte of the key may be six in JSON.
  [[nodiscard]] std::size_t most_first_line() const { return std::max(kMaxFirstLineSize, secret_keys_.key().size() * 6 + 1024); }

  void add_stranger(net::ConnectionId id) {
    line_.push_back(id);
    ++strangers_;
    while (!line_.empty()) {
      const auto found = peers_.find(line_.front().slot);
      net::Connection* first = loop_.find(line_.front());
      const bool is_stranger = first != nullptr && found != peers_.end() && found->second.is_stranger;
      if (is_stranger && strangers_ <= kMostStrangers) return;
      line_.pop_front();
      if (!is_stranger) continue;
      ++ousted_;
      complain(*first, Complaint::ousted,
               fmt::format("was closed: {} peers have shown no key yet, and it was the first", kMostStrangers));
      found->second.is_stranger = false;
      --strangers_;
      first->destroy();
    }
  }

  void on_tls(net::Connection& connection, net::TlsEvent event) override {
    if (event == net::TlsEvent::crowded || event == net::TlsEvent::ousted) {
      ++crowded_;
      return loop_.log().debug("{} waits, or was closed: too many TLS handshakes at a time", connection.peer().to_string());
    }
    ++refused_;
    if (refused_logged_ != 0 && loop_.now_ms() - refused_logged_at_ms_ < kQuietMs) return;
    loop_.log().warning(
        "{} refused: {}; inner_tls is set, so only peers with a certificate of its authority are let in ({} times since the last "
        "such line)",
        connection.peer().to_string(), connection.tls_problem(), refused_ - refused_logged_);
    refused_logged_ = refused_;
    refused_logged_at_ms_ = loop_.now_ms();
  }

  std::size_t on_data(net::Connection& connection, std::span<char> bytes, std::size_t seen) override {
    peers_[connection.id().slot].has_spoken = true;
    if (is_of_another_protocol(connection, {bytes.data(), bytes.size()})) return bytes.size();
    std::size_t done = 0;
    while (connection.is_open()) {
      const std::size_t from = std::max(done, seen);
      const void* end = std::memchr(bytes.data() + from, '\n', bytes.size() - from);
      const std::size_t stop =
          end == nullptr ? bytes.size() : static_cast<std::size_t>(static_cast<const char*>(end) - bytes.data());
      const std::size_t most = peers_[connection.id().slot].is_stranger ? most_first_line() : kMaxLineSize;
      if (stop - done > most) {
        complain(connection, Complaint::malformed, fmt::format("sent a line of more than {} bytes", most));
        connection.destroy();
        return bytes.size();
      }
      if (end == nullptr) break;
      std::string_view line(bytes.data() + done, stop - done);
      while (line.ends_with('\r')) line.remove_suffix(1);
      done = stop + 1;
      on_line(connection, peers_[connection.id().slot], line);
    }
    return done;
  }

  /// One that waits for an answer, and of which no line will ever come. It is told in words, so that it does not take this for
  /// TLS that fails.
  bool is_of_another_protocol(net::Connection& connection, std::string_view bytes) {
    const Peer& peer = peers_[connection.id().slot];
    if (peer.is_worker || !peer.address.empty()) return false;
    const wire::SpokenProtocol spoken = wire::recognize_protocol(bytes);
    if (spoken == wire::SpokenProtocol::tls) {
      complain(connection, Complaint::tls, "speaks TLS; inner_tls is set there, and not here");
    } else if (spoken == wire::SpokenProtocol::inner_frame) {
      complain(connection, Complaint::inner_frame, "speaks to the inner port of a gateway, and this is the register");
    } else {
      return false;
    }
    connection.send("This is a register that speaks lines of text.\n");
    connection.close();
    return true;
  }

  void describe(const net::Connection& connection, ConnectionRow& row) const override {
    const auto found = peers_.find(connection.id().slot);
    row.protocol = "text";
    row.kind = "peer";
    if (found == peers_.end()) return;
    if (found->second.is_worker) row.kind = "worker";
    if (!found->second.address.empty()) row.kind = "gateway";
    row.peer = found->second.address;
  }

  void on_line(net::Connection& connection, Peer& peer, std::string_view text) {
    ++lines_in_;
    const wire::RegisterLine line = wire::parse_register_line(text);
    using Event = wire::RegisterLine::Event;
    switch (line.event) {
      case Event::gateway_connect: return on_gateway(connection, peer, line);
      case Event::worker_connect: return on_worker(connection, peer, line);
      case Event::ping: return;  // shows no key, so the deadline goes on (upstream lets it pass for a first line)
      case Event::invalid: return refuse(connection, text);
      case Event::unknown:
      case Event::address_taken:
      case Event::broadcast_addresses:
        complain(connection, Complaint::malformed, "sent an unknown event: " + for_log(text));
        return connection.close();
    }
  }

  /// The sender is told, as upstream does: it may be a person with a browser or telnet.
  void refuse(net::Connection& connection, std::string_view text) {
    const std::string ip = connection.peer().ip();
    if (wire::begins_like_http(text)) {
      loop_.log().debug("{} speaks HTTP to the register", ip);
    } else {
      complain(connection, Complaint::malformed, "sent a bad request: " + for_log(text));
    }
    connection.send("Bad request for Register service. Request info(IP:" + ip + ", Request Buffer:" + printable(text, 1024) +
                    ").\n");
    ++lines_out_;
    connection.close();
  }

  /// A stranger can cause these lines at any rate.
  void complain(const net::Connection& connection, Complaint kind, const std::string& what) {
    ++refusals_;
    LogLimit& lines = complaints_[static_cast<std::size_t>(kind)];
    if (!lines.allow(loop_.now_ms())) return;
    loop_.log().warning("{} {}{}", connection.peer().to_string(), what, lines.take_suppressed_words());
  }

  bool shows_key(net::Connection& connection, Peer& peer, const wire::RegisterLine& line) {
    if (!secret_keys_.accepts(line.secret_key, loop_.now_ms())) {
      complain(connection, Complaint::key, "showed a wrong secret_key");
      connection.close();
      return false;
    }
    loop_.cancel(peer.deadline);
    if (std::exchange(peer.is_stranger, false)) --strangers_;
    return true;
  }

  void on_gateway(net::Connection& connection, Peer& peer, const wire::RegisterLine& line) {
    if (line.address.empty() || line.address.size() > kMaxAddressSize || !is_printable(line.address)) {
      complain(connection, Complaint::malformed, "announced a gateway without an address");
      return connection.close();
    }
    if (!shows_key(connection, peer, line)) return;
    if (peer.address != line.address) {
      if (is_taken(connection, line.address)) return;
      withdraw(peer);
      peer.address = line.address;
      auto known = find(peer.address);
      if (known == announced_.end()) known = announced_.insert(known, Announced{peer.address, 0});
      ++known->connections;
    }
    loop_.log().info("gateway {} is here", peer.address);
    tell_all();
  }

  /// Another gateway announces this address: clients' ids begin with it, and workers connect to it once, so that one of the two
  /// would have no workers and its clients would wait for ever. The first one stays. A gateway that comes back is not taken for
  /// another one: its old connection has ended, or its machine says so when it is asked, and it tries again in a second.
  bool is_taken(net::Connection& connection, const std::string& address) {
    for (const auto& [slot, other] : peers_) {
      if (other.address != address) continue;
      net::Connection* first = loop_.find(other.connection);
      if (first == nullptr || net::peer_has_ended(first->fd())) continue;
      net::probe_peer(first->fd());
      ++taken_;
      connection.send(wire::address_taken_line(address, first->peer().to_string(), false));
      connection.close();
      if (taken_logged_ != 0 && loop_.now_ms() - taken_logged_at_ms_ < kQuietMs) return true;
      first->send(wire::address_taken_line(address, connection.peer().to_string(), true));
      loop_.log().error(
          "two gateways announce the address {}: {} stays, {} is refused; give each a lan_ip and a start_port of its own ({} "
          "times "
          "since the last such line)",
          address, first->peer().to_string(), connection.peer().to_string(), taken_ - taken_logged_);
      taken_logged_ = taken_;
      taken_logged_at_ms_ = loop_.now_ms();
      return true;
    }
    return false;
  }

  void on_worker(net::Connection& connection, Peer& peer, const wire::RegisterLine& line) {
    if (!shows_key(connection, peer, line)) return;
    peer.is_worker = true;
    tell(connection, list());
  }

  void on_close(net::Connection& connection, net::CloseCause /*cause*/, int /*error*/) override {
    const auto found = peers_.find(connection.id().slot);
    if (found == peers_.end()) return;
    Peer peer = std::move(found->second);
    peers_.erase(found);
    if (peer.is_stranger) --strangers_;
    if (stopped_) return;
    loop_.cancel(peer.deadline);
    if (peer.address.empty()) return loop_.log().debug("{} has left", connection.peer().to_string());
    loop_.log().info("gateway {} has left", peer.address);
    if (withdraw(peer)) tell_all();
  }

  /// Returns whether the list has changed.
  bool withdraw(Peer& peer) {
    if (peer.address.empty()) return false;
    const auto known = find(peer.address);
    peer.address.clear();
    if (--known->connections > 0) return false;
    announced_.erase(known);
    return true;
  }

  std::vector<Announced>::iterator find(const std::string& address) {
    return std::find_if(announced_.begin(), announced_.end(), [&](const Announced& each) { return each.address == address; });
  }

  [[nodiscard]] std::string list() const {
    std::vector<std::string> addresses;
    for (const Announced& each : announced_) addresses.push_back(each.address);
    return wire::broadcast_addresses_line(addresses);
  }

  void tell_all() {
    const net::SharedBytes line = net::SharedBytes::copy_of(list());
    for (const auto& [slot, peer] : peers_) {
      net::Connection* connection = peer.is_worker ? loop_.find(peer.connection) : nullptr;
      if (connection != nullptr) tell(*connection, line);
    }
  }

  template <class Bytes>
  void tell(net::Connection& connection, const Bytes& line) {
    if (connection.queued_bytes() > kMaxQueuedBytes) {
      loop_.log().warning("{} does not read what it is told", connection.peer().to_string());
      return connection.destroy();
    }
    connection.send(line);
    ++lines_out_;
  }

  net::Loop& loop_;
  SecretKeys secret_keys_;
  net::TlsContext* const tls_;
  std::array<LogLimit, static_cast<std::size_t>(Complaint::count_)> complaints_{
      LogLimit::for_strangers(), LogLimit::for_strangers(), LogLimit::for_strangers(),
      LogLimit::for_strangers(), LogLimit::for_strangers(), LogLimit::for_strangers()};
  std::deque<net::ConnectionId> line_;  // of strangers, in the order in which they came; some are gone, or have shown the key
  std::size_t strangers_ = 0;
  std::uint64_t ousted_ = 0;
  std::uint64_t crowded_ = 0;
  std::uint64_t refusals_ = 0;  // of peers that said something wrong
  std::uint64_t taken_ = 0;     // of gateways with an address that another one has
  std::uint64_t taken_logged_ = 0;
  std::uint64_t taken_logged_at_ms_ = 0;
  std::uint64_t refused_ = 0;  // of peers without right TLS
  std::uint64_t refused_logged_ = 0;
  std::uint64_t refused_logged_at_ms_ = 0;
  std::string listening_;
  net::ListenerId listener_;
  std::unordered_map<std::uint32_t, Peer> peers_;  // by the connection's slot
  std::vector<Announced> announced_;
  std::uint64_t lines_in_ = 0;
  std::uint64_t lines_out_ = 0;
  bool serving_ = false;
  bool stopped_ = false;
};

Register::Register(net::Loop& loop, std::string secret_key, net::TlsContext* tls)
    : loop_(loop), peers_(std::make_unique<Peers>(loop, std::move(secret_key), tls)) {}

Register::~Register() {
  peers_->stop();
  link::retire(loop_, std::move(peers_));
}

void Register::serve(net::Socket listener) { peers_->serve(std::move(listener)); }

void Register::change_secret(std::string secret_key, std::string old, std::uint64_t old_ms) {
  peers_->change_secret(std::move(secret_key), std::move(old), old_ms);
}

void Register::stop() { peers_->stop(); }

RoleStatus Register::status() const { return peers_->status(); }

MessageCounts Register::message_counts() const { return peers_->message_counts(); }

}  // namespace gatehouse
