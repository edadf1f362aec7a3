#include "gateway/client_rates.h"

#include <algorithm>

namespace gatehouse::gateway {
namespace {

std::uint64_t ms_until(std::int64_t have_milli, std::int64_t need_milli, std::uint64_t per_s) {
  if (per_s == 0 || have_milli >= need_milli) return 0;
  const auto missing = static_cast<std::uint64_t>(need_milli - have_milli);
  return (missing + per_s - 1) / per_s;
}

}  // namespace

void ClientRates::begin(std::uint32_t client, std::uint64_t now_ms) {
  if (!is_limited()) return;
  if (client >= buckets_.size()) buckets_.resize(std::max<std::size_t>(client + 1, buckets_.size() * 2));
  buckets_[client] = full(now_ms);
}

ClientRates::Bucket ClientRates::full(std::uint64_t now_ms) const {
  return {std::int64_t{settings_.messages_per_s} * 1000, static_cast<std::int64_t>(settings_.bytes_per_s) * 1000, now_ms};
}

void ClientRates::change(Settings settings, std::size_t places, std::uint64_t now_ms) {
  if (settings.messages_per_s == settings_.messages_per_s && settings.bytes_per_s == settings_.bytes_per_s) return;
  settings_ = settings;
  buckets_ = {};
  if (is_limited()) buckets_.assign(places, full(now_ms));
}

ClientRates::Bucket& ClientRates::fill(std::uint32_t client, std::uint64_t now_ms) {
  Bucket& bucket = buckets_[client];
  const auto passed_ms = static_cast<std::int64_t>(std::min<std::uint64_t>(now_ms - bucket.at_ms, 1000 * 1000));
  const auto add = [&](std::int64_t& milli, auto per_s) {
    const auto rate = static_cast<std::int64_t>(per_s);
    milli = std::min(rate * 1000, milli + passed_ms * rate);
  };
  add(bucket.messages_milli, settings_.messages_per_s);
  add(bucket.bytes_milli, settings_.bytes_per_s);
  bucket.at_ms = now_ms;
  return bucket;
}

std::uint64_t ClientRates::wait_ms(std::uint32_t client, std::uint64_t now_ms) {
  const Bucket& bucket = fill(client, now_ms);
  // A message's size is not known beforehand: one may be begun with any byte left, and is paid for afterwards.
  return std::max(ms_until(bucket.messages_milli, 1000, settings_.messages_per_s),
                  ms_until(bucket.bytes_milli, 1, settings_.bytes_per_s));
}

bool ClientRates::spend(std::uint32_t client, std::uint32_t messages, std::size_t bytes, std::uint64_t now_ms) {
  Bucket& bucket = fill(client, now_ms);
  if (settings_.messages_per_s != 0) bucket.messages_milli -= std::int64_t{messages} * 1000;
  if (settings_.bytes_per_s != 0) bucket.bytes_milli -= static_cast<std::int64_t>(bytes) * 1000;
  return bucket.messages_milli >= 0 && bucket.bytes_milli >= 0;
}

bool ClientRates::is_short_of_messages(std::uint32_t client) const {
  return settings_.messages_per_s != 0 && buckets_[client].messages_milli < 1000;
}

}  // namespace gatehouse::gateway
