#include "net/handshake_queue.h"

#include <algorithm>

namespace gatehouse::net {
namespace {

constexpr std::uint64_t kOne = 1000;  // a token, in thousandths

std::uint64_t most_tokens(std::uint32_t per_s) { return std::max<std::uint64_t>(kOne, std::uint64_t{per_s} * kOne / 10); }

}  // namespace

bool HandshakeQueue::add_new(ConnectionId id, std::uint32_t per_s, std::uint64_t now_ms) {
  if (per_s == 0) {
    add(id);
    return false;
  }
  if (per_s_ == 0) {
    filled_at_ms_ = now_ms;
    tokens_milli_ = most_tokens(per_s);
  }
  per_s_ = per_s;
  new_.push_back(id);
  refill(now_ms);
  return tokens_milli_ < new_.size() * kOne;
}

void HandshakeQueue::refill(std::uint64_t now_ms) {
  const std::uint64_t passed_ms = std::min<std::uint64_t>(now_ms - filled_at_ms_, 1000);
  filled_at_ms_ = now_ms;
  tokens_milli_ = std::min(most_tokens(per_s_), tokens_milli_ + passed_ms * per_s_);
}

std::optional<ConnectionId> HandshakeQueue::take(std::uint64_t now_ms) {
  std::deque<ConnectionId>* from = &begun_;
  taken_milli_ = 0;
  if (begun_.empty() && !new_.empty()) {
    refill(now_ms);
    if (tokens_milli_ < kOne) return std::nullopt;
    tokens_milli_ -= taken_milli_ = kOne;
    from = &new_;
  }
  if (from->empty()) return std::nullopt;
  const ConnectionId id = from->front();
  from->pop_front();
  return id;
}

int HandshakeQueue::wait_ms(std::uint64_t now_ms) const {
  if (!begun_.empty()) return 0;
  if (new_.empty()) return -1;
  const std::uint64_t there = tokens_milli_ + (now_ms - filled_at_ms_) * per_s_;
  return there >= kOne ? 0 : static_cast<int>((kOne - there + per_s_ - 1) / per_s_);
}

}  // namespace gatehouse::net
