#include "echo_traffic.h"

#include <algorithm>

#include "clock.h"
#include "hex.h"

namespace loadgen {
namespace {

constexpr unsigned kSequenceBits = 40;
constexpr std::size_t kFillerAt = 1 + kHexSize;

/// No two messages of a run have the same.
std::uint64_t tag(const Connection& connection, std::uint64_t sequence) {
  return std::uint64_t{connection.id} << kSequenceBits | (sequence & ((std::uint64_t{1} << kSequenceBits) - 1));
}

}  // namespace

EchoTraffic::EchoTraffic(RunState& run, Connections& connections, MessageWriter& writer, Pace& pace)
    : run_(run),
      connections_(connections),
      statistics_(connections.statistics()),
      writer_(writer),
      pace_(pace),
      size_(run.options.size),
      depth_(run.options.depth),
      is_open_loop_(pace.is_open_loop()),
      message_(size_, 'E') {}

void EchoTraffic::append(Connection& connection, std::uint64_t due_ns) {
  put_hex(&message_[1], tag(connection, connection.sent));
  run_.filler.write(&message_[kFillerAt], size_ - kFillerAt, connection.sent);
  connection.sent_at_ns[connection.sent % depth_] = due_ns;
  connection.sent++;
  statistics_[Count::sent]++;
  writer_.append(connection, message_);
}

bool EchoTraffic::check(const Connection& connection, std::string_view reply) {
  std::uint64_t found = 0;
  if (reply.size() != size_ || reply[0] != 'E' || !get_hex(&reply[1], found))
    return note(Count::mismatch, "echo: reply of another length or form");
  if (found != tag(connection, connection.received))
    return note(Count::disorder, "echo: reply out of order or of another connection");
  if (!run_.filler.matches(reply.substr(kFillerAt), connection.received)) return note(Count::mismatch, "echo: filler differs");
  return true;
}

bool EchoTraffic::note(Count count, const char* problem) {
  statistics_[count]++;
  run_.first_error.note(problem);
  return false;
}

void EchoTraffic::start_closed_loop() {
  for (Connection& connection : connections_.all()) {
    if (connection.state != State::up) continue;
    writer_.discard_batch();
    const std::uint64_t time_ns = now_ns();
    for (std::uint64_t i = 0; i < depth_; i++) append(connection, time_ns);
    writer_.send_batch(connection);
  }
}

void EchoTraffic::take_reply(Connection& connection, std::string_view reply, std::uint64_t time_ns) {
  if (connection.outstanding() == 0) {
    note(Count::duplicate, "echo: more replies than messages");
    return;
  }
  if (!check(connection, reply)) return connections_.close(connection);
  const std::uint64_t due_ns = connection.sent_at_ns[connection.received % depth_];
  connection.received++;
  if (run_.is_measured(time_ns)) {
    statistics_[Count::measured]++;
    statistics_.latency.add(time_ns - due_ns);
  }
  if (!is_open_loop_ && time_ns < run_.window_end_ns) append(connection, time_ns);
}

void EchoTraffic::send_due(std::uint64_t time_ns) {
  while (pace_.next_due_ns() <= time_ns && pace_.next_due_ns() < run_.window_end_ns) {
    Connection* connection = next_free();
    if (connection == nullptr) {
      statistics_[Count::stalls]++;
      return;
    }
    writer_.discard_batch();
    append(*connection, pace_.next_due_ns());
    writer_.send_batch(*connection);
    pace_.advance();
  }
}

Connection* EchoTraffic::next_free() {
  std::vector<Connection>& all = connections_.all();
  for (std::size_t tried = 0; tried < all.size(); tried++) {
    Connection& connection = all[next_];
    if (connection.state == State::up && connection.outstanding() < depth_) {
      next_ = (next_ + 1) % all.size();
      return &connection;
    }
    next_ = (next_ + 1) % all.size();
  }
  return nullptr;
}

bool EchoTraffic::is_outstanding() const {
  return std::ranges::any_of(connections_.all(), [](const Connection& connection) {
    return connection.state == State::up && connection.outstanding() > 0;
  });
}

void EchoTraffic::count_lost() {
  for (const Connection& connection : connections_.all())
    if (connection.state == State::up) statistics_[Count::lost] += connection.outstanding();
}

}  // namespace loadgen
