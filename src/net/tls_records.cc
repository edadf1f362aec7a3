#include "net/tls_records.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <string>

namespace gatehouse::net {
namespace {

constexpr std::uint8_t kKeyUpdate = 24;  // messages of the handshake's kind (RFC 8446, 4)
constexpr std::uint8_t kNewSessionTicket = 4;
constexpr std::uint8_t kHelloRequest = 0;   // RFC 5246, 7.4.1.1
constexpr std::uint8_t kUserCanceled = 90;  // an alert that says nothing (RFC 8446, 6.1)
constexpr std::uint8_t kWarning = 1;
constexpr std::uint8_t kFatal = 2;
constexpr std::size_t kExplicitNonceSize = 8;
constexpr std::size_t kSaltSize = 4;
// AES-GCM is good for 2^24.5 full records under one key (RFC 8446, 5.5).
constexpr std::uint64_t kMostRecordsOfAKey = std::uint64_t{1} << 23;

const std::uint8_t* as_bytes(const char* text) { return reinterpret_cast<const std::uint8_t*>(text); }  // NOLINT: OpenSSL's bytes
std::uint8_t* as_bytes(char* text) { return reinterpret_cast<std::uint8_t*>(text); }                    // NOLINT

std::size_t load_size(std::string_view bytes, std::size_t at) {
  return (static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[at])) << 8) | static_cast<std::uint8_t>(bytes[at + 1]);
}

void store_size(char* out, std::size_t size) {
  out[0] = static_cast<char>(size >> 8);
  out[1] = static_cast<char>(size & 0xff);
}

void store_be64(std::uint8_t* out, std::uint64_t value) {
  for (int i = 7; i >= 0; --i, value >>= 8) out[i] = static_cast<std::uint8_t>(value);
}

/// HKDF-Expand-Label with an empty context (RFC 8446, 7.1), for results of one block of the hash at most.
void expand_label(bool sha384, const std::uint8_t* secret, std::string_view label, std::uint8_t* out, std::size_t size) {
  std::string info(2, '\0');
  store_size(info.data(), size);
  info += static_cast<char>(6 + label.size());
  info += "tls13 ";
  info += label;
  info += '\0';    // the context's length
  info += '\x01';  // the number of the block (RFC 5869, 2.3)
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> block{};
  unsigned int block_size = 0;
  HMAC(sha384 ? EVP_sha384() : EVP_sha256(), secret, sha384 ? 48 : 32, as_bytes(info.data()), info.size(), block.data(),
       &block_size);
  assert(size <= block_size);
  std::memcpy(out, block.data(), size);
  OPENSSL_cleanse(block.data(), block.size());
}

/// An alert that ended the connection, for the log.
const char* name_of(std::uint8_t alert) {
  constexpr std::uint8_t kCertificateRequired = 116;  // which OpenSSL 3.0 has no name for
  return alert == kCertificateRequired ? "certificate required" : SSL_alert_desc_string_long(alert);
}

TlsRecords::Opened failed(TlsRecords::Opened opened, TlsAlert alert, const char* problem) {
  opened.kind = TlsRecords::Kind::failure;
  opened.size = 0;
  opened.alert = alert;
  opened.problem = problem;
  return opened;
}

}  // namespace

TlsRecords::TlsRecords(TlsCiphers& ciphers, const TlsAgreement& agreement)
    : ciphers_(ciphers),
      read_(agreement.read),
      write_(agreement.write),
      aead_(agreement.aead),
      most_plain_(agreement.most_plain),
      is_13_(agreement.is_13),
      is_sha384_(agreement.is_sha384),
      is_server_(agreement.is_server) {
  for (Direction* each : {&read_, &write_}) {
    each->key_id = ciphers_.new_key_id();
    if (is_13_) derive(*each);
  }
}

TlsAgreement::Direction::~Direction() {
  OPENSSL_cleanse(secret.data(), secret.size());
  OPENSSL_cleanse(key.data(), key.size());
  OPENSSL_cleanse(iv.data(), iv.size());
}

void TlsRecords::derive(Direction& direction) {
  expand_label(is_sha384_, direction.secret.data(), "key", direction.key.data(), key_size(aead_));
  expand_label(is_sha384_, direction.secret.data(), "iv", direction.iv.data(), direction.iv.size());
}

