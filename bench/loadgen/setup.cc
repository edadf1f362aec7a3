#include "setup.h"

#include <algorithm>

#include "clock.h"
#include "handshake.h"

namespace loadgen {
namespace {

/// Between two bursts the replies of the earlier connections are read.
constexpr std::size_t kBurst = 64;
constexpr std::uint64_t kCheckIntervalNs = 250 * kMillisecondNs;

}  // namespace

Setup::Setup(RunState& run, Connections& connections, MessageWriter& writer, EchoTraffic& echo, Random& random, double ramp)
    : run_(run), connections_(connections), writer_(writer), echo_(echo), random_(random), ramp_(ramp) {}

void Setup::start_more(std::uint64_t time_ns) {
  if (ramp_start_ns_ == 0) ramp_start_ns_ = time_ns;
  std::vector<Connection>& all = connections_.all();
  std::size_t allowed = all.size();
  if (ramp_ > 0) allowed = std::min(allowed, static_cast<std::size_t>(to_seconds(time_ns - ramp_start_ns_) * ramp_) + 1);
  for (std::size_t i = 0; i < kBurst && next_to_start_ < allowed; i++) {
    if (connections_.being_set_up() >= run_.options.inflight) return;
    start(all[next_to_start_++]);
  }
}

std::uint64_t Setup::wait_ns() const {
  if (connections_.being_set_up() >= run_.options.inflight) return kMillisecondNs;
  return ramp_ > 0 ? kMillisecondNs / 2 : 0;
}

void Setup::check_timeouts(std::uint64_t time_ns) {
  if (time_ns - last_check_ns_ < kCheckIntervalNs) return;
  last_check_ns_ = time_ns;
  const std::uint64_t timeout_ns = to_ns(run_.options.timeout_s);
  for (Connection& connection : connections_.all()) {
    const bool is_waiting = connection.is_setting_up() || connection.state == State::closing;
    // A connection may have begun after `time_ns` was taken.
    if (connection.is_open() && is_waiting && time_ns > connection.started_ns && time_ns - connection.started_ns > timeout_ns)
      connections_.fail(connection, Count::timed_out, "no answer in time");
  }
}

void Setup::start(Connection& connection) {
  if (connections_.connect(connection)) begin_handshake(connection);
}

void Setup::finish_connect(Connection& connection, bool is_writable) {
  if (connections_.finish_connect(connection, is_writable)) begin_handshake(connection);
}

void Setup::begin_handshake(Connection& connection) {
  if (!connection.url->is_websocket) return open(connection);
  connection.handshake_seed = mix(random_.next() ^ connection.started_ns ^ connection.id);
  connection.state = State::handshaking;
  connections_.send(connection, handshake_request(*connection.url, connection.handshake_seed));
}

bool Setup::take_handshake(Connection& connection, std::string_view bytes, std::string& rest) {
  connection.input.append(bytes);
  const HandshakeReply reply = read_handshake_reply(connection.input, connection.handshake_seed);
  switch (reply.state) {
    case HandshakeReply::State::partial: return false;
    case HandshakeReply::State::refused:
      connections_.fail(connection, Count::handshake_failed, reply.problem.c_str());
      return false;
    case HandshakeReply::State::accepted: break;
  }
  rest = connection.input.substr(reply.size);
  connection.input.clear();
  connection.input.shrink_to_fit();
  open(connection);
  return true;
}

void Setup::open(Connection& connection) {
  const Options& options = run_.options;
  if (connection.is_publisher) return connections_.mark_up(connection);
  if (!options.hello.empty()) writer_.send(connection, options.hello);
  if (!connection.is_open()) return;
  if (options.mode == Mode::fanout && options.join) {
    connection.state = State::joining;
    writer_.send(connection, "J" + options.group);
  } else if (options.mode == Mode::churn || (options.mode == Mode::idle && options.touch)) {
    connection.state = State::touching;
    writer_.discard_batch();
    echo_.append(connection, now_ns());
    writer_.send_batch(connection);
  } else {
    connections_.mark_up(connection);
  }
}

void Setup::take_join_reply(Connection& connection, std::string_view message) {
  if (message == "j")
    connections_.mark_up(connection);
  else
    connections_.fail(connection, Count::protocol_error, "another reply than 'j' to a join");
}

bool Setup::take_touch_reply(Connection& connection, std::string_view message) {
  if (!run_.options.hello.empty() && !message.starts_with('E')) {  // the answer to --hello, if there is one, is not known
    connections_.statistics()[Count::unsolicited]++;
    return false;
  }
  if (!echo_.check(connection, message)) {
    connections_.close(connection);
    return false;
  }
  connection.received++;
  return true;
}

}  // namespace loadgen
