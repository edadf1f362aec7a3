#include "churn.h"

#include "clock.h"

namespace loadgen {
namespace {

constexpr const char* kNormalClosure = "\x03\xe8";  // 1000, RFC 6455, section 7.4.1

}  // namespace

void Churn::restart() {
  for (Connection& connection : connections_.all())
    if (!connection.is_open()) setup_.start(connection);
}

void Churn::begin_close(Connection& connection) {
  if (!connection.url->is_websocket || run_.options.abrupt) return finish(connection);
  connection.state = State::closing;
  writer_.send(connection, kNormalClosure, Opcode::close);
}

void Churn::finish(Connection& connection) {
  Statistics& statistics = connections_.statistics();
  connections_.close(connection);
  const std::uint64_t time_ns = now_ns();
  statistics[Count::cycles]++;
  if (!run_.is_measured(time_ns)) return;
  statistics[Count::cycles_measured]++;
  statistics.latency.add(time_ns - connection.started_ns);
}

}  // namespace loadgen