void TlsRecords::update_secret(Direction& direction) {
  std::array<std::uint8_t, 48> next{};
  expand_label(is_sha384_, direction.secret.data(), "traffic upd", next.data(), is_sha384_ ? 48 : 32);
  direction.secret = next;
  OPENSSL_cleanse(next.data(), next.size());
  derive(direction);
  direction.sequence = 0;
  direction.key_id = ciphers_.new_key_id();
}

std::size_t TlsRecords::overhead() const { return kTagSize + (is_13_ ? 1 : 0) + (has_explicit_nonce() ? kExplicitNonceSize : 0); }

std::size_t TlsRecords::sealed_size(std::size_t size) const { return kHeaderSize + overhead() + size; }

namespace {

/// The nonce of TLS 1.3 and of ChaCha20 in TLS 1.2: the sequence number over the end of the iv.
std::array<std::uint8_t, 12> nonce_of(const TlsAgreement::Direction& direction) {
  std::array<std::uint8_t, 12> nonce = direction.iv;
  std::array<std::uint8_t, 8> sequence{};
  store_be64(sequence.data(), direction.sequence);
  for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<std::uint8_t>(nonce[4 + i] ^ sequence[i]);
  return nonce;
}

/// What TLS 1.2 authenticates besides the content: sequence number, type, version, length of the plaintext.
std::array<std::uint8_t, 13> additional_data(std::uint64_t sequence, std::uint8_t type, std::size_t size) {
  std::array<std::uint8_t, 13> data{};
  store_be64(data.data(), sequence);
  data[8] = type;
  data[9] = 3;
  data[10] = 3;
  data[11] = static_cast<std::uint8_t>(size >> 8);
  data[12] = static_cast<std::uint8_t>(size & 0xff);
  return data;
}

}  // namespace

void TlsRecords::seal(Type type, const iovec* pieces, std::size_t size, char* out) {
  assert(size <= most_plain_);
  out[0] = static_cast<char>(is_13_ ? Type::data : type);
  out[1] = 3;
  out[2] = 3;
  store_size(out + 3, size + overhead());
  EVP_CIPHER_CTX* context = ciphers_.sealing(aead_, write_.key.data(), write_.key_id);
  std::array<std::uint8_t, kNonceSize> nonce = nonce_of(write_);
  char* body = out + kHeaderSize;
  if (has_explicit_nonce()) {
    std::memcpy(nonce.data(), write_.iv.data(), kSaltSize);
    store_be64(nonce.data() + kSaltSize, write_.sequence);
    std::memcpy(body, nonce.data() + kSaltSize, kExplicitNonceSize);
    body += kExplicitNonceSize;
  }
  int done = EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr);
  int written = 0;
  const auto authenticate = [&](const std::uint8_t* bytes, std::size_t count) {
    done &= EVP_EncryptUpdate(context, nullptr, &written, bytes, static_cast<int>(count));
  };
  const auto encrypt = [&](const std::uint8_t* bytes, std::size_t count) {
    done &= EVP_EncryptUpdate(context, as_bytes(body), &written, bytes, static_cast<int>(count));
    body += written;
  };
  if (is_13_) {
    authenticate(as_bytes(out), kHeaderSize);
  } else {
    const auto data = additional_data(write_.sequence, static_cast<std::uint8_t>(type), size);
    authenticate(data.data(), data.size());
  }
  for (std::size_t left = size; left > 0; ++pieces) {
    const std::size_t count = std::min(left, pieces->iov_len);
    encrypt(static_cast<const std::uint8_t*>(pieces->iov_base), count);
    left -= count;
  }
  const auto inner_type = static_cast<std::uint8_t>(type);
  if (is_13_) encrypt(&inner_type, 1);
  done &= EVP_EncryptFinal_ex(context, as_bytes(body), &written);
  done &= EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagSize, body);
  assert(done == 1);  // nothing of it depends on what peers say
  (void)done;
  // A nonce must not be used twice. TLS 1.2 has no other keys to go on with; 2^64 records take longer than there is time.
  if (++write_.sequence >= kMostRecordsOfAKey && is_13_) update_due_ = true;
}

void TlsRecords::seal(const iovec* pieces, std::size_t size, char* out) { seal(Type::data, pieces, size, out); }

