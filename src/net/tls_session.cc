#include "net/tls_session.h"

#include <algorithm>
#include <array>
#include <utility>

namespace gatehouse::net {
namespace {

constexpr int kMostPiecesOfARecord = 64;

}  // namespace

TlsSession::TlsSession(const TlsContext& context, TlsHandshake::Role role)
    : handshakes_per_s(context.settings().handshakes_per_s),
      opening_(std::make_unique<Opening>(context.generation(), context.slots())),
      is_server_(role == TlsHandshake::Role::server) {
  if (!is_server_) opening_->handshake = std::make_unique<TlsHandshake>(opening_->generation, role);
}

void TlsSession::begin(std::uint64_t slot) {
  opening_->slot = slot;
  opening_->handshake = std::make_unique<TlsHandshake>(opening_->generation, TlsHandshake::Role::server);
  opening_->handshake->feed(std::exchange(opening_->kept, {}));
}

void TlsSession::give_up() {
  if (opening_ == nullptr) return;
  opening_->handshake.reset();
  opening_->slots->give_back(std::exchange(opening_->slot, 0));
}

TlsHandshake::Status TlsSession::step(TlsCiphers& ciphers, OutQueue& out) {
  reached_ = true;
  TlsHandshake& handshake = *opening_->handshake;
  const TlsHandshake::Status status = handshake.step();
  out.append(handshake.take_output());
  if (status == TlsHandshake::Status::failed) fail(handshake.problem());
  if (status != TlsHandshake::Status::done) return status;
  records_.emplace(ciphers, handshake.agreement());
  unread_ = handshake.take_rest();
  has_first_ = !unread_.empty();
  opening_.reset();
  return status;
}

std::optional<std::string> TlsSession::take_first() {
  if (!std::exchange(has_first_, false)) return std::nullopt;
  return std::exchange(unread_, {});
}

std::size_t TlsSession::open(std::string_view bytes, char* out) {
  std::size_t size = 0;
  while (!bytes.empty() && !ended_ && !is_failed()) {
    const TlsRecords::Opened opened = records_->open(bytes, out + size);
    if (opened.kind == TlsRecords::Kind::need_more) break;
    size += opened.size;
    bytes.remove_prefix(opened.consumed);
    if (opened.kind == TlsRecords::Kind::end) ended_ = true;
    if (opened.kind != TlsRecords::Kind::failure) continue;
    fail(opened.problem);
    alert_ = opened.alert;
    // After the peer's own alert nothing may be said (RFC 8446, 6.2; RFC 5246, 7.2.2).
    end_said_ = opened.alert == TlsAlert::close_notify;
    say_end();
  }
  if (ended_ || is_failed()) bytes = {};
  if (bytes.empty() && unread_.capacity() > 0) {
    std::string().swap(unread_);
  } else if (!bytes.empty()) {
    unread_.assign(bytes);
  }
  return size;
}

void TlsSession::seal(OutQueue* plain, OutQueue& out, std::size_t most) {
  while (plain != nullptr && !plain->empty() && out.bytes() < most) {
    if (records_->is_update_due()) records_->seal_key_update(out.grow(records_->update_size()));
    seal_record(*plain, out);
  }
  const bool is_empty = plain == nullptr || plain->empty();
  if (!is_empty || !has_to_say_end()) return;
  end_said_ = true;
  records_->seal_alert(alert_, out.grow(records_->alert_size()));
}

void TlsSession::seal_record(OutQueue& plain, OutQueue& out) {
  std::array<iovec, kMostPiecesOfARecord> pieces;  // NOLINT(cppcoreguidelines-pro-type-member-init): gather fills it
  const int count = plain.gather(pieces.data(), kMostPiecesOfARecord);
  const std::size_t most = records_->most_plain();
  std::size_t size = 0;
  for (int i = 0; i < count && size < most; ++i) size += pieces[static_cast<std::size_t>(i)].iov_len;
  size = std::min(size, most);
  records_->seal(pieces.data(), size, out.grow(records_->sealed_size(size)));
  plain.consume(size);
}

}  // namespace gatehouse::net
