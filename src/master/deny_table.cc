#include "master/deny_table.h"

#include <algorithm>
#include <utility>

namespace gatehouse::master {
namespace {

// Of the longest ranges, in one line of the control channel (JsonLines::kMaxLineSize).
constexpr std::size_t kRangesInMessage = 1000;

nlohmann::ordered_json pair_of(const net::AddressRange& range, std::optional<std::chrono::milliseconds> time) {
  return nlohmann::ordered_json::array(
      {range.to_string(), time ? nlohmann::ordered_json(time->count()) : nlohmann::ordered_json(nullptr)});
}

}  // namespace

DenyTable::DenyTable(net::Loop& loop, std::function<void(const net::AddressRange& range)> on_over)
    : loop_(loop), on_over_(std::move(on_over)) {}

DenyTable::~DenyTable() { loop_.cancel(timer_); }

bool DenyTable::add(const net::AddressRange& range, std::optional<std::chrono::milliseconds> time) {
  const auto until_ms = time ? std::optional(loop_.now_ms() + static_cast<std::uint64_t>(time->count())) : std::nullopt;
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.range == range; });
  if (found != entries_.end()) {
    found->until_ms = until_ms;
  } else if (entries_.size() < kMostRanges) {
    entries_.push_back({range, until_ms});
  } else {
    return false;
  }
  wait_for_next();
  return true;
}

bool DenyTable::remove(const net::AddressRange& range) {
  const bool found = std::erase_if(entries_, [&](const Entry& entry) { return entry.range == range; }) > 0;
  wait_for_next();
  return found;
}

std::optional<net::AddressRange> DenyTable::covering(const net::AddressRange& range) const {
  std::optional<net::AddressRange> narrowest;
  for (const Entry& entry : entries_) {
    if (entry.range.bits > range.bits || net::prefix_of(range.first, entry.range.bits) != entry.range.first) continue;
    if (!narrowest || narrowest->bits < entry.range.bits) narrowest = entry.range;
  }
  return narrowest;
}

std::optional<std::chrono::milliseconds> DenyTable::left(const Entry& entry) const {
  if (!entry.until_ms) return std::nullopt;
  return std::chrono::milliseconds(*entry.until_ms > loop_.now_ms() ? *entry.until_ms - loop_.now_ms() : 0);
}

nlohmann::ordered_json DenyTable::list() const {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Entry& entry : entries_) {
    nlohmann::ordered_json seconds = nullptr;
    if (const auto time = left(entry)) seconds = std::chrono::ceil<std::chrono::seconds>(*time).count();
    list.push_back({{"range", entry.range.to_string()}, {"seconds_left", std::move(seconds)}});
  }
  return list;
}

nlohmann::ordered_json DenyTable::message(const net::AddressRange& range, std::optional<std::chrono::milliseconds> time) {
  return {{"ranges", nlohmann::ordered_json::array({pair_of(range, time)})}};
}

std::vector<nlohmann::ordered_json> DenyTable::messages() const {
  std::vector<nlohmann::ordered_json> messages;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (i % kRangesInMessage == 0) messages.push_back({{"ask", "deny"}, {"ranges", nlohmann::ordered_json::array()}});
    messages.back()["ranges"].push_back(pair_of(entries_[i].range, left(entries_[i])));
  }
  return messages;
}

void DenyTable::wait_for_next() {
  loop_.cancel(timer_);
  std::optional<std::uint64_t> next_ms;
  for (const Entry& entry : entries_) {
    if (entry.until_ms && (!next_ms || *entry.until_ms < *next_ms)) next_ms = entry.until_ms;
  }
  if (!next_ms) return;
  const std::uint64_t wait_ms = *next_ms > loop_.now_ms() ? *next_ms - loop_.now_ms() : 0;
  timer_ = loop_.after(std::chrono::milliseconds(wait_ms), [this] { drop_expired(); });
}

void DenyTable::drop_expired() {
  std::vector<net::AddressRange> over;
  std::erase_if(entries_, [&](const Entry& entry) {
    const bool is_over = entry.until_ms && *entry.until_ms <= loop_.now_ms();
    if (is_over) over.push_back(entry.range);
    return is_over;
  });
  wait_for_next();
  for (const net::AddressRange& range : over) on_over_(range);
}

}  // namespace gatehouse::master