void TlsRecords::seal_alert(TlsAlert alert, char* out) {
  const bool is_warning = alert == TlsAlert::close_notify || alert == TlsAlert::no_renegotiation;
  std::array<std::uint8_t, 2> content = {is_warning ? kWarning : kFatal, static_cast<std::uint8_t>(alert)};
  const iovec piece{content.data(), content.size()};
  seal(Type::alert, &piece, content.size(), out);
}

void TlsRecords::seal_key_update(char* out) {
  // "update_not_requested": the peer changes its keys when it wants to.
  std::array<std::uint8_t, kUpdateSize> content = {kKeyUpdate, 0, 0, 1, 0};
  const iovec piece{content.data(), content.size()};
  seal(Type::handshake, &piece, content.size(), out);
  update_secret(write_);
  update_due_ = false;
}

TlsRecords::Opened TlsRecords::open(std::string_view bytes, char* out) {
  Opened opened;
  if (bytes.size() < kHeaderSize) return opened;
  const auto type = static_cast<Type>(bytes[0]);
  const std::size_t size = load_size(bytes, 3);
  if (size > most_plain_ + (is_13_ ? 256 : overhead()))
    return failed(opened, TlsAlert::record_overflow, "a record over the limit");
  // From here on TLS 1.3 puts everything into records of data, and no other type is left for TLS 1.2 but those of take().
  if (bytes[1] != 3 || (is_13_ && type != Type::data)) {
    return failed(opened, TlsAlert::unexpected_message, "a record that is not encrypted");
  }
  if (size < overhead()) return failed(opened, TlsAlert::bad_record_mac, "a record too short to be encrypted");
  if (bytes.size() < kHeaderSize + size) return opened;
  opened.consumed = kHeaderSize + size;
  if (!decrypt(bytes.substr(0, opened.consumed), out)) {
    return failed(opened, TlsAlert::bad_record_mac, "a record that cannot be decrypted");
  }
  ++read_.sequence;
  std::string_view content(out, size - overhead() + (is_13_ ? 1 : 0));
  Type inner_type = type;
  if (is_13_) {
    // Padding: zeros behind the type, which is the last byte that is none (RFC 8446, 5.4).
    const std::size_t last = content.find_last_not_of('\0');
    if (last == std::string_view::npos) return failed(opened, TlsAlert::unexpected_message, "a record without a type");
    inner_type = static_cast<Type>(content[last]);
    content = content.substr(0, last);
  }
  if (content.size() > most_plain_) return failed(opened, TlsAlert::record_overflow, "a record over the limit");
  return take(inner_type, content, opened);
}

bool TlsRecords::decrypt(std::string_view record, char* out) {
  std::string_view body = record.substr(kHeaderSize);
  std::array<std::uint8_t, kNonceSize> nonce = nonce_of(read_);
  if (has_explicit_nonce()) {
    std::memcpy(nonce.data(), read_.iv.data(), kSaltSize);
    std::memcpy(nonce.data() + kSaltSize, body.data(), kExplicitNonceSize);
    body.remove_prefix(kExplicitNonceSize);
  }
  std::array<char, kTagSize> tag{};
  body.substr(body.size() - kTagSize).copy(tag.data(), kTagSize);
  body.remove_suffix(kTagSize);
  EVP_CIPHER_CTX* context = ciphers_.opening(aead_, read_.key.data(), read_.key_id);
  int written = 0;
  if (EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) != 1) return false;
  if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) != 1) return false;
  const auto data = additional_data(read_.sequence, static_cast<std::uint8_t>(record[0]), body.size());
  const bool authenticated = is_13_
                                 ? EVP_DecryptUpdate(context, nullptr, &written, as_bytes(record.data()), kHeaderSize) == 1
                                 : EVP_DecryptUpdate(context, nullptr, &written, data.data(), static_cast<int>(data.size())) == 1;
  if (!authenticated) return false;
  if (!body.empty() &&
      EVP_DecryptUpdate(context, as_bytes(out), &written, as_bytes(body.data()), static_cast<int>(body.size())) != 1) {
    return false;
  }
  return EVP_DecryptFinal_ex(context, as_bytes(out) + body.size(), &written) == 1;
}

