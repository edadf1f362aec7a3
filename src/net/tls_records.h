#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/tls_ciphers.h"

namespace gatehouse::net {

/// Alerts that are sent from here (RFC 8446, 6; RFC 5246, 7.2).
enum class TlsAlert : std::uint8_t {
  close_notify = 0,
  unexpected_message = 10,
  bad_record_mac = 20,
  record_overflow = 22,
  decode_error = 50,
  no_renegotiation = 100,
};

/// What a handshake has agreed on, as far as records need it.
struct TlsAgreement {
  /// One direction. TLS 1.3 gives the secret, from which key and iv follow; TLS 1.2 gives key and iv.
  struct Direction {
    std::array<std::uint8_t, 48> secret{};
    std::array<std::uint8_t, 32> key{};
    std::array<std::uint8_t, 12> iv{};  // of AES-GCM in TLS 1.2 the first 4 bytes
    std::uint64_t sequence = 0;         // of the next record
    std::uint64_t key_id = 0;

    Direction() = default;
    Direction(const Direction&) = default;
    Direction& operator=(const Direction&) = default;
    /// Wipes the keys.
    ~Direction();
  };
  Direction read;
  Direction write;
  TlsAead aead = TlsAead::aes_128_gcm;
  bool is_13 = false;
  bool is_sha384 = false;  // the hash of TLS 1.3's secrets; SHA-256 else
  bool is_server = true;
  /// Of the plaintext of a record. Less than 16 KB when the client has asked for that (max_fragment_length, RFC 6066, 4).
  std::uint16_t most_plain = 16 * 1024;
};

/// Protects and opens the records of one connection after its handshake: TLS 1.3 (RFC 8446, 5) and the AEAD suites of TLS 1.2
/// (RFC 5246, 6.2.3.3; RFC 5288; RFC 7905). Bytes in, bytes out: no socket, no allocation.
///
/// This is done here and not left to OpenSSL's SSL object because that object holds 13 to 15 KB for each connection (OpenSSL 3.0,
/// measured), of which records need 300 bytes: keys and counters. The handshake is OpenSSL's (TlsHandshake), and so is every
/// cipher.
class TlsRecords {
 public:
  static constexpr std::size_t kHeaderSize = 5;
  static constexpr std::size_t kMostPlain = 16 * 1024;  // where nothing smaller was agreed on
  /// Of a whole record: TLS 1.3 allows 256 bytes over the plaintext; those of TLS 1.2 with an AEAD have 24 at most.
  static constexpr std::size_t kMostRecord = kHeaderSize + kMostPlain + 256;

  TlsRecords(TlsCiphers& ciphers, const TlsAgreement& agreement);
  TlsRecords(const TlsRecords&) = delete;
  TlsRecords& operator=(const TlsRecords&) = delete;

  enum class Kind : std::uint8_t {
    need_more,  // the record is not whole
    data,       // `size` bytes of the application
    nothing,    // the record was one of the protocol's own
    end,        // close_notify: the peer says no more
    failure,    // the connection cannot go on: `alert` is to be sent; close_notify stands for none, when the peer's own ended it
  };
  struct Opened {
    Kind kind = Kind::need_more;
    std::size_t consumed = 0;  // of the bytes
    std::size_t size = 0;
    TlsAlert alert = TlsAlert::close_notify;
    const char* problem = nullptr;
  };
  /// The record at the front of `bytes`. `out` takes what is in it and must have room for as many bytes as the record has behind
  /// its header. A length that cannot be is refused before the record is there.
  Opened open(std::string_view bytes, char* out);

  /// What one record may hold.
  [[nodiscard]] std::size_t most_plain() const { return most_plain_; }
  /// The size of a record of so many bytes, which are at most most_plain().
  [[nodiscard]] std::size_t sealed_size(std::size_t size) const;
  /// A record of `size` bytes, gathered from the front of `pieces`, written to `out`.
  void seal(const iovec* pieces, std::size_t size, char* out);
  [[nodiscard]] std::size_t alert_size() const { return sealed_size(2); }
  void seal_alert(TlsAlert alert, char* out);
  /// The peer wants new keys, or these have been used enough: seal_key_update() is due before anything else is sealed.
  [[nodiscard]] bool is_update_due() const { return update_due_; }
  [[nodiscard]] std::size_t update_size() const { return sealed_size(kUpdateSize); }
  void seal_key_update(char* out);

  [[nodiscard]] bool is_13() const { return is_13_; }

 private:
  using Direction = TlsAgreement::Direction;
  enum class Type : std::uint8_t { change_cipher_spec = 20, alert = 21, handshake = 22, data = 23 };
  static constexpr std::size_t kUpdateSize = 5;
  static constexpr std::size_t kTagSize = 16;
  static constexpr std::size_t kNonceSize = 12;
  static constexpr std::uint8_t kMostWarnings = 5;  // without data between them, as OpenSSL's own limit; so the next one:
  static constexpr std::uint8_t kMostUpdates = 32;  // each is small to send and costs three hashes and a key
  // They hide how much is said (RFC 8446, 5.1), but cost as much as a small message, and no limit of messages sees them. OpenSSL
  // takes as many.
  static constexpr std::uint8_t kMostEmpty = 32;

  [[nodiscard]] bool has_explicit_nonce() const { return !is_13_ && aead_ != TlsAead::chacha20_poly1305; }
  /// What a record is longer than its plaintext, without the header.
  [[nodiscard]] std::size_t overhead() const;
  void derive(Direction& direction);
  void update_secret(Direction& direction);
  void seal(Type type, const iovec* pieces, std::size_t size, char* out);
  bool decrypt(std::string_view record, char* out);
  Opened take(Type type, std::string_view content, Opened opened);
  Opened take_alert(std::string_view content, Opened opened);
  Opened take_handshake(std::string_view content, Opened opened);
  Opened take_message_end(bool is_last, Opened opened);

  TlsCiphers& ciphers_;
  Direction read_;
  Direction write_;
  // Of a message of the handshake's kind: its header, which may come in pieces, and how much of its body has not come.
  std::array<std::uint8_t, 4> message_header_{};
  std::uint8_t message_header_size_ = 0;
  std::uint8_t message_byte_ = 0;  // the last of the body
  std::uint32_t message_left_ = 0;
  TlsAead aead_;
  std::uint8_t warnings_ = 0;
  std::uint8_t updates_ = 0;
  std::uint8_t empty_ = 0;
  std::uint16_t most_plain_;
  bool is_13_;
  bool is_sha384_;
  bool is_server_;
  bool update_due_ = false;
};

}  // namespace gatehouse::net
