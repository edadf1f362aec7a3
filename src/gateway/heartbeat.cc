#include "gateway/heartbeat.h"

#include <algorithm>
#include <utility>

namespace gatehouse::gateway {
namespace {

constexpr std::uint64_t kSliceMs = 100;
constexpr std::uint64_t kMostSlices = 256;

}  // namespace

Heartbeat::Heartbeat(net::Loop& loop, ClientTable& table, Clients& clients, Settings settings)
    : loop_(loop), table_(table), clients_(clients), settings_(std::move(settings)) {}

void Heartbeat::start() {
  if (settings_.interval_ms == 0) return;
  const std::uint64_t tick_ms =
      settings_.not_response_limit > 0 ? std::max<std::uint64_t>(settings_.interval_ms / 2, 1) : settings_.interval_ms;
  slices_ = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(tick_ms / kSliceMs, 1, kMostSlices));
  loop_.every(std::chrono::milliseconds(tick_ms / slices_), [this] { visit_slice(); });
}

void Heartbeat::visit_slice() {
  Clients::Broadcast ping(clients_, settings_.data, false, false);
  // Every slices_-th client belongs to a slice, so a table that grows in between moves nobody to another one.
  for (std::uint32_t client = slice_; client < table_.capacity(); client += slices_) {
    if (table_[client].id != 0) visit(client, table_[client], ping);
  }
  slice_ = (slice_ + 1) % slices_;
  clients_.end_slow_consumers();
}

void Heartbeat::visit(std::uint32_t client, ClientRecord& record, Clients::Broadcast& ping) {
  const net::Connection* connection = loop_.find(record.connection);
  // Not read from, for the workers' sake: its silence is ours.
  if (connection == nullptr || connection->is_paused()) return;
  const int limit = settings_.not_response_limit;
  if (limit > 0 && record.silent_ticks >= 2 * limit) {
    clients_.close(client, CloseReason::Cause::heartbeat, wire::close_code::kGoingAway, "heartbeat timeout");
    return;
  }
  if (record.silent_ticks < 32'000) ++record.silent_ticks;
  const bool due = record.silent_ticks != 0 && !(limit > 0 && record.silent_ticks % 2 == 1);
  if (!settings_.data.empty() && due && record.stage == ClientRecord::Stage::open) ping.to(client);
}

}  // namespace gatehouse::gateway