TlsRecords::Opened TlsRecords::take(Type type, std::string_view content, Opened opened) {
  if (type != Type::handshake && (message_header_size_ > 0 || message_left_ > 0)) {
    return failed(opened, TlsAlert::unexpected_message, "a message of the handshake that is interrupted");
  }
  if (type == Type::alert) return take_alert(content, opened);
  if (type == Type::handshake) return take_handshake(content, opened);
  if (type != Type::data) return failed(opened, TlsAlert::unexpected_message, "a record of a type that has no place here");
  if (content.empty() && ++empty_ > kMostEmpty) {
    return failed(opened, TlsAlert::unexpected_message, "too many empty records");
  }
  if (!content.empty()) warnings_ = updates_ = empty_ = 0;
  opened.kind = content.empty() ? Kind::nothing : Kind::data;
  opened.size = content.size();
  return opened;
}

TlsRecords::Opened TlsRecords::take_alert(std::string_view content, Opened opened) {
  if (content.size() != 2) return failed(opened, TlsAlert::decode_error, "an alert that is not two bytes long");
  const auto level = static_cast<std::uint8_t>(content[0]);
  const auto alert = static_cast<std::uint8_t>(content[1]);
  if (alert == static_cast<std::uint8_t>(TlsAlert::close_notify)) {
    opened.kind = Kind::end;
    return opened;
  }
  if (is_13_ ? alert == kUserCanceled : level == kWarning) {
    if (++warnings_ > kMostWarnings) return failed(opened, TlsAlert::unexpected_message, "too many warnings");
    opened.kind = Kind::nothing;
    return opened;
  }
  // close_notify stands for "send none": the peer has ended it.
  return failed(opened, TlsAlert::close_notify, name_of(alert));
}

/// Messages of the handshake's kind that may come later. In TLS 1.3: new keys, and tickets, which are for clients.
TlsRecords::Opened TlsRecords::take_handshake(std::string_view content, Opened opened) {
  opened.kind = Kind::nothing;
  if (content.empty()) return failed(opened, TlsAlert::unexpected_message, "an empty record of the handshake");
  while (!content.empty()) {
    if (message_header_size_ < message_header_.size()) {
      message_header_[message_header_size_++] = static_cast<std::uint8_t>(content.front());
      content.remove_prefix(1);
      if (message_header_size_ < message_header_.size()) continue;
      message_left_ = (std::uint32_t{message_header_[1]} << 16) | (std::uint32_t{message_header_[2]} << 8) | message_header_[3];
      const std::uint8_t type = message_header_[0];
      if (!is_13_ && !is_server_ && type == kHelloRequest && message_left_ == 0 && ++warnings_ <= kMostWarnings) {
        message_header_size_ = 0;  // may be ignored (RFC 5246, 7.4.1.1)
        continue;
      }
      if (!is_13_) return failed(opened, TlsAlert::no_renegotiation, "it wants to negotiate anew, which is refused");
      const bool is_update = type == kKeyUpdate;
      if (is_update && message_left_ != 1) return failed(opened, TlsAlert::decode_error, "a malformed change of keys");
      if (!is_update && (type != kNewSessionTicket || is_server_)) {
        return failed(opened, TlsAlert::unexpected_message, "a message of the handshake after its end");
      }
    }
    const std::size_t count = std::min<std::size_t>(message_left_, content.size());
    if (count > 0) message_byte_ = static_cast<std::uint8_t>(content[count - 1]);
    content.remove_prefix(count);
    message_left_ -= static_cast<std::uint32_t>(count);
    if (message_left_ == 0) opened = take_message_end(content.empty(), opened);
    if (opened.kind == Kind::failure) break;
  }
  return opened;
}

TlsRecords::Opened TlsRecords::take_message_end(bool is_last, Opened opened) {
  message_header_size_ = 0;
  if (message_header_[0] != kKeyUpdate) return opened;
  // The keys change with the next record, so nothing may stand behind it in this one (RFC 8446, 5.1).
  if (!is_last) return failed(opened, TlsAlert::unexpected_message, "more behind the message that changes keys");
  if (++updates_ > kMostUpdates) return failed(opened, TlsAlert::unexpected_message, "too many changes of keys");
  if (message_byte_ > 1) return failed(opened, TlsAlert::decode_error, "a malformed change of keys");
  // Answered with the next record that is sealed, once for however many there were (RFC 8446, 4.6.3).
  if (message_byte_ == 1) update_due_ = true;
  update_secret(read_);
  return opened;
}

}  // namespace gatehouse::net
