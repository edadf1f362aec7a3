#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gatehouse::net {

/// Follows what a client says in the clear in a handshake of TLS, as far as it takes to know when its first ClientHello is whole,
/// and that none is larger than kMost. OpenSSL would take memory for as much as a header claims, up to 131,396 bytes, before any
/// of that has come, and holds some 46 KB for a connection from its first byte on.
///
///     record (RFC 8446, 5.1)     | 22 | 3 | x | length, 2 bytes | content ...
///     message (RFC 8446, 4)                                     | 1 | length, 3 bytes | ClientHello ...
///
/// So the size is known with the ninth byte, unless a peer cuts that header into several records, which is allowed.
class TlsHello {
 public:
  static constexpr std::size_t kMost = 16 * 1024;  // bytes, with its header; honest ones have 200 to 2,000

  /// The next bytes of the peer, cut anywhere.
  void take(std::string_view bytes);
  /// From now on what follows a change_cipher_spec is encrypted, as in TLS 1.2. In TLS 1.3 it is followed by a second ClientHello
  /// (RFC 8446, 4.1.4 and D.4), or by records of another type.
  void expect_change_of_ciphers() { is_12_ = true; }

  enum class State : std::uint8_t {
    need_more,
    whole,       // the first ClientHello is there
    noise,       // what came is no TLS of today: OpenSSL says what it is, with kNamed bytes of it
    unexpected,  // TLS that does not begin with a ClientHello, or not with one of TLS
    too_big,     // a ClientHello says that it is larger than kMost
  };
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_whole() const { return state_ == State::whole; }
  [[nodiscard]] bool is_too_big() const { return state_ == State::too_big; }

  static constexpr std::size_t kNamed = 11;

 private:
  static constexpr std::size_t kRecordHeader = 5;
  static constexpr std::size_t kMessageHeader = 4;

  bool take_record_header(std::string_view& bytes);
  void take_content(std::string_view content);
  /// Only a first message can be noise: behind it, it is OpenSSL's concern.
  void give_up(State why);

  std::array<std::uint8_t, kRecordHeader> record_{};
  std::array<std::uint8_t, kMessageHeader> message_{};
  std::uint8_t record_header_size_ = 0;
  std::uint8_t message_header_size_ = 0;
  std::uint32_t record_left_ = 0;
  std::uint32_t message_left_ = 0;
  State state_ = State::need_more;
  bool is_12_ = false;
  bool is_blind_ = false;  // what comes now cannot be read, or is not worth it
};

}  // namespace gatehouse::net
