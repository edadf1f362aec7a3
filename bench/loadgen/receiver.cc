#include "receiver.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "clock.h"

namespace loadgen {
namespace {

constexpr std::size_t kBufferSize = 256 << 10;

}  // namespace

Receiver::Receiver(RunState& run, Connections& connections, MessageWriter& writer, EchoTraffic& echo, Setup& setup, Churn& churn,
                   Subscriber& subscriber)
    : mode_(run.options.mode),
      connections_(connections),
      statistics_(connections.statistics()),
      writer_(writer),
      echo_(echo),
      setup_(setup),
      churn_(churn),
      subscriber_(subscriber),
      buffer_(kBufferSize) {}

void Receiver::handle(Connection& connection, std::uint32_t events) {
  if (!connection.is_open()) return;  // closed by an earlier event of the same round
  if (connection.is_connecting) return setup_.finish_connect(connection, (events & EPOLLOUT) != 0);
  if ((events & EPOLLOUT) != 0) connections_.send_rest(connection);
  if (connection.is_open() && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive(connection);
}

void Receiver::receive(Connection& connection) {
  const ssize_t size = recv(connection.fd, buffer_.data(), buffer_.size(), 0);
  if (size < 0) {
    if (errno != EAGAIN && errno != EINTR) connections_.fail(connection, Count::reset, "recv", errno);
    return;
  }
  if (size == 0) return handle_end(connection);
  const std::uint64_t time_ns = now_ns();
  writer_.discard_batch();
  const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(size));
  if (connection.state == State::handshaking) {
    take_handshake(connection, bytes, time_ns);
  } else if (connection.input.empty()) {
    const std::size_t taken = take_input(connection, bytes, time_ns);
    if (connection.is_open() && taken < bytes.size()) connection.input.assign(bytes.substr(taken));
  } else {
    connection.input.append(bytes);
    std::string input = std::exchange(connection.input, {});
    const std::size_t taken = take_input(connection, input, time_ns);
    if (connection.is_open() && taken < input.size()) {
      input.erase(0, taken);
      connection.input = std::move(input);
    }
  }
  writer_.send_batch(connection);
}

void Receiver::handle_end(Connection& connection) {
  if (connection.state == State::closing) {
    statistics_[Count::close_eofs]++;
    churn_.finish(connection);
  } else {
    connections_.fail(connection, Count::closed_by_server, "connection closed by the server");
  }
}

void Receiver::take_handshake(Connection& connection, std::string_view bytes, std::uint64_t time_ns) {
  std::string rest;
  if (!setup_.take_handshake(connection, bytes, rest) || !connection.is_open()) return;
  const std::size_t taken = take_input(connection, rest, time_ns);
  if (connection.is_open() && taken < rest.size()) connection.input = rest.substr(taken);
}

std::size_t Receiver::take_input(Connection& connection, std::string_view input, std::uint64_t time_ns) {
  return connection.url->is_websocket ? take_frames(connection, input, time_ns) : take_lines(connection, input, time_ns);
}

std::size_t Receiver::take_lines(Connection& connection, std::string_view input, std::uint64_t time_ns) {
  std::size_t at = 0;
  while (connection.is_open()) {
    const std::size_t newline = input.find('\n', at);
    if (newline == std::string_view::npos) break;
    const std::string_view line = input.substr(at, newline - at);
    at = newline + 1;
    take_message(connection, line, time_ns);
  }
  return at;
}

std::size_t Receiver::take_frames(Connection& connection, std::string_view input, std::uint64_t time_ns) {
  std::size_t at = 0;
  while (connection.is_open()) {
    Frame frame;
    const char* problem = nullptr;
    const std::string_view rest = input.substr(at);
    const FrameState state = read_frame(rest, frame, problem);
    if (state == FrameState::partial) break;
    if (state == FrameState::broken) {
      refuse(connection, problem);
      break;
    }
    at += frame.size();
    const std::string_view payload = rest.substr(frame.payload_at, frame.payload_size);
    if (frame.is_control())
      take_control_frame(connection, frame.opcode, payload);
    else
      take_data_frame(connection, frame, payload, time_ns);
  }
  return at;
}

void Receiver::take_control_frame(Connection& connection, Opcode opcode, std::string_view payload) {
  switch (opcode) {
    case Opcode::ping: statistics_[Count::pings]++; return writer_.send(connection, payload, Opcode::pong);
    case Opcode::pong: return;
    case Opcode::close:
      if (connection.state == State::closing) {
        statistics_[Count::close_frames]++;
        return churn_.finish(connection);
      }
      return connections_.fail(connection, Count::closed_by_server, "close frame from the server");
    default: return refuse(connection, "unknown opcode");
  }
}

void Receiver::take_data_frame(Connection& connection, const Frame& frame, std::string_view payload, std::uint64_t time_ns) {
  if (frame.opcode == Opcode::continuation) {
    if (!connection.fragments) return refuse(connection, "continuation without a start");
    connection.fragments->append(payload);
    if (!frame.is_final) return;
    const std::unique_ptr<std::string> message = std::move(connection.fragments);
    return take_message(connection, *message, time_ns);
  }
  if (frame.opcode != Opcode::text && frame.opcode != Opcode::binary) return refuse(connection, "unknown opcode");
  if (connection.fragments) return refuse(connection, "new message inside a fragmented one");
  if (frame.is_final)
    take_message(connection, payload, time_ns);
  else
    connection.fragments = std::make_unique<std::string>(payload);
}

void Receiver::take_message(Connection& connection, std::string_view message, std::uint64_t time_ns) {
  if (connection.is_publisher) {
    statistics_[Count::publisher_received]++;
    return;
  }
  switch (connection.state) {
    case State::joining: return setup_.take_join_reply(connection, message);
    case State::touching:
      if (!setup_.take_touch_reply(connection, message)) return;
      return mode_ == Mode::idle ? connections_.mark_up(connection) : churn_.begin_close(connection);
    case State::up:
      if (mode_ == Mode::echo) return echo_.take_reply(connection, message, time_ns);
      if (mode_ == Mode::fanout || mode_ == Mode::all) return subscriber_.take(connection, message, time_ns);
      break;
    default: break;
  }
  statistics_[Count::unsolicited]++;
}

}  // namespace loadgen
