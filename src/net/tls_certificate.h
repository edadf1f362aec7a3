#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace gatehouse::net {

/// A certificate and its key, as files in PEM form.
struct TlsFiles {
  std::string certificate;  // with the intermediate ones behind it
  std::string key;          // without a passphrase
};

/// What is wrong with one of the files: a sentence that names it.
struct TlsFault {
  enum class In : std::uint8_t { certificate, key, authority };
  In in = In::certificate;
  std::string message;
};
template <class T>
using TlsResult = tl::expected<T, TlsFault>;

struct FreeSsl {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeSsl>;

/// A certificate as it was read.
struct TlsCertificate {
  std::vector<std::unique_ptr<X509, FreeSsl>> chain;  // its own first
  std::unique_ptr<EVP_PKEY, FreeSsl> key;
  std::vector<std::string> names;  // of hosts, in small letters, such as "chat.example" and "*.chat.example"
  std::string ends;                // "Nov 21 16:43:00 2026 GMT"
  std::int64_t ends_s = 0;         // the same since 1970

  /// Reads both files. Fails when one cannot be read, when they do not belong together, and when the certificate is not valid at
  /// this time, unless `may_be_over` is set.
  static TlsResult<TlsCertificate> read(const TlsFiles& files, bool may_be_over);
  [[nodiscard]] bool is_over() const;
  /// Whether it is for exactly this host.
  [[nodiscard]] bool is_for(const std::string& name) const;
  /// Hands both to `context`.
  [[nodiscard]] TlsResult<void> use(SSL_CTX* context, const TlsFiles& files) const;
};

/// Adds the certificates of `file` to those that `context` trusts, and names them to clients that are asked for a certificate.
TlsResult<void> trust(SSL_CTX* context, const std::string& file);

/// What peers take a certificate for: both ends show one where there is an authority.
struct TlsUses {
  bool accepts = true;  // connections, so that it is shown as a server's
  bool dials = true;    // and as a client's
};

/// Whether peers that trust `authority`, as `context` does now, will accept `own` for its uses: whom it is signed by, and what it
/// may be used for (extendedKeyUsage, RFC 5280, 4.2.1.12). `may_be_over`: whatever the time is. The sentence names the file.
TlsResult<void> verify_own(SSL_CTX* context, const TlsCertificate& own, const TlsFiles& files, const std::string& authority,
                           TlsUses uses, bool may_be_over);

/// Has peers' certificates checked for this host, too, by both ends. No wildcard stands for it.
void expect_name(SSL_CTX* context, const std::string& name);

/// Why the last call of OpenSSL in this thread did not work, in its words; forgets it.
std::string openssl_problem();

}  // namespace gatehouse::net
