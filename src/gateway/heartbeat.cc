#include "gateway/heartbeat.h"

#include <algorithm>
#include <utility>

namespace gatehouse::gateway {
namespace {

constexpr std::uint64_t kSliceMs = 100;
constexpr std::uint64_t kMostSlices = 256;

// Who is never ended is counted up to here, and then in turn one less and this, so that its pings go on.
constexpr std::int16_t kMostTicks = 32'000;

std::uint64_t tick_ms(std::uint64_t interval_ms) { return std::max<std::uint64_t>(interval_ms / 2, 1); }

}  // namespace

Heartbeat::Heartbeat(net::Loop& loop, ClientTable& table, Clients& clients, Settings settings)
    : loop_(loop), table_(table), clients_(clients), settings_(std::move(settings)) {}

void Heartbeat::start() {
  if (settings_.interval_ms == 0) return;
  const std::uint64_t tick = tick_ms(settings_.interval_ms);
  slices_ = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(tick / kSliceMs, 1, kMostSlices));
  timer_ = loop_.every(std::chrono::milliseconds(tick / slices_), [this] { visit_slice(); });
}

void Heartbeat::change(Settings settings) {
  const bool same_ticks =
      settings.interval_ms == settings_.interval_ms && (settings.not_response_limit > 0) == (settings_.not_response_limit > 0);
  settings_ = std::move(settings);
  if (same_ticks) return;
  loop_.cancel(timer_);
  slice_ = 0;
  // A silence that was counted in other ticks is not counted against anybody.
  table_.for_each([](std::uint32_t, ClientRecord& record) {
    if (!record.own_heartbeat) record.silent_ticks = -1;
  });
  start();
}

void Heartbeat::set_interval(std::uint32_t client, std::optional<std::uint64_t> interval_ms) {
  ClientRecord& record = table_[client];
  if (record.own_heartbeat) forget(record.id);
  record.own_heartbeat = interval_ms.has_value();
  record.silent_ticks = -1;
  if (!interval_ms) return;
  net::TimerId timer;
  if (*interval_ms > 0) {
    timer = loop_.every(std::chrono::milliseconds(tick_ms(*interval_ms)), [this, id = record.id] { visit_one(id); });
  }
  own_.insert_or_assign(record.id, timer);
}

void Heartbeat::forget(std::uint32_t connection_id) {
  const auto found = own_.find(connection_id);
  if (found == own_.end()) return;
  loop_.cancel(found->second);
  own_.erase(found);
}

void Heartbeat::visit_one(std::uint32_t connection_id) {
  const std::uint32_t client = table_.find(connection_id);
  if (client == ClientTable::kNone) return;
  Clients::Broadcast ping(clients_, settings_.data, false, false);
  visit(client, table_[client], ping);
  clients_.end_slow_consumers();
}

void Heartbeat::visit_slice() {
  Clients::Broadcast ping(clients_, settings_.data, false, false);
  // Every slices_-th client belongs to a slice, so a table that grows in between moves nobody to another one.
  for (std::uint32_t client = slice_; client < table_.capacity(); client += slices_) {
    if (table_[client].id != 0 && !table_[client].own_heartbeat) visit(client, table_[client], ping);
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
  record.silent_ticks = static_cast<std::int16_t>(record.silent_ticks < kMostTicks ? record.silent_ticks + 1 : kMostTicks - 1);
  const bool due = record.silent_ticks % 2 == 1;
  if (!settings_.data.empty() && due && record.stage == ClientRecord::Stage::open) ping.to(client);
}

}  // namespace gatehouse::gateway
