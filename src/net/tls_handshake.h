#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/tls_context.h"
#include "net/tls_hello.h"
#include "net/tls_records.h"

namespace gatehouse::net {

/// The handshake of one connection, by OpenSSL. Bytes in, bytes out, as codecs are: it owns no socket. Gone when it has done its
/// work, with everything that OpenSSL holds for a connection.
class TlsHandshake {
 public:
  enum class Role : std::uint8_t { server, client };
  enum class Status : std::uint8_t { again, done, failed };

  TlsHandshake(std::shared_ptr<const TlsGeneration> generation, Role role);
  TlsHandshake(const TlsHandshake&) = delete;
  TlsHandshake& operator=(const TlsHandshake&) = delete;
  ~TlsHandshake();

  /// What a client is told whose ClientHello is too big (TlsHello): the fatal alert illegal_parameter, as OpenSSL would say for
  /// what is larger than it takes itself.
  static constexpr std::string_view kHelloTooBig{"\x15\x03\x03\x00\x02\x02\x2f", 7};
  /// And one that begins with something else: unexpected_message.
  static constexpr std::string_view kUnexpected{"\x15\x03\x03\x00\x02\x02\x0a", 7};
  static constexpr const char* kHelloTooBigProblem = "a ClientHello of more than 16384 bytes";

  /// Bytes that were received; they are looked at by step().
  void feed(std::string_view bytes);
  /// Goes on as far as those bytes allow. What there is to send then (an alert, too, when it has failed) is in take_output().
  Status step();
  [[nodiscard]] std::string take_output() { return std::exchange(output_, {}); }
  /// What was fed and stands behind the handshake. REQUIRES: it is done.
  [[nodiscard]] std::string take_rest();
  /// REQUIRES: it is done.
  [[nodiscard]] TlsAgreement agreement() const;
  /// Why it has failed.
  [[nodiscard]] const std::string& problem() const { return problem_; }

  /// For TlsGeneration: what an SSL_CTX of it has to know.
  static void install_callbacks(SSL_CTX* context, const TlsGeneration& generation);

 private:
  static TlsHandshake& of(const SSL* ssl);
  static int choose_certificate(SSL* ssl, int* alert, void* unused);
  static int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                             unsigned int in_size, void* unused);
  static void note_secret(const SSL* ssl, const char* line);
  static int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypt);
  void collect_output();
  void describe_failure();
  void derive_12(TlsAgreement& agreement) const;

  std::shared_ptr<const TlsGeneration> generation_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  Role role_;
  TlsHello hello_;  // of a client
  std::string output_;
  std::string problem_;
  std::array<std::uint8_t, 48> client_secret_{};  // of TLS 1.3, for data
  std::array<std::uint8_t, 48> server_secret_{};
  std::uint64_t data_records_ = 0;  // in the output of the last step
};

}  // namespace gatehouse::net
