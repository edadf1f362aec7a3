#include "link/gateway_link.h"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "link/loss.h"
#include "wire/command_ext.h"
#include "wire/command_size.h"
#include "wire/spoken_protocol.h"

namespace gatehouse::link {
namespace {

constexpr std::uint64_t kNobodysQuestion = 0;
// A gateway reads at once: what it had been sent this long before its end, and not confirmed since, it has read.
constexpr std::uint64_t kSurelyReadMs = 5'000;
constexpr std::uint64_t kRefusedAtOnceMs = 2'000;
constexpr std::size_t kFlagsOffset = 21;  // in the header

/// A frame as upstream's gateways read it: in place, and shorter by the key that it may have had.
std::string_view take_back_extension(char* frame, std::size_t size) {
  const auto flags = static_cast<std::uint8_t>(frame[kFlagsOffset]);
  std::size_t kept = size;
  if ((flags & wire::flag::kKeyed) != 0) {
    std::string_view body = wire::decode_gateway_frame({frame, size}, size).frame.body;
    std::string_view key;
    if (wire::split_key(body, key)) kept -= wire::key_suffix_size(key);
  }
  frame[kFlagsOffset] = static_cast<char>(flags & ~(wire::flag::kBinary | wire::flag::kKeyed));
  store_be32(frame, static_cast<std::uint32_t>(kept));
  return {frame, kept};
}

void write_frame(char* out, wire::Command command, std::string_view body) {
  wire::write_gateway_header(out, {.command = command}, 0, body.size());
  body.copy(out + wire::GatewayHeader::kSize, body.size());
}

void send_frame(net::Connection& connection, wire::Command command, std::string_view body) {
  char* out = connection.grow(wire::gateway_frame_size(0, body.size()));
  if (out != nullptr) write_frame(out, command, body);
}

}  // namespace

GatewayLink::GatewayLink(net::Loop& loop, const Settings& settings, GatewayKey key, const net::Endpoint& endpoint, Owner& owner)
    : loop_(loop), settings_(settings), key_(key), endpoint_(endpoint), owner_(&owner) {}

std::size_t GatewayLink::queued_bytes() const {
  std::size_t bytes = held_.size();
  for (const Side* each : {&commands_, &events_}) {
    if (const net::Connection* connection = loop_.find(each->connection)) bytes += connection->queued_bytes();
  }
  return bytes;
}

void GatewayLink::set_listed(bool listed) {
  if (std::exchange(listed_, listed) == listed) return;
  if (listed) {
    dial(kCommands);
    if (wants_events_) dial(kEvents);
    return;
  }
  loop_.cancel(commands_.redial);
  loop_.cancel(events_.redial);
  if (is_idle()) owner_->on_idle(*this);
}

void GatewayLink::open_events() {
  if (std::exchange(wants_events_, true)) return;
  if (listed_) dial(kEvents);
}

void GatewayLink::close_events() {
  wants_events_ = false;
  loop_.cancel(events_.redial);
  net::Connection* connection = loop_.find(events_.connection);
  if (connection == nullptr) return;
  if (!events_.up) return connection->destroy();
  connection->resume();
  if (hello_.link != 0) return send_frame(*connection, wire::Command::leaving, {});
  (void)::shutdown(connection->fd(), SHUT_WR);
}

void GatewayLink::finished(const EventTicket& ticket, bool at_once) {
  if (ticket.link == 0 || ticket.link != events_epoch_) return;
  finished_.add(ticket.number);
  if (!reading_ || at_once) tell_finished();
  net::Connection* connection = at_once ? loop_.find(commands_.connection) : nullptr;
  if (connection != nullptr) connection->flush();
}

void GatewayLink::begun(const EventTicket& ticket) {
  if (ticket.link == 0 || ticket.link != events_epoch_) return;
  std::string range;
  wire::append_event_range(range, {ticket.number, 1});
  send_ranges(wire::Command::begun, range);
  if (net::Connection* connection = loop_.find(commands_.connection)) connection->flush();
}

void GatewayLink::tell_finished() {
  if (finished_.empty() || !commands_.ready) return;
  send_ranges(wire::Command::finished, finished_.body());
  finished_.clear();
}

void GatewayLink::send_ranges(wire::Command command, std::string_view ranges) {
  net::Connection* connection = commands_.ready ? loop_.find(commands_.connection) : nullptr;
  char* out = connection == nullptr ? nullptr : connection->grow(wire::gateway_frame_size(0, ranges.size()));
  if (out == nullptr) return;
  wire::write_gateway_header(out, {.command = command, .connection_id = hello_.link}, 0, ranges.size());
  ranges.copy(out + wire::GatewayHeader::kSize, ranges.size());
}

void GatewayLink::pause_events(bool paused) {
  events_paused_ = paused;
  net::Connection* connection = loop_.find(events_.connection);
  if (connection == nullptr) return;
  if (paused) {
    connection->pause();
  } else {
    connection->resume();
  }
}

void GatewayLink::close() {
  listed_ = false;
  wants_events_ = false;
  loop_.cancel(keep_alive_);
  loop_.cancel(show_life_);
  loop_.cancel(settled_);
  for (Side* each : {&commands_, &events_}) {
    loop_.cancel(each->redial);
    net::Connection* connection = loop_.find(each->connection);
    if (connection == nullptr) continue;
    if (each == &commands_ && commands_.up && !commands_.ready) send_held(*connection, false);
    connection->close();
  }
  if (is_idle()) owner_->on_idle(*this);
}

void GatewayLink::abandon() {
  owner_ = nullptr;
  loop_.cancel(keep_alive_);
  loop_.cancel(show_life_);
  loop_.cancel(settled_);
  for (Side* each : {&commands_, &events_}) {
    loop_.cancel(each->redial);
    if (net::Connection* connection = loop_.find(each->connection)) connection->destroy();
  }
}

void GatewayLink::dial(std::uint32_t tag) {
  Side& which = side(tag);
  if (which.busy) return;
  which.connection = loop_.dial(endpoint_, *this, tag, settings_.tls);
  which.busy = true;
}

void GatewayLink::dial_later(std::uint32_t tag) {
  loop_.cancel(side(tag).redial);
  side(tag).redial = loop_.after(std::chrono::milliseconds(settings_.reconnect_ms), [this, tag] { dial(tag); });
}

void GatewayLink::on_open(net::Connection& connection) {
  if (owner_ == nullptr) return;
  Side& which = side(connection.tag);
  which.up = true;
  which.opened_ms = loop_.now_ms();
  if (connection.tag == kEvents) {
    which.ready = true;
    send_frame(connection, wire::Command::worker_connect,
               wire::worker_connect_body(settings_.worker_key, settings_.secret_key, true, settings_.delivery));
    if (events_paused_) connection.pause();
    be_up();
  } else {
    // Upstream's GatewayClient shows the key only when there is one; showing an empty one does no harm.
    send_frame(connection, wire::Command::gateway_client_connect, wire::gateway_client_connect_body(settings_.secret_key));
    ask_extension(connection);
    if (!endpoint_.is_loopback()) {
      loop_.cancel(keep_alive_);
      keep_alive_ = loop_.every(std::chrono::milliseconds(settings_.ping_ms), [this] { keep_alive(); });
    }
  }
}

void GatewayLink::describe(const net::Connection& connection, ConnectionRow& row) const {
  row.kind = connection.tag == kEvents ? "events" : "commands";
  row.protocol = "gateway";
  row.peer = endpoint_.to_string();
}

std::size_t GatewayLink::on_data(net::Connection& connection, std::span<char> bytes, std::size_t /*seen*/) {
  const std::string_view view(bytes.data(), bytes.size());
  reading_ = true;
  const std::size_t done = connection.tag == kEvents ? take_events(connection, view) : take_answers(connection, view);
  reading_ = false;
  if (owner_ != nullptr) tell_finished();
  return done;
}

std::size_t GatewayLink::take_events(net::Connection& connection, std::string_view bytes) {
  std::size_t done = 0;
  while (connection.is_open() && owner_ != nullptr) {
    const wire::DecodedGatewayFrame decoded = wire::decode_gateway_frame(bytes.substr(done), settings_.max_frame_size);
    if (decoded.status == wire::GatewayFrameStatus::need_more) break;
    if (decoded.status != wire::GatewayFrameStatus::complete) {
      refuse(connection, bytes.substr(done), wire::describe(decoded.status));
      return bytes.size();
    }
    done += decoded.size;
    on_frame(connection, decoded.frame);
  }
  return done;
}

void GatewayLink::on_frame(net::Connection& connection, const wire::GatewayFrame& frame) {
  switch (frame.header.command) {
    case wire::Command::ping: return;
    case wire::Command::hello: return on_hello(connection, frame.body);
    default: return owner_->on_event(*this, frame, {hello_.link == 0 ? 0 : events_epoch_, next_event_++});
  }
}

void GatewayLink::on_hello(net::Connection& connection, std::string_view body) {
  wire::Hello hello;
  events_.native = wire::parse_hello_body(body, hello);
  if (!events_.native || hello_.link != 0) return;
  hello_ = hello;
  if (hello_.link == 0) return;
  // It is to leave since before it knew how: what is behind this goes to others.
  if (!wants_events_) return connection.destroy();
  if (hello_.timeout_ms > 0) {
    const auto period = std::chrono::milliseconds(std::max(hello_.timeout_ms / 3, 1U));
    show_life_ = loop_.every(period, [this] { show_life(); });
  }
}

void GatewayLink::show_life() {
  if (net::Connection* connection = loop_.find(events_.connection)) send_frame(*connection, wire::Command::ping, {});
}

bool GatewayLink::needs_extension(wire::Command command, std::string_view ext) {
  return command == wire::Command::kick_uid || command == wire::Command::set_ping_interval ||
         (command == wire::Command::send_to_uid && wire::is_extended_uid_target(ext));
}

void GatewayLink::ask_extension(net::Connection& connection) {
  const std::string ext = wire::select_ext({.extension = true, .where_connections = std::vector<std::uint32_t>{0}});
  char* out = connection.grow(wire::gateway_frame_size(ext.size(), 0));
  if (out == nullptr) return;
  wire::write_gateway_header(out, {.command = wire::Command::select}, ext.size(), 0);
  ext.copy(out + wire::GatewayHeader::kSize, ext.size());
  // In front of the questions that wait in held_.
  asked_.push_front({kNobodysQuestion, commands_done_});
  holding_ = true;
}

void GatewayLink::on_extension(net::Connection& connection, std::string_view answer) {
  commands_.native = answer == "a:1:{s:9:\"gatehouse\";i:1;}";
  send_held(connection, commands_.native || events_.native);
  tell_finished();
  be_up();
}

/// Says so when both connections are, or the one that is wanted.
void GatewayLink::be_up() {
  if (!commands_.ready || (wants_events_ && !events_.ready)) return;
  if (!outage_.lasts()) {
    if (outage_.was_up()) return;
    outage_.note_up();
    return loop_.log().info("connected to the gateway {}", key_.address());
  }
  loop_.cancel(settled_);
  settled_ = loop_.after(std::chrono::milliseconds(settings_.settled_ms), [this, up_ms = loop_.now_ms()] {
    commands_.complained = events_.complained = false;
    loop_.log().info("connected to the gateway {} {}", key_.address(), outage_.end(up_ms));
  });
}

void GatewayLink::send_held(net::Connection& connection, bool native) {
  std::string held = std::exchange(held_, {});
  commands_.ready = true;
  holding_ = false;
  if (native) return connection.send(held);
  std::vector<std::string_view> not_understood;
  for (std::size_t at = 0; at < held.size();) {
    const std::size_t size = load_be32(held.data() + at);
    const std::string_view bytes = take_back_extension(held.data() + at, size);
    const wire::GatewayFrame frame = wire::decode_gateway_frame(bytes, size).frame;
    // One that is too long for such a gateway, too, is for the owner to drop. Not a question, whose answer is expected here.
    if (needs_extension(frame.header.command, frame.ext_data) ||
        (bytes.size() > wire::kMostUpstreamFrame && !wire::is_question(frame.header.command))) {
      not_understood.push_back(bytes);
    } else {
      connection.send(bytes);
    }
    at += size;
  }
  // Behind the others, as it takes questions, which must stand in asked_ in the order of their sending.
  for (const std::string_view bytes : not_understood) {
    if (owner_ != nullptr) owner_->on_not_understood(*this, wire::decode_gateway_frame(bytes, bytes.size()).frame);
  }
}

std::size_t GatewayLink::take_answers(net::Connection& connection, std::string_view bytes) {
  constexpr std::size_t kLengthSize = 4;
  std::size_t done = 0;
  while (connection.is_open() && owner_ != nullptr && bytes.size() - done >= kLengthSize) {
    const std::size_t size = load_be32(bytes.data() + done);
    if (size > settings_.max_answer_size || asked_.empty()) {
      refuse(connection, bytes.substr(done), asked_.empty() ? "an answer that nobody asked for" : "an answer over the limit");
      return bytes.size();
    }
    if (bytes.size() - done - kLengthSize < size) break;
    const std::string_view answer = bytes.substr(done + kLengthSize, size);
    done += kLengthSize + size;
    const std::uint64_t question = asked_.front().question;
    commands_done_ = asked_.front().commands;
    asked_.pop_front();
    if (!commands_.ready) {
      on_extension(connection, answer);
      continue;
    }
    // One whose time was up is no longer known to the owner; its answer is passed over here, in its turn.
    if (question != kNobodysQuestion) owner_->on_answer(*this, question, answer);
  }
  return done;
}

void GatewayLink::on_close(net::Connection& connection, net::CloseCause cause, int error) {
  const std::uint32_t tag = connection.tag;
  Side& which = side(tag);
  const bool was_up = std::exchange(which.up, false);
  const bool was_ready = std::exchange(which.ready, false);
  which.native = false;
  which.busy = false;
  which.connection = {};
  if (tag == kEvents) {
    loop_.cancel(show_life_);
    hello_ = {};
    finished_.clear();
    next_event_ = 0;
    if (++events_epoch_ == 0) events_epoch_ = 1;  // 0 names nothing
  }
  loop_.cancel(settled_);
  if (owner_ == nullptr) return;
  const bool again = listed_ && (tag == kCommands || wants_events_);
  if (cause != net::CloseCause::closed_here && again) {
    std::string reason = describe_loss(connection, error, "the gateway");
    // That is all a gateway does about a wrong key, and it does it at once.
    if (was_up && !was_ready && loop_.now_ms() - which.opened_ms < kRefusedAtOnceMs)
      reason += " (does it have the same secret_key?)";
    complain(which, tag == kEvents ? "events" : "commands", cause, reason);
  }
  if (again) dial_later(tag);

  if (tag == kCommands) {
    loop_.cancel(keep_alive_);
    if (may_have_lost()) owner_->on_commands_lost(*this);
    commands_done_ = commands_sent_;
    std::string().swap(held_);
    holding_ = false;
    // What was said on it last may not have arrived, nor what was finished: the gateway is to give it to somebody.
    net::Connection* events = hello_.link == 0 ? nullptr : loop_.find(events_.connection);
    if (events != nullptr) events->destroy();
    drop_questions();
  } else if (was_up) {
    owner_->on_events_lost(*this);
  }
  if (owner_ != nullptr && is_idle()) owner_->on_idle(*this);
}

bool GatewayLink::may_have_lost() const {
  if (commands_sent_ == commands_done_) return false;
  return !held_.empty() || loop_.now_ms() - last_command_ms_ < kSurelyReadMs;
}

void GatewayLink::drop_questions() {
  std::deque<Asked> lost;
  lost.swap(asked_);
  for (const Asked& each : lost) {
    if (owner_ != nullptr && each.question != kNobodysQuestion) owner_->on_unanswered(*this, each.question);
  }
}

char* GatewayLink::command(std::size_t size) {
  char* out = room(size);
  if (out != nullptr) {
    ++commands_sent_;
    last_command_ms_ = loop_.now_ms();
  }
  return out;
}

char* GatewayLink::room(std::size_t size) {
  if (commands_.ready) {
    net::Connection* connection = loop_.find(commands_.connection);
    if (connection == nullptr) return nullptr;
    if (connection->queued_bytes() + size > settings_.max_queued_bytes && connection->queued_bytes() > 0) {
      if (!std::exchange(queue_complained_, true)) {
        loop_.log().error("the gateway {} does not read: {} bytes wait for it, and commands are dropped from now on",
                          key_.address(), connection->queued_bytes());
      }
      return nullptr;
    }
    queue_complained_ = false;
    return connection->grow(size);
  }
  return holding_ ? hold(size) : nullptr;
}

char* GatewayLink::hold(std::size_t size) {
  // Once it is up, it is a matter of one answer.
  if (held_.size() + size > (commands_.up ? settings_.max_queued_bytes : settings_.max_held_bytes)) {
    if (!std::exchange(hold_complained_, true)) {
      loop_.log().warning("commands for the gateway {} are dropped: it is not connected yet and {} bytes wait already",
                          key_.address(), held_.size());
    }
    return nullptr;
  }
  held_.resize(held_.size() + size);
  return held_.data() + held_.size() - size;
}

char* GatewayLink::question(std::size_t size, std::uint64_t id) {
  char* out = room(size);
  if (out != nullptr) asked_.push_back({id, commands_sent_});
  return out;
}

void GatewayLink::keep_alive() {
  net::Connection* events = loop_.find(events_.connection);
  if (events_.native && events_.up && events != nullptr) send_frame(*events, wire::Command::ping, {});
  // Upstream's gateways print an error for a ping (and ping the event connection themselves): they are asked something cheap,
  // whether nobody is online.
  const std::size_t size = wire::gateway_frame_size(0, 0);
  if (!commands_.ready) return;
  char* out = is_upstreams() ? question(size, kNobodysQuestion) : room(size);
  if (out != nullptr) write_frame(out, is_upstreams() ? wire::Command::is_online : wire::Command::ping, {});
}

void GatewayLink::complain(Side& which, const char* name, net::CloseCause cause, const std::string& reason) {
  outage_.begin(loop_.now_ms());
  const char* what = cause == net::CloseCause::connect_failed ? "cannot connect to" : "lost the connection to";
  if (std::exchange(which.complained, true)) {
    loop_.log().debug("{} the gateway {} ({}): {}", what, key_.address(), name, reason);
  } else {
    loop_.log().warning("{} the gateway {} ({}): {}; trying again every {} ms", what, key_.address(), name, reason,
                        settings_.reconnect_ms);
  }
}

void GatewayLink::refuse(net::Connection& connection, std::string_view bytes, const std::string& why) {
  const wire::SpokenProtocol spoken = wire::recognize_protocol(bytes);
  const std::string what = spoken == wire::SpokenProtocol::tls       ? "speaks TLS: inner_tls is set there, and not here"
                           : spoken == wire::SpokenProtocol::unknown ? "sent what cannot be: " + why
                                                                     : "speaks " + std::string(wire::name_of(spoken)) +
                                                                           ", so it is none; is another program at its address?";
  // One line, and not one with each attempt.
  outage_.begin(loop_.now_ms());
  if (std::exchange(side(connection.tag).complained, true)) {
    loop_.log().debug("the gateway {} {}; the connection is closed", key_.address(), what);
  } else {
    loop_.log().error("the gateway {} {}; the connection is closed", key_.address(), what);
  }
  connection.destroy();
}

}  // namespace gatehouse::link
