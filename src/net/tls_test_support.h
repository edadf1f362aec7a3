#pragma once

// For tests only: certificates of every kind as files, and OpenSSL's own client as the other end.

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "net/loop_test_support.h"
#include "net/tls_certificate.h"

namespace gatehouse::net::testing {

/// A directory that goes with the object.
class TestDirectory {
 public:
  TestDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "gatehouse-tls-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline std::string write_text(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

/// A key with a certificate for it, signed by itself or by another.
class TestIdentity {
 public:
  struct Wish {
    std::vector<std::string> names = {"localhost"};
    long from_s = -3600;  // NOLINT(google-runtime-int): OpenSSL's. From now on
    long to_s = 24 * 3600;
    bool is_authority = false;
    bool is_rsa = false;
    std::string used_for = {};  // extendedKeyUsage, such as "clientAuth"; none: for everything
  };

  explicit TestIdentity(const Wish& wish, const TestIdentity* issuer = nullptr)
      : key_(wish.is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256")), certificate_(X509_new()) {
    static long serial = 1;  // NOLINT: different ones are all that is wanted
    X509* x509 = certificate_.get();
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x509), wish.from_s);
    X509_gmtime_adj(X509_getm_notAfter(x509), wish.to_s);
    const std::string& name = wish.names.front();
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);  // NOLINT: OpenSSL's bytes
    X509_set_issuer_name(x509, X509_get_subject_name(issuer == nullptr ? x509 : issuer->certificate_.get()));
    X509_set_pubkey(x509, key_.get());
    add(NID_basic_constraints, wish.is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    std::string all;
    for (const std::string& each : wish.names) all += (all.empty() ? "DNS:" : ",DNS:") + each;
    if (!wish.is_authority) add(NID_subject_alt_name, all);
    if (!wish.used_for.empty()) add(NID_ext_key_usage, wish.used_for);
    X509_sign(x509, issuer == nullptr ? key_.get() : issuer->key_.get(), EVP_sha256());
  }

  [[nodiscard]] std::string certificate_pem() const {
    return pem([this](BIO* bio) { PEM_write_bio_X509(bio, certificate_.get()); });
  }
  [[nodiscard]] std::string key_pem(const char* passphrase = nullptr) const {
    return pem([&](BIO* bio) {
      PEM_write_bio_PrivateKey(bio, key_.get(), passphrase == nullptr ? nullptr : EVP_aes_128_cbc(), nullptr, 0, nullptr,
                               const_cast<char*>(passphrase));  // NOLINT: the C API
    });
  }
  /// Both as NAME.pem and NAME.key in `directory`.
  [[nodiscard]] TlsFiles write(const TestDirectory& directory, const std::string& name) const {
    return {write_text(directory.file(name + ".pem"), certificate_pem()), write_text(directory.file(name + ".key"), key_pem())};
  }
  [[nodiscard]] X509* x509() const { return certificate_.get(); }
  [[nodiscard]] EVP_PKEY* key() const { return key_.get(); }

 private:
  void add(int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate_.get(), certificate_.get(), nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    X509_add_ext(certificate_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  template <class Write>
  static std::string pem(Write write) {
    const std::unique_ptr<BIO, FreeSsl> bio(BIO_new(BIO_s_mem()));
    write(bio.get());
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);  // NOLINT(google-runtime-int): OpenSSL's
    return {text, static_cast<std::size_t>(size)};
  }

  std::unique_ptr<EVP_PKEY, FreeSsl> key_;
  std::unique_ptr<X509, FreeSsl> certificate_;
};

/// OpenSSL's own end of a connection, over bytes: what it has to send is in output(), what was received goes into feed().
class OpenSslEnd {
 public:
  struct Wish {
    bool is_server = false;
    int version = TLS1_3_VERSION;
    std::string suite = {};  // by its name; any
    std::string host = {};   // to name by SNI
    std::vector<std::string> protocols = {};
    const TestIdentity* identity = nullptr;
    SSL_SESSION* session = nullptr;  // to resume
    int max_fragment = 0;            // 1 to 4: no records of more than 512 to 4,096 bytes (RFC 6066, 4)
  };

