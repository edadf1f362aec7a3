#include "link/register_links.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "link/loss.h"
#include "link/retire.h"
#include "wire/register_line.h"
#include "wire/spoken_protocol.h"

namespace gatehouse::link {
namespace {

constexpr std::size_t kMaxLineSize = 16 * 1024 * 1024;  // the list of a cluster with half a million gateway processes
constexpr std::uint64_t kAtOnceMs = 2'000;
constexpr std::chrono::milliseconds kDialTime{3'000};  // for one of several addresses, until the next has its turn
constexpr std::uint64_t kQuietMs = 60'000;             // between two lines about an address that another gateway announces

}  // namespace

/// The connection to one register.
class RegisterLinks::Line final : public net::ConnectionHandler {
 public:
  Line(RegisterLinks& owner, const std::string& address)
      : owner_(&owner), loop_(owner.loop_), address_(address), lookup_(address, owner.settings_.resolve) {}

  void dial() {
    const auto endpoint = lookup_.next();
    if (!endpoint) {
      complain(endpoint.error().message);
      return dial_later();
    }
    endpoint_ = *endpoint;
    connection_ = loop_.dial(endpoint_, *this, 0, owner_->settings_.tls);
    if (!lookup_.has_several()) return;
    dial_time_ = loop_.after(kDialTime, [this] {
      timed_out_ = true;
      if (net::Connection* connection = loop_.find(connection_)) connection->destroy();
    });
  }

  void describe(const net::Connection& /*connection*/, ConnectionRow& row) const override {
    row.kind = "register";
    row.protocol = "text";
    row.peer = address_;
  }

  /// Lets go of the owner; nothing but on_close comes afterwards.
  void stop() {
    owner_ = nullptr;
    loop_.cancel(redial_);
    loop_.cancel(ping_);
    loop_.cancel(settled_);
    loop_.cancel(dial_time_);
    up_ = false;
    if (net::Connection* connection = loop_.find(connection_)) connection->destroy();
  }

  [[nodiscard]] bool is_up() const { return up_; }
  [[nodiscard]] bool has_list() const { return has_list_; }
  [[nodiscard]] std::string problem() const {
    if (!problem_.empty()) return problem_;
    return "the register " + address_ + (up_ ? " has not told its list" : " does not answer");
  }
  [[nodiscard]] const std::vector<std::string>& addresses() const { return addresses_; }

 private:
  void on_open(net::Connection& connection) override {
    const Settings& settings = owner_->settings_;
    up_ = true;
    failures_.clear();
    loop_.cancel(dial_time_);
    opened_ms_ = loop_.now_ms();
    connection.send(settings.announce.empty() ? wire::worker_connect_line(settings.secret_key)
                                              : wire::gateway_connect_line(settings.announce, settings.secret_key));
    if (!endpoint_.is_loopback()) {
      ping_ = loop_.every(std::chrono::milliseconds(settings.ping_ms), [this] {
        if (net::Connection* open = loop_.find(connection_)) open->send(wire::ping_line());
      });
    }
    if (!outage_.lasts()) {
      outage_.note_up();
      return loop_.log().info("connected to the register {}", address_);
    }
    settled_ = loop_.after(std::chrono::milliseconds(settings.settled_ms),
                           [this] { loop_.log().info("connected to the register {} {}", address_, outage_.end(opened_ms_)); });
  }

  std::size_t on_data(net::Connection& connection, std::span<char> bytes, std::size_t seen) override {
    if (is_of_another_protocol(connection, {bytes.data(), bytes.size()})) return bytes.size();
    std::size_t done = 0;
    while (connection.is_open() && owner_ != nullptr) {
      const std::size_t from = std::max(done, seen);
      const void* end = std::memchr(bytes.data() + from, '\n', bytes.size() - from);
      if (end == nullptr) break;
      const auto stop = static_cast<std::size_t>(static_cast<const char*>(end) - bytes.data());
      on_line({bytes.data() + done, stop - done});
      done = stop + 1;
    }
    if (bytes.size() - done > kMaxLineSize) {
      loop_.log().warning("the register {} sent a line of more than {} bytes", address_, kMaxLineSize);
      connection.destroy();
      return bytes.size();
    }
    return done;
  }

  void on_line(std::string_view text) {
    wire::RegisterLine line = wire::parse_register_line(text);
    if (line.event == wire::RegisterLine::Event::address_taken) return on_address_taken(line);
    if (line.event != wire::RegisterLine::Event::broadcast_addresses) {
      // The first line says what it is.
      if (std::exchange(is_foreign_, true)) return;
      return complain("the register " + address_ + " said: " + printable(text));
    }
    // It is a register after all, and its loss would be news.
    if (std::exchange(is_foreign_, false) && outage_.lasts()) (void)outage_.end(loop_.now_ms());
    addresses_ = std::move(line.addresses);
    has_list_ = true;
    owner_->update();
  }

