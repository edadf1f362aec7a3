#include "net/connection.h"

#include "net/loop.h"
#include "net/out_queue.h"
#include "net/socket.h"
#include "net/tls_session.h"

namespace gatehouse::net {

void Connection::send(std::string_view bytes) {
  if (!takes_output()) {
    if (loop_ != nullptr) ++loop_->dropped_sends_;
    return;
  }
  if (!bytes.empty()) loop_->queue_of(*this).append(bytes);
}

void Connection::send(const SharedBytes& bytes, bool is_bulk) {
  if (!takes_output()) {
    if (loop_ != nullptr) ++loop_->dropped_sends_;
    return;
  }
  if (!bytes.empty()) loop_->queue_of(*this, is_bulk).append(bytes);
}

bool Connection::send_message(const SharedBytes& message, std::size_t key_size, bool is_bulk) {
  if (!takes_output()) {
    if (loop_ != nullptr) ++loop_->dropped_sends_;
    return true;
  }
  return message.empty() || loop_->queue_of(*this, is_bulk).append_message(message, key_size);
}

std::size_t Connection::message_overhead() const { return out_ == nullptr ? 0 : out_->message_overhead(); }

std::size_t Connection::keep_latest() { return out_ == nullptr ? 0 : out_->keep_latest(); }

std::size_t Connection::latest_size(std::string_view key) const { return out_ == nullptr ? 0 : out_->latest_size(key); }

bool Connection::drop_oldest_message() { return out_ != nullptr && out_->drop_oldest_message(); }

char* Connection::grow_by_block(std::size_t size) {
  if (!takes_output()) {
    if (loop_ != nullptr) ++loop_->dropped_sends_;
    return nullptr;
  }
  return loop_->queue_of(*this).grow(size);
}

std::size_t Connection::queued_bytes_of_tls() const {
  const std::size_t plain = out_ == nullptr ? 0 : out_->bytes();
  return tls_->sealed == nullptr ? plain : plain + tls_->sealed->bytes();
}

void Connection::start_tls(TlsContext& context) {
  if (state_ == State::open && tls_ == nullptr) loop_->begin_tls(*this, context, false);
}

std::size_t Connection::partial_record_bytes() const { return tls_ == nullptr ? 0 : tls_->partial_record_bytes(); }

std::string_view Connection::tls_problem() const { return tls_ == nullptr ? std::string_view() : tls_->problem(); }

void Connection::flush() {
  if (state_ == State::open && !write_blocked_) loop_->flush(*this);
}

const char* Connection::state_name() const {
  switch (state_) {
    case State::connecting: return "connecting";
    case State::open: return "open";
    case State::flushing:
    case State::lingering: return "closing";
    case State::free:
    case State::dead: break;
  }
  return "closed";
}

ConnectionRow Connection::describe() const {
  ConnectionRow row;
  row.state = state_name();
  row.local_address = local_address(fd_).to_string();
  row.remote_address = peer_.to_string();
  row.unread_bytes = in_size_ + partial_record_bytes();
  row.queued_bytes = queued_bytes();
  row.bytes_received = bytes_received_;
  row.bytes_sent = bytes_sent_;
  row.paused = paused_;
  if (handler_ != nullptr) handler_->describe(*this, row);
  if (tls_ != nullptr) row.protocol += "+tls";
  return row;
}

void Connection::pause() { paused_ = true; }

void Connection::resume() {
  if (!paused_) return;
  paused_ = false;
  resumed_ = true;
  if (state_ == State::open) loop_->read_on_later(*this);
}

void Connection::yield(bool reads_little) {
  if (state_ != State::open) return;
  reads_little_ = reads_little_ || reads_little;
  resumed_ = true;
  loop_->read_on_later(*this);
}

void Connection::close() {
  const bool has_nothing_to_say = tls_ != nullptr && !tls_->is_established() && out_ == nullptr;
  if (state_ == State::connecting || has_nothing_to_say) return destroy();
  if (state_ != State::open) return;
  state_ = State::flushing;
  loop_->limit_closing(*this, loop_->now_ms() + kMostFlushMs);
  loop_->mark_dirty(*this);
}

void Connection::finish() {
  const bool waits_for_handshake = tls_ != nullptr && !tls_->is_established();
  if (state_ != State::open || waits_for_handshake) return close();
  state_ = State::flushing;
  peer_ended_ = true;
  paused_ = true;
  if (!write_blocked_) loop_->flush(*this);
  if (state_ == State::flushing) loop_->limit_closing(*this, loop_->now_ms() + kMostFlushMs);
}

void Connection::destroy() { loop_->end(*this, CloseCause::closed_here, 0); }

}  // namespace gatehouse::net