  explicit OpenSslEnd(const Wish& wish) : context_(SSL_CTX_new(TLS_method())) {
    SSL_CTX_set_min_proto_version(context_.get(), wish.version);
    SSL_CTX_set_max_proto_version(context_.get(), wish.version);
    // Old versions, to see that they are refused, are below its own security level.
    if (wish.version < TLS1_2_VERSION) SSL_CTX_set_cipher_list(context_.get(), "ALL:@SECLEVEL=0");
    if (!wish.suite.empty()) {
      if (wish.version == TLS1_3_VERSION) {
        SSL_CTX_set_ciphersuites(context_.get(), wish.suite.c_str());
      } else {
        SSL_CTX_set_cipher_list(context_.get(), wish.suite.c_str());
      }
    }
    if (wish.identity != nullptr) {
      SSL_CTX_use_certificate(context_.get(), wish.identity->x509());
      SSL_CTX_use_PrivateKey(context_.get(), wish.identity->key());
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    wish.is_server ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
    if (!wish.host.empty()) {
      SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(wish.host.c_str()));  // NOLINT
    }
    std::string names;
    for (const std::string& each : wish.protocols) names += static_cast<char>(each.size()) + each;
    if (!names.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(names.data()),  // NOLINT: OpenSSL's bytes
                          static_cast<unsigned int>(names.size()));
    }
    if (wish.session != nullptr) SSL_set_session(ssl_.get(), wish.session);
    if (wish.max_fragment != 0) SSL_set_tlsext_max_fragment_length(ssl_.get(), static_cast<std::uint8_t>(wish.max_fragment));
  }

  OpenSslEnd(const OpenSslEnd&) = delete;
  OpenSslEnd& operator=(const OpenSslEnd&) = delete;
  /// Without this OpenSSL takes the session for one that must not be resumed.
  ~OpenSslEnd() { SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); }

  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }
  [[nodiscard]] bool is_established() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  void feed(std::string_view bytes) {
    if (!bytes.empty()) BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
  }
  /// Goes on with the handshake, or reads what has come into `received`.
  void pump() {
    ERR_clear_error();
    if (!is_established()) note(SSL_do_handshake(ssl_.get()));
    char buffer[16 * 1024];
    while (is_established() && error.empty() && !ended) {
      const int got = SSL_read(ssl_.get(), buffer, sizeof buffer);
      if (got <= 0) {
        ended = SSL_get_error(ssl_.get(), got) == SSL_ERROR_ZERO_RETURN;
        if (!ended) note(got);
        return;
      }
      received.append(buffer, static_cast<std::size_t>(got));
    }
  }
  void write(std::string_view bytes) {
    if (!bytes.empty()) note(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())));
  }
  [[nodiscard]] std::string output() {
    BIO* out = SSL_get_wbio(ssl_.get());
    std::string bytes(BIO_ctrl_pending(out), '\0');
    if (!bytes.empty()) BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }

  std::string received;
  std::string error;   // of OpenSSL, when it failed
  bool ended = false;  // close_notify came

 private:
  void note(int result) {
    if (result > 0) return;
    const int kind = SSL_get_error(ssl_.get(), result);
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return;
    error = openssl_problem();
  }

  SslContext context_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
};

/// The same on a socket.
class TlsPeer {
 public:
  explicit TlsPeer(const Endpoint& endpoint, const OpenSslEnd::Wish& wish = OpenSslEnd::Wish{}, int receive_buffer = 0)
      : socket(endpoint, receive_buffer), end(wish) {}
  explicit TlsPeer(Socket accepted, const OpenSslEnd::Wish& wish) : socket(std::move(accepted)), end(wish) {}

  /// Moves bytes in both directions; never more than `most` into the socket at once.
  void pump(std::size_t most = SIZE_MAX) {
    if (reading) socket.read();
    end.feed(std::exchange(socket.received, {}));
    end.pump();
    out_ += end.output();
    if (!out_.empty()) out_.erase(0, socket.write(std::string_view(out_).substr(0, most)));
  }
  void write(std::string_view bytes) {
    end.write(bytes);
    pump();
  }
  [[nodiscard]] bool is_established() {
    pump();
    return end.is_established();
  }
  [[nodiscard]] const std::string& received() {
    pump();
    return end.received;
  }
  [[nodiscard]] bool ended() {
    pump();
    return socket.ended || socket.error != 0;
  }

  RawPeer socket;
  OpenSslEnd end;
  bool reading = true;

 private:
  std::string out_;
};

}  // namespace gatehouse::net::testing
