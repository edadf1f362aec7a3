#include "link/cluster_calls.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <gatehouse/error.h>

#include "link/answers.h"
#include "link/arguments.h"
#include "link/retire.h"
#include "wire/command_ext.h"
#include "wire/command_size.h"

namespace gatehouse {
namespace {

constexpr int kStopTimeoutMs = 1000;
constexpr std::size_t kAroundIds = 32;  // {"connections":{}}

link::GatewayLink::Settings link_settings(const ClusterCalls::Settings& settings) {
  link::GatewayLink::Settings out;
  out.secret_key = settings.secret_key;
  out.worker_key = settings.worker_key;
  out.delivery = settings.delivery;
  out.reconnect_ms = settings.reconnect_ms;
  out.settled_ms = settings.settled_ms;
  out.max_held_bytes = settings.max_held_bytes;
  out.tls = settings.tls;
  return out;
}

link::RegisterLinks::Settings register_settings(const ClusterCalls::Settings& settings) {
  link::RegisterLinks::Settings out;
  out.addresses = settings.register_addresses;
  out.secret_key = settings.secret_key;
  out.reconnect_ms = settings.reconnect_ms;
  out.settled_ms = settings.settled_ms;
  out.tls = settings.tls;
  return out;
}

ClusterCalls::Settings with_connect_timeout(ClusterCalls::Settings settings) {
  if (settings.connect_timeout_ms == 0) settings.connect_timeout_ms = settings.question_timeout_ms;
  return settings;
}

}  // namespace

ClusterCalls::ClusterCalls(net::Loop& loop, Settings settings)
    : loop_(loop),
      settings_(with_connect_timeout(std::move(settings))),
      link_settings_(link_settings(settings_)),
      questions_(loop, settings_.question_timeout_ms),
      registers_(loop, register_settings(settings_), [this](const std::vector<std::string>& list) { on_addresses(list); }) {}

ClusterCalls::~ClusterCalls() {
  registers_.stop();
  loop_.cancel(sweep_timer_);
  loop_.cancel(stop_timer_);
  for (auto& link : links_) remove(std::move(link));
}

void ClusterCalls::start() { registers_.start(); }

void ClusterCalls::open_events(EventHandler& handler) {
  events_ = &handler;
  events_open_ = true;
  for (const auto& link : links_) link->open_events();
}

void ClusterCalls::close_events() {
  events_open_ = false;
  for (const auto& link : links_) link->close_events();
}

void ClusterCalls::pause_events(bool paused) {
  events_paused_ = paused;
  for (const auto& link : links_) link->pause_events(paused);
}

void ClusterCalls::stop(std::function<void()> stopped) {
  stopped_ = std::move(stopped);
  registers_.stop();
  stop_timer_ = loop_.after(std::chrono::milliseconds(kStopTimeoutMs), [this] { finish_stop(); });
  for (const auto& link : links_) link->close();
  if (links_.empty()) sweep_timer_ = loop_.after(std::chrono::milliseconds(0), [this] { sweep(); });
}

void ClusterCalls::finish_stop() {
  loop_.cancel(stop_timer_);
  loop_.cancel(sweep_timer_);
  by_key_.clear();
  last_found_ = nullptr;
  std::vector<std::unique_ptr<link::GatewayLink>> links;
  links.swap(links_);
  for (auto& link : links) remove(std::move(link));
  const std::function<void()> stopped = std::exchange(stopped_, nullptr);
  if (stopped) stopped();
}

void ClusterCalls::remove(std::unique_ptr<link::GatewayLink> link) {
  last_found_ = nullptr;
  link->abandon();
  link::retire(loop_, std::move(link));
}

link::GatewayLink* ClusterCalls::look_up(link::GatewayKey gateway) const {
  const auto found = by_key_.find(gateway);
  return found == by_key_.end() ? nullptr : found->second;
}

link::GatewayLink* ClusterCalls::add(const std::string& address) {
  const auto endpoint = net::Endpoint::parse_numeric(address);
  if (!endpoint || !endpoint->to_address().is_ipv4()) {
    if (std::find(refused_addresses_.begin(), refused_addresses_.end(), address) == refused_addresses_.end()) {
      loop_.log().error("the gateway {} cannot be used: its lan_ip must be an IPv4 address, which is part of its clients' ids",
                        printable(address));
      refused_addresses_.push_back(address);
    }
    return nullptr;
  }
  const link::GatewayKey key{endpoint->to_address().ipv4(), endpoint->to_address().port()};
  if (link::GatewayLink* known = find(key)) return known;
  link::GatewayLink::Owner& owner = *this;  // a private base, out of reach for make_unique
  links_.push_back(std::make_unique<link::GatewayLink>(loop_, link_settings_, key, *endpoint, owner));
  link::GatewayLink* link = links_.back().get();
  by_key_[key] = link;
  link->pause_events(events_paused_);
  if (events_open_) link->open_events();
  return link;
}

void ClusterCalls::on_addresses(const std::vector<std::string>& addresses) {
  std::vector<link::GatewayLink*> listed;
  for (const std::string& address : addresses) {
    if (link::GatewayLink* link = add(address)) listed.push_back(link);
  }
  // In two steps, since those that are no longer listed may go at once.
  for (link::GatewayLink* link : listed) link->set_listed(true);
  for (const auto& link : links_) {
    if (std::find(listed.begin(), listed.end(), link.get()) == listed.end()) link->set_listed(false);
  }
  if (!std::exchange(known_, true)) send_held();
}

void ClusterCalls::on_idle(link::GatewayLink& /*link*/) {
  // Removed later: this may be called from within a walk over links_.
  loop_.cancel(sweep_timer_);
  sweep_timer_ = loop_.after(std::chrono::milliseconds(0), [this] { sweep(); });
}

void ClusterCalls::sweep() {
  for (auto& link : links_) {
    if (!link->is_idle()) continue;
    by_key_.erase(link->key());
    last_found_ = nullptr;
    remove(std::move(link));
  }
  links_.erase(std::remove(links_.begin(), links_.end(), nullptr), links_.end());
  if (stopped_ && links_.empty()) finish_stop();
}

void ClusterCalls::on_event(link::GatewayLink& link, const wire::GatewayFrame& frame, const link::EventTicket& ticket) {
  if (events_ != nullptr) events_->on_event(frame, link.is_native(), ticket);
}

void ClusterCalls::on_events_lost(link::GatewayLink& link) {
  if (events_ != nullptr) events_->on_events_lost(link.key());
}

void ClusterCalls::on_answer(link::GatewayLink& link, std::uint64_t question, std::string_view answer) {
  questions_.answer(question, link.key(), answer);
}

void ClusterCalls::on_unanswered(link::GatewayLink& link, std::uint64_t question) { questions_.unanswered(question, link.key()); }

std::size_t ClusterCalls::event_connections() const {
  return static_cast<std::size_t>(
      std::count_if(links_.begin(), links_.end(), [](const auto& link) { return link->has_events(); }));
}

std::size_t ClusterCalls::event_connections_ending_in_order() const {
  return static_cast<std::size_t>(
      std::count_if(links_.begin(), links_.end(), [](const auto& link) { return link->ends_events_in_order(); }));
}

std::size_t ClusterCalls::count_taking_commands() const {
  return static_cast<std::size_t>(
      std::count_if(links_.begin(), links_.end(), [](const auto& link) { return link->takes_commands(); }));
}

std::size_t ClusterCalls::count_taking_events() const {
  return static_cast<std::size_t>(
      std::count_if(links_.begin(), links_.end(), [](const auto& link) { return link->takes_events(); }));
}

std::size_t ClusterCalls::connected() const {
  std::size_t count = 0;
  for (const auto& link : links_) count += link->connected();
  return count;
}

std::size_t ClusterCalls::queued_bytes() const {
  std::size_t bytes = held_bytes_;
  for (const auto& link : links_) bytes += link->queued_bytes();
  return bytes;
}

void ClusterCalls::hold(Held held, const Frame& frame) {
  std::size_t bytes = sizeof held + frame.ext.size() + frame.body.size() + frame.key.size();
  for (const auto& [gateway, ext] : held.other_ext) bytes += ext.size();
  if (held_bytes_ + bytes > settings_.max_held_bytes) {
    ++dropped_;
    if (held.question != 0) questions_.fail(held.question);
    if (!std::exchange(hold_complained_, true)) {
      loop_.log().warning("commands are dropped: no register has told the gateways yet and {} bytes wait already", held_bytes_);
    }
    return;
  }
  held_bytes_ += bytes;
  held.header = frame.header;
  held.binary = frame.binary;
  held.ext = frame.ext;
  held.body = frame.body;
  held.key = frame.key;
  held_.push_back(std::move(held));
}

void ClusterCalls::send_held() {
  std::vector<Held> all;
  all.swap(held_);
  held_bytes_ = 0;
  for (const Held& held : all) {
    const Frame frame{held.header, held.ext, held.body, held.binary, held.key};
    if (held.question != 0) {
      questions_.restart(held.question, held.timeout_ms);
      ask_known(held.question, held.gateway, frame);
    } else if (held.gateway) {
      to_gateway(*held.gateway, frame);
    } else {
      to_all(frame, held.other_ext);
    }
  }
}

void ClusterCalls::to_gateway(link::GatewayKey gateway, const Frame& frame) {
  if (!known_) return hold({.gateway = gateway}, frame);
  link::GatewayLink* link = find(gateway);
  if (link == nullptr) {
    ++dropped_;
  } else {
    write(*link, frame);
  }
}

void ClusterCalls::to_all(const Frame& frame, const OtherExt& other_ext) {
  if (!known_) return hold({.other_ext = other_ext}, frame);
  for (const auto& link : links_) {
    Frame its = frame;
    for (const auto& [gateway, ext] : other_ext) {
      if (gateway == link->key()) its.ext = ext;
    }
    write(*link, its);
  }
}

void ClusterCalls::miss(link::GatewayKey gateway, const std::string& why) {
  Missed missed{gateway.address(), why};
  if (std::find(missed_.begin(), missed_.end(), missed) == missed_.end()) missed_.push_back(std::move(missed));
}

void ClusterCalls::write(link::GatewayLink& link, const Frame& frame) {
  const bool upstreams = link.is_upstreams();
  if (upstreams && link::GatewayLink::needs_extension(frame.header.command, frame.ext)) {
    return on_not_understood(link, {frame.header, frame.ext, frame.body});
  }
  const std::string_view key = upstreams ? std::string_view() : frame.key;
  const std::size_t body_size = frame.body.size() + wire::key_suffix_size(key);
  const std::size_t size = wire::gateway_frame_size(frame.ext.size(), body_size);
  if (size > wire::kMostUpstreamFrame && upstreams) return refuse_for_upstream(link.key(), size);
  char* out = link.command(size);
  if (out == nullptr) {
    ++dropped_;
    miss(link.key());
    return;
  }
  ++sent_;
  wire::GatewayHeader header = frame.header;
  if (frame.binary && !upstreams) header.flags |= wire::flag::kBinary;
  if (!key.empty()) header.flags |= wire::flag::kKeyed;
  wire::write_gateway_header(out, header, frame.ext.size(), body_size);
  out += wire::GatewayHeader::kSize;
  out += frame.ext.copy(out, frame.ext.size());
  out += frame.body.copy(out, frame.body.size());
  wire::write_key_suffix(out, key);
}

/// Upstream has no command for all clients of a uid but some, nor one that closes them: the gateway is asked who they are, and
/// the command is given for each.
void ClusterCalls::on_not_understood(link::GatewayLink& link, const wire::GatewayFrame& frame) {
  if (const std::size_t size = wire::gateway_frame_size(frame.ext_data.size(), frame.body.size());
      size > wire::kMostUpstreamFrame) {
    return refuse_for_upstream(link.key(), size);
  }
  if (frame.header.command == wire::Command::set_ping_interval) return refuse_ping_interval(link.key());
  wire::UidTarget target;
  if (frame.header.command == wire::Command::kick_uid) {
    target.uids.emplace_back(frame.ext_data);
  } else {
    (void)wire::parse_uid_target(frame.ext_data, target);  // uid_target_ext() wrote it
  }
  ++translating_;
  const auto act = [this, target, key = link.key(), header = frame.header,
                    body = std::string(frame.body)](const link::Answers& answers) {
    --translating_;
    std::vector<std::uint32_t> connections;
    try {
      for (const auto& [uid, ids] : link::client_ids_of_uids(answers, target.uids)) {
        for (const std::string& id : ids) connections.push_back(wire::parse_client_id(id).value().connection_id);
      }
    } catch (const Error& error) {
      ++dropped_;
      miss(key, error.what());
      loop_.log().warning("a command for a uid was dropped: {}", error.what());
      return;
    }
    std::erase_if(connections, [&](std::uint32_t id) {
      return std::find(target.exclude.begin(), target.exclude.end(), id) != target.exclude.end();
    });
    to_connections(key, header, connections, body);
  };
  const link::Inquiry inquiry = link::ask_client_ids_by_uids(target.uids);
  const std::uint64_t question = questions_.open(act);
  ask_gateway(link, question, {.header = {.command = inquiry.command}, .ext = inquiry.ext});
  questions_.finish_asking(question);
}

void ClusterCalls::refuse_ping_interval(link::GatewayKey gateway) {
  static constexpr const char* kWhy = "a gateway of PHP has one ping interval for all its clients";
  ++dropped_;
  miss(gateway, kWhy);
  if (std::exchange(ping_complained_, true)) return;
  loop_.log().warning("set_ping_interval has no effect on the clients of {}: {}", gateway.address(), kWhy);
}

/// Its gateway would close the connection, and with it everybody's.
void ClusterCalls::refuse_for_upstream(link::GatewayKey gateway, std::size_t bytes) {
  const std::string why = fmt::format("a gateway of PHP reads commands of at most {} bytes", wire::kMostUpstreamFrame);
  ++dropped_;
  miss(gateway, why);
  if (!too_long_.allow(loop_.now_ms())) return;
  loop_.log().warning("a command of {} bytes for {} was dropped: {}{}", bytes, gateway.address(), why,
                      too_long_.take_suppressed_words());
}

void ClusterCalls::to_connections(link::GatewayKey gateway, const wire::GatewayHeader& header,
                                  const std::vector<std::uint32_t>& connections, std::string_view body) {
  wire::GatewayHeader its = header;
  its.flags = static_cast<std::uint8_t>(header.flags & ~static_cast<unsigned>(wire::flag::kBinary));
  if (header.command == wire::Command::kick_uid) {
    its.command = wire::Command::kick;
    for (const std::uint32_t id : connections) {
      its.connection_id = id;
      to_gateway(gateway, {its, {}, body});
    }
    return;
  }
  its.command = wire::Command::send_to_all;
  // As many at a time as fit beside the body.
  const std::size_t beside = std::min(wire::kMostUpstreamFrame, wire::gateway_frame_size(kAroundIds, body.size()));
  const std::size_t most = std::max<std::size_t>((wire::kMostUpstreamFrame - beside) / link::kMostIdBytes, 1);
  for (std::size_t at = 0; at < connections.size(); at += most) {
    const auto begin = connections.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = begin + static_cast<std::ptrdiff_t>(std::min(most, connections.size() - at));
    to_gateway(gateway, {its, wire::recipients_ext({wire::Recipients::Kind::only, {begin, end}}), body});
  }
}

void ClusterCalls::confirm(link::OnAnswers done, int timeout_ms) {
  if (translating_ == 0) {
    ask(link::ask_for_a_sign(), std::move(done), timeout_ms, std::min(timeout_ms, settings_.connect_timeout_ms));
    return;
  }
  // Their questions stand before this one; what is sent upon the answers stands behind it.
  const auto again = [this, done = std::move(done), timeout_ms](const link::Answers&) {
    ask(link::ask_for_a_sign(), done, timeout_ms, timeout_ms);
  };
  ask(link::ask_for_a_sign(), again, timeout_ms, timeout_ms);
}

std::uint64_t ClusterCalls::ask(const link::Inquiry& inquiry, link::OnAnswers done, int timeout_ms, int connect_timeout_ms) {
  const std::uint64_t question = questions_.open(std::move(done), known_ ? timeout_ms : connect_timeout_ms);
  const Frame frame{.header = {.command = inquiry.command, .connection_id = inquiry.connection_id}, .ext = inquiry.ext};
  if (known_) {
    ask_known(question, inquiry.gateway, frame);
  } else {
    hold({.gateway = inquiry.gateway, .question = question, .timeout_ms = timeout_ms}, frame);
  }
  return question;
}

void ClusterCalls::ask_known(std::uint64_t question, const std::optional<link::GatewayKey>& gateway, const Frame& frame) {
  if (gateway) {
    if (link::GatewayLink* link = find(*gateway)) ask_gateway(*link, question, frame);
  } else {
    for (const auto& link : links_) ask_gateway(*link, question, frame);
  }
  questions_.finish_asking(question);
}

void ClusterCalls::ask_gateway(link::GatewayLink& link, std::uint64_t question, const Frame& frame) {
  const std::size_t size = wire::gateway_frame_size(frame.ext.size(), 0);
  if (size > wire::kMostUpstreamFrame && link.is_upstreams()) {
    questions_.expect(question, link.key(), false);
    return refuse_for_upstream(link.key(), size);
  }
  char* out = link.question(size, question);
  questions_.expect(question, link.key(), out != nullptr);
  if (out == nullptr) {
    ++dropped_;
    return;
  }
  ++sent_;
  wire::write_gateway_header(out, frame.header, frame.ext.size(), 0);
  frame.ext.copy(out + wire::GatewayHeader::kSize, frame.ext.size());
}

}  // namespace gatehouse
