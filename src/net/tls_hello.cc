#include "net/tls_hello.h"

#include <algorithm>

namespace gatehouse::net {
namespace {

constexpr std::uint8_t kChangeCipherSpec = 20;  // types of records
constexpr std::uint8_t kHandshake = 22;
constexpr std::uint8_t kLastType = 23;
constexpr std::uint8_t kSsl2 =
    0x80;  // the highest bit of the length with which SSL 2 begins; OpenSSL still takes it for a beginning
constexpr std::uint8_t kClientHello = 1;               // a message
constexpr std::size_t kMostRecord = 16 * 1024 + 2048;  // of TLS 1.2, encrypted (RFC 5246, 6.2.3)

}  // namespace

void TlsHello::take(std::string_view bytes) {
  while (!bytes.empty() && !is_blind_) {
    if (record_left_ == 0 && !take_record_header(bytes)) continue;
    const std::string_view content = bytes.substr(0, record_left_);
    bytes.remove_prefix(content.size());
    record_left_ -= static_cast<std::uint32_t>(content.size());
    if (record_[0] == kHandshake) take_content(content);
  }
}

void TlsHello::give_up(State why) {
  is_blind_ = true;
  if (state_ == State::need_more || why == State::too_big) state_ = why;
}

/// False when it is not whole, has no content, or is none.
bool TlsHello::take_record_header(std::string_view& bytes) {
  while (record_header_size_ < kRecordHeader && !bytes.empty()) {
    record_[record_header_size_++] = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    // Noise, and older ways to begin, are seen at once: no need to wait for more of them.
    const bool is_type = record_[0] >= kChangeCipherSpec && record_[0] <= kLastType;
    const bool is_unexpected = is_type ? record_[0] != kHandshake && state_ == State::need_more : record_[0] >= kSsl2;
    const bool is_version = record_header_size_ < 2 || record_[1] == 3;
    if (!is_type || !is_version || is_unexpected) {
      give_up(is_unexpected ? State::unexpected : State::noise);
      return false;
    }
  }
  if (record_header_size_ < kRecordHeader) return false;
  record_header_size_ = 0;
  record_left_ = (std::uint32_t{record_[3]} << 8) | record_[4];
  const bool is_encrypted_now = record_[0] == kChangeCipherSpec && is_12_;
  if (record_left_ > kMostRecord || is_encrypted_now) {
    give_up(State::noise);
    return false;
  }
  return record_left_ > 0;
}

void TlsHello::take_content(std::string_view content) {
  while (!content.empty()) {
    if (message_left_ == 0) {
      while (message_header_size_ < kMessageHeader && !content.empty()) {
        message_[message_header_size_++] = static_cast<std::uint8_t>(content.front());
        content.remove_prefix(1);
      }
      if (state_ == State::need_more && message_[0] != kClientHello) return give_up(State::unexpected);
      if (message_header_size_ < kMessageHeader) return;
      message_header_size_ = 0;
      message_left_ = (std::uint32_t{message_[1]} << 16) | (std::uint32_t{message_[2]} << 8) | message_[3];
      if (message_[0] == kClientHello && message_left_ > kMost - kMessageHeader) {
        return give_up(State::too_big);
      }
    }
    const std::size_t count = std::min<std::size_t>(message_left_, content.size());
    content.remove_prefix(count);
    message_left_ -= static_cast<std::uint32_t>(count);
    if (message_left_ == 0) state_ = State::whole;
  }
}

}  // namespace gatehouse::net
