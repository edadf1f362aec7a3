#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/out_queue.h"
#include "net/timer_wheel.h"
#include "net/tls_handshake.h"
#include "net/tls_records.h"

namespace gatehouse::net {

/// The encryption of one connection: first its handshake, then its records. Bytes in, bytes out; the loop moves them
/// (loop_tls.cc). When idle it is a block of about 400 bytes, and nothing else.
class TlsSession {
 public:
  /// The least that open() must have room for, besides what it has kept: a record.
  static constexpr std::size_t kLeastRoom = 2 * TlsRecords::kMostRecord;

  TlsSession(const TlsContext& context, TlsHandshake::Role role);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  [[nodiscard]] bool is_server() const { return is_server_; }
  [[nodiscard]] bool is_established() const { return records_.has_value(); }
  /// OpenSSL has its part of the handshake in hand. For a client's connection nothing is taken before its ClientHello is there
  /// and a slot is free: begin().
  [[nodiscard]] bool has_begun() const { return opening_ == nullptr || opening_->handshake != nullptr; }
  /// The first step has been taken, so the connection stands.
  [[nodiscard]] bool is_reached() const { return reached_; }
  [[nodiscard]] std::string_view problem() const { return problem_ == nullptr ? std::string_view() : *problem_; }

  // The handshake.
  /// REQUIRES: not established.
  void feed(std::string_view received) {
    has_begun() ? opening_->handshake->feed(received) : void(opening_->kept.append(received));
  }
  /// What was fed before begin().
  [[nodiscard]] std::string_view kept() const { return opening_->kept; }
  /// REQUIRES: not established.
  [[nodiscard]] const std::shared_ptr<TlsSlots>& slots() const { return opening_->slots; }
  /// Takes `slot` of slots(), until the handshake is done or given up.
  void begin(std::uint64_t slot);
  /// The connection is about to end: what the handshake holds goes, and with it the slot.
  void give_up();
  /// Appends what there is to send to `out`.
  TlsHandshake::Status step(TlsCiphers& ciphers, OutQueue& out);

  // The records. REQUIRES: established.
  /// What was received and is not a whole record yet: the next bytes stand behind it.
  [[nodiscard]] const std::string& unread() const { return unread_; }
  /// Without what has come with the handshake and waits for take_first().
  [[nodiscard]] std::size_t partial_record_bytes() const { return has_first_ ? 0 : unread_.size(); }
  /// Opens the whole records at the front of `bytes`, which begin with unread(), and keeps the rest. Returns the size of what is
  /// in them; `out` has room for as many bytes as `bytes` are.
  std::size_t open(std::string_view bytes, char* out);
  /// What stood behind the handshake, once.
  [[nodiscard]] std::optional<std::string> take_first();
  /// The peer has said that it says no more.
  [[nodiscard]] bool is_ended() const { return ended_; }
  /// open() found what cannot be; problem() says what.
  [[nodiscard]] bool is_failed() const { return problem_ != nullptr; }
  void fail(std::string problem) { problem_ = std::make_unique<std::string>(std::move(problem)); }

  /// From now on close_notify follows what is queued.
  void say_end() { end_due_ = true; }
  /// Moves bytes from `plain`, which may be null, to `out` until `most` are there; then what is to be said at the end.
  void seal(OutQueue* plain, OutQueue& out, std::size_t most);
  [[nodiscard]] bool has_to_say_end() const { return end_due_ && !end_said_; }

  OutQueue* sealed = nullptr;  // of the loop's pool, while there is something
  TimerId deadline;            // of the handshake
  std::uint32_t handshakes_per_s = 0;
  bool is_waiting = false;  // in the loop's HandshakeQueue
  bool was_counted = false;
  bool is_in_line = false;  // for a slot
  bool has_waited = false;  // in that line, and has come to its front

 private:
  /// What is needed until the handshake is done.
  struct Opening {
    Opening(std::shared_ptr<const TlsGeneration> of, std::shared_ptr<TlsSlots> in)
        : generation(std::move(of)), slots(std::move(in)) {}
    Opening(const Opening&) = delete;
    Opening& operator=(const Opening&) = delete;
    ~Opening() { slots->give_back(slot); }

    std::shared_ptr<const TlsGeneration> generation;
    std::shared_ptr<TlsSlots> slots;
    std::uint64_t slot = 0;
    std::unique_ptr<TlsHandshake> handshake;
    std::string kept;
  };
  void seal_record(OutQueue& plain, OutQueue& out);

  std::unique_ptr<Opening> opening_;  // until it is done
  std::optional<TlsRecords> records_;
  std::string unread_;
  std::unique_ptr<std::string> problem_;
  TlsAlert alert_ = TlsAlert::close_notify;  // for a failure
  bool is_server_;
  bool reached_ = false;
  bool has_first_ = false;
  bool ended_ = false;
  bool end_due_ = false;
  bool end_said_ = false;
};

}  // namespace gatehouse::net
