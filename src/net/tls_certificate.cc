#include "net/tls_certificate.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <ctime>
#include <fstream>
#include <new>
#include <sstream>
#include <system_error>
#include <utility>

namespace gatehouse::net {
namespace {

// A name that stands for many hosts is none that says who somebody is.
constexpr unsigned int kNameFlags = X509_CHECK_FLAG_NO_WILDCARDS;

using In = TlsFault::In;

tl::unexpected<TlsFault> fault(In in, std::string message) { return tl::unexpected(TlsFault{in, std::move(message)}); }

TlsResult<std::string> read_file(In in, const std::string& path) {
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  if (stream) text << stream.rdbuf();
  // A directory opens like a file, and fails to be read; an empty file fails too, but with no error behind it.
  if ((!stream || !text) && errno != 0) {
    return fault(in, fmt::format("{} cannot be read: {}", path, std::generic_category().message(errno)));
  }
  return text.str();
}

std::unique_ptr<BIO, FreeSsl> bytes_of(const std::string& text) {
  return std::unique_ptr<BIO, FreeSsl>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// There is nobody who could type one.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

TlsResult<std::vector<std::unique_ptr<X509, FreeSsl>>> read_chain(In in, const std::string& path) {
  const auto text = read_file(in, path);
  if (!text) return tl::unexpected(text.error());
  const auto bio = bytes_of(*text);
  ERR_clear_error();
  std::vector<std::unique_ptr<X509, FreeSsl>> chain;
  while (X509* each = PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr)) chain.emplace_back(each);
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string problem = openssl_problem();
  if (chain.empty() && at_end)
    return fault(in, fmt::format("{} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", path));
  if (!at_end) return fault(in, fmt::format("{} holds a certificate that cannot be read: {}", path, problem));
  return chain;
}

TlsResult<std::unique_ptr<EVP_PKEY, FreeSsl>> read_key(const std::string& path) {
  const auto text = read_file(In::key, path);
  if (!text) return tl::unexpected(text.error());
  const auto bio = bytes_of(*text);
  ERR_clear_error();
  bool asked = false;
  std::unique_ptr<EVP_PKEY, FreeSsl> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, &asked));
  const std::string problem = openssl_problem();
  if (asked) return fault(In::key, fmt::format("{} has a passphrase; write it without one (openssl pkey)", path));
  if (!key) return fault(In::key, fmt::format("{} holds no private key in PEM form: {}", path, problem));
  return key;
}

std::string to_text(const ASN1_TIME* time) {
  const std::unique_ptr<BIO, FreeSsl> bio(BIO_new(BIO_s_mem()));
  ASN1_TIME_print(bio.get(), time);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);  // NOLINT(google-runtime-int): OpenSSL's
  return {text, static_cast<std::size_t>(size)};
}

std::int64_t to_seconds(const ASN1_TIME* time) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return 0;
  return timegm(&fields);
}

struct FreeStore {
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
  void operator()(STACK_OF(X509) * chain) const { sk_X509_free(chain); }
};

TlsResult<void> verify_for(int purpose, SSL_CTX* context, const TlsCertificate& own, const TlsFiles& files,
                           const std::string& authority, bool may_be_over) {
  const std::unique_ptr<STACK_OF(X509), FreeStore> others(sk_X509_new_null());
  for (std::size_t i = 1; i < own.chain.size(); ++i) sk_X509_push(others.get(), own.chain[i].get());
  const std::unique_ptr<X509_STORE_CTX, FreeStore> check(X509_STORE_CTX_new());
  if (!others || !check ||
      X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(context), own.chain.front().get(), others.get()) != 1) {
    throw std::bad_alloc();
  }
  X509_STORE_CTX_set_default(check.get(), purpose == X509_PURPOSE_SSL_SERVER ? "ssl_server" : "ssl_client");
  if (may_be_over) X509_STORE_CTX_set_flags(check.get(), X509_V_FLAG_NO_CHECK_TIME);
  if (X509_verify_cert(check.get()) == 1) return {};
  const int error = X509_STORE_CTX_get_error(check.get());
  const int depth = X509_STORE_CTX_get_error_depth(check.get());
  ERR_clear_error();
  if (error == X509_V_ERR_INVALID_PURPOSE && depth == 0) {
    const bool server = purpose == X509_PURPOSE_SSL_SERVER;
    return fault(
        In::certificate,
        fmt::format("{} cannot be shown as a {}'s certificate, and this process {}: its extendedKeyUsage lacks {}; give it "
                    "both, serverAuth and clientAuth",
                    files.certificate, server ? "server" : "client", server ? "accepts connections" : "connects to others",
                    server ? "serverAuth" : "clientAuth"));
  }
  return fault(In::certificate, fmt::format("{} would be refused by all who trust {}: {}{}", files.certificate, authority,
                                            X509_verify_cert_error_string(error),
                                            depth == 0 ? std::string() : fmt::format(" (certificate {} above it)", depth)));
}