  /// A wrong port, or inner_tls on one side: told once, by its name, and not as what its bytes happen to be here.
  bool is_of_another_protocol(net::Connection& connection, std::string_view bytes) {
    const wire::SpokenProtocol spoken = wire::recognize_protocol(bytes);
    if (spoken != wire::SpokenProtocol::tls && spoken != wire::SpokenProtocol::http) return false;
    is_foreign_ = true;
    complain("the register " + address_ + " speaks " + std::string(wire::name_of(spoken)) +
             (spoken == wire::SpokenProtocol::tls ? ": inner_tls is set there, and not here"
                                                  : ", so it is none; register_addresses name another port, or another machine"));
    connection.destroy();
    return true;
  }

  void on_address_taken(const wire::RegisterLine& line) {
    if (taken_logged_ms_ != 0 && loop_.now_ms() - taken_logged_ms_ < kQuietMs) return;
    taken_logged_ms_ = loop_.now_ms();
    if (line.is_kept) {
      return loop_.log().warning("another gateway, at {}, announces this one's address {}, and was refused by the register {}",
                                 printable(line.other), printable(line.address), address_);
    }
    loop_.log().error(
        "the register {} refuses this gateway, for another one, at {}, announces the address {} too: no worker comes "
        "here; give each a lan_ip and a start_port of its own",
        address_, printable(line.other), printable(line.address));
    (void)outage_.begin(loop_.now_ms());  // the end that follows is no news
  }

  void on_close(net::Connection& connection, net::CloseCause cause, int error) override {
    loop_.cancel(ping_);
    loop_.cancel(settled_);
    loop_.cancel(dial_time_);
    const bool was_up = std::exchange(up_, false);
    const bool timed_out = std::exchange(timed_out_, false);
    const bool is_foreign = std::exchange(is_foreign_, false);
    if (owner_ == nullptr) return;
    std::string reason = timed_out ? "no answer" : describe_loss(connection, error, "the register");
    // That is all a register does about a wrong key, and it does it at once.
    if (was_up && !has_list_ && loop_.now_ms() - opened_ms_ < kAtOnceMs) reason += " (does it have the same secret_key?)";
    if (!was_up && lookup_.has_several()) reason = note_failure(reason);
    if (was_up) lookup_.begin_round();
    if (!was_up && lookup_.failed()) {
      redial_ = loop_.after(std::chrono::milliseconds(0), [this] { dial(); });
      return;
    }
    if (!is_foreign) {
      const bool failed = cause == net::CloseCause::connect_failed || timed_out;
      complain((failed ? "cannot connect to the register " : "lost the register ") + address_ + ": " + reason);
    }
    failures_.clear();
    dial_later();
  }

  /// What has become of the addresses of a name, one after the other.
  std::string note_failure(const std::string& reason) {
    failures_ += (failures_.empty() ? "" : "; ") + endpoint_.to_string() + ": " + reason;
    return failures_;
  }

  void dial_later() {
    redial_ = loop_.after(std::chrono::milliseconds(owner_->settings_.reconnect_ms), [this] { dial(); });
  }

  /// A register that stays away is worth one line, not one a second.
  void complain(const std::string& what) {
    problem_ = what;
    if (outage_.begin(loop_.now_ms())) {
      loop_.log().warning("{}; trying again every {} ms", what, owner_->settings_.reconnect_ms);
    } else {
      loop_.log().debug("{}", what);
    }
  }

  RegisterLinks* owner_;
  net::Loop& loop_;
  std::string address_;
  NameLookup lookup_;
  net::Endpoint endpoint_;
  net::ConnectionId connection_;
  net::TimerId redial_;
  net::TimerId ping_;
  net::TimerId settled_;
  net::TimerId dial_time_;
  std::vector<std::string> addresses_;
  std::string problem_;
  std::string failures_;  // of this round through the addresses
  std::uint64_t opened_ms_ = 0;
  std::uint64_t taken_logged_ms_ = 0;
  bool up_ = false;
  bool has_list_ = false;
  Outage outage_;
  bool is_foreign_ = false;  // what is there does not speak as a register does
  bool timed_out_ = false;
};

RegisterLinks::RegisterLinks(net::Loop& loop, Settings settings, OnAddresses on_addresses)
    : loop_(loop), settings_(std::move(settings)), on_addresses_(std::move(on_addresses)) {}

RegisterLinks::~RegisterLinks() { stop(); }

void RegisterLinks::start() {
  for (const std::string& address : settings_.addresses) {
    lines_.push_back(std::make_unique<Line>(*this, address));
    lines_.back()->dial();
  }
}

void RegisterLinks::stop() {
  for (auto& line : lines_) {
    line->stop();
    retire(loop_, std::move(line));
  }
  lines_.clear();
}

std::size_t RegisterLinks::connected() const {
  return static_cast<std::size_t>(std::count_if(lines_.begin(), lines_.end(), [](const auto& line) { return line->is_up(); }));
}

std::string RegisterLinks::problem() const {
  std::string all;
  for (const auto& line : lines_) all += (all.empty() ? "" : "; ") + line->problem();
  return all;
}

void RegisterLinks::update() {
  std::vector<std::string> all;
  for (const auto& line : lines_) {
    for (const std::string& address : line->addresses()) {
      if (std::find(all.begin(), all.end(), address) == all.end()) all.push_back(address);
    }
  }
  if (std::exchange(told_, true) && all == last_) return;
  last_ = std::move(all);
  if (on_addresses_) on_addresses_(last_);
}

}  // namespace gatehouse::link