void add_name(std::vector<std::string>& names, const ASN1_STRING* name) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, name);
  if (size <= 0) return;
  std::string text(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(size));  // NOLINT: OpenSSL's bytes
  OPENSSL_free(utf8);
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  names.push_back(std::move(text));
}

/// The host names that it is for; its common name counts when it says none (RFC 6125, 6.4.4).
std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  auto* alternatives =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));  // NOLINT: the C API
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* each = sk_GENERAL_NAME_value(alternatives, i);
    if (each->type == GEN_DNS) add_name(names, each->d.dNSName);
  }
  GENERAL_NAMES_free(alternatives);
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (names.empty() && at >= 0) add_name(names, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  return names;
}

}  // namespace

std::string openssl_problem() {
  const unsigned long code = ERR_peek_last_error();  // NOLINT(google-runtime-int): OpenSSL's
  const char* reason = ERR_reason_error_string(code);
  std::string text = reason != nullptr ? reason
                     : code != 0       ? std::system_category().message(ERR_GET_REASON(code))
                                       : "no reason is given";
  ERR_clear_error();
  return text;
}

TlsResult<TlsCertificate> TlsCertificate::read(const TlsFiles& files, bool may_be_over) {
  TlsCertificate out;
  auto chain = read_chain(In::certificate, files.certificate);
  if (!chain) return tl::unexpected(chain.error());
  out.chain = std::move(*chain);
  auto key = read_key(files.key);
  if (!key) return tl::unexpected(key.error());
  out.key = std::move(*key);
  X509* own = out.chain.front().get();
  if (X509_check_private_key(own, out.key.get()) != 1) {
    ERR_clear_error();
    return fault(In::key, fmt::format("{} is not the key of the certificate {}", files.key, files.certificate));
  }
  out.names = names_of(own);
  out.ends = to_text(X509_get0_notAfter(own));
  out.ends_s = to_seconds(X509_get0_notAfter(own));
  if (may_be_over) return out;
  if (X509_cmp_current_time(X509_get0_notBefore(own)) > 0) {
    return fault(In::certificate, fmt::format("{} is not valid before {}; is this machine's clock right?", files.certificate,
                                              to_text(X509_get0_notBefore(own))));
  }
  if (out.is_over())
    return fault(In::certificate, fmt::format("{} has been out of date since {}; renew it", files.certificate, out.ends));
  return out;
}

bool TlsCertificate::is_over() const { return X509_cmp_current_time(X509_get0_notAfter(chain.front().get())) < 0; }

bool TlsCertificate::is_for(const std::string& name) const {
  return X509_check_host(chain.front().get(), name.data(), name.size(), kNameFlags, nullptr) == 1;
}

TlsResult<void> TlsCertificate::use(SSL_CTX* context, const TlsFiles& files) const {
  // Here OpenSSL refuses what is too weak for its security level.
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    return fault(In::certificate, fmt::format("{} cannot be used: {}", files.certificate, openssl_problem()));
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1) continue;
    return fault(In::certificate,
                 fmt::format("{} cannot be used, certificate {} in it: {}", files.certificate, i + 1, openssl_problem()));
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return fault(In::key, fmt::format("{} cannot be used: {}", files.key, openssl_problem()));
  }
  return {};
}

TlsResult<void> trust(SSL_CTX* context, const std::string& file) {
  const auto chain = read_chain(In::authority, file);
  if (!chain) return tl::unexpected(chain.error());
  for (const auto& each : *chain) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), each.get()) != 1 ||
        SSL_CTX_add_client_CA(context, each.get()) != 1) {
      return fault(In::authority, fmt::format("{} cannot be used: {}", file, openssl_problem()));
    }
  }
  return {};
}

TlsResult<void> verify_own(SSL_CTX* context, const TlsCertificate& own, const TlsFiles& files, const std::string& authority,
                           TlsUses uses, bool may_be_over) {
  for (const auto& [used, purpose] :
       {std::pair(uses.accepts, X509_PURPOSE_SSL_SERVER), std::pair(uses.dials, X509_PURPOSE_SSL_CLIENT)}) {
    if (!used) continue;
    if (auto verified = verify_for(purpose, context, own, files, authority, may_be_over); !verified) return verified;
  }
  return {};
}

void expect_name(SSL_CTX* context, const std::string& name) {
  X509_VERIFY_PARAM* param = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_hostflags(param, kNameFlags);
  if (X509_VERIFY_PARAM_set1_host(param, name.data(), name.size()) != 1) throw std::bad_alloc();
}

}  // namespace gatehouse::net
