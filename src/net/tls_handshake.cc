#include "net/tls_handshake.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cassert>
#include <cctype>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace gatehouse::net {
namespace {

struct FreeKdf {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

TlsAead aead_of(const SSL_CIPHER* cipher) {
  switch (SSL_CIPHER_get_cipher_nid(cipher)) {
    case NID_aes_128_gcm: return TlsAead::aes_128_gcm;
    case NID_aes_256_gcm: return TlsAead::aes_256_gcm;
    case NID_chacha20_poly1305: return TlsAead::chacha20_poly1305;
    default: throw std::logic_error("a cipher was agreed on that is not offered");
  }
}

/// Records of the type that TLS 1.3 gives to everything it encrypts.
std::uint64_t count_encrypted_records(std::string_view bytes) {
  std::uint64_t count = 0;
  while (bytes.size() >= TlsRecords::kHeaderSize) {
    if (bytes[0] == 23) ++count;
    const std::size_t size = TlsRecords::kHeaderSize + ((static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[3])) << 8) |
                                                        static_cast<std::uint8_t>(bytes[4]));
    bytes.remove_prefix(std::min(size, bytes.size()));
  }
  return count;
}

bool parse_hex(std::string_view text, std::uint8_t* out, std::size_t most) {
  if (text.size() % 2 != 0 || text.size() / 2 > most) return false;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, out[i / 2], 16);
    if (error != std::errc()) return false;
  }
  return true;
}

/// The pseudorandom function of TLS 1.2 (RFC 5246, 5).
void expand_12(const SSL_CIPHER* cipher, std::vector<std::uint8_t>& master, std::vector<std::uint8_t>& seed, std::uint8_t* out,
               std::size_t size) {
  const std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "TLS1-PRF", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(EVP_KDF_CTX_new(kdf.get()));
  std::string digest = EVP_MD_get0_name(SSL_CIPHER_get_handshake_digest(cipher));
  const std::array<OSSL_PARAM, 4> params = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), digest.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master.data(), master.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed.data(), seed.size()), OSSL_PARAM_construct_end()};
  if (EVP_KDF_derive(context.get(), out, size, params.data()) != 1) throw std::runtime_error("OpenSSL offers no TLS1-PRF");
}

}  // namespace

TlsHandshake::TlsHandshake(std::shared_ptr<const TlsGeneration> generation, Role role)
    : generation_(std::move(generation)), ssl_(SSL_new(generation_->context())), role_(role) {
  if (!ssl_) throw std::bad_alloc();
  SSL_set_app_data(ssl_.get(), this);  // NOLINT: the C API
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  if (in == nullptr || out == nullptr) throw std::bad_alloc();
  SSL_set_bio(ssl_.get(), in, out);
  // Nothing is to be read beyond the handshake: take_rest() gives it to the records.
  SSL_set_read_ahead(ssl_.get(), 0);
  role == Role::server ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
}

TlsHandshake::~TlsHandshake() {
  OPENSSL_cleanse(client_secret_.data(), client_secret_.size());
  OPENSSL_cleanse(server_secret_.data(), server_secret_.size());
}

TlsHandshake& TlsHandshake::of(const SSL* ssl) { return *static_cast<TlsHandshake*>(SSL_get_app_data(ssl)); }

void TlsHandshake::feed(std::string_view bytes) {
  if (role_ == Role::server) {
    if (SSL_version(ssl_.get()) == TLS1_2_VERSION) hello_.expect_change_of_ciphers();
    hello_.take(bytes);
    if (hello_.is_too_big()) return;
  }
  if (!bytes.empty()) BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
}

TlsHandshake::Status TlsHandshake::step() {
  if (hello_.is_too_big()) {
    problem_ = kHelloTooBigProblem;
    output_ += kHelloTooBig;
    return Status::failed;
  }
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  collect_output();
  if (result == 1) return Status::done;
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return Status::again;
  describe_failure();
  return Status::failed;
}

void TlsHandshake::collect_output() {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(SSL_get_wbio(ssl_.get()), &bytes);  // NOLINT(google-runtime-int): OpenSSL's
  const std::string_view written(bytes, static_cast<std::size_t>(std::max(size, 0L)));
  data_records_ = count_encrypted_records(written);
  output_ += written;
  (void)BIO_reset(SSL_get_wbio(ssl_.get()));
}

void TlsHandshake::describe_failure() {
  const long verified = SSL_get_verify_result(ssl_.get());  // NOLINT(google-runtime-int): OpenSSL's
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  problem_ = openssl_problem();
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) problem_ += fmt::format(" ({})", X509_verify_cert_error_string(verified));
}

std::string TlsHandshake::take_rest() {
  BIO* in = SSL_get_rbio(ssl_.get());
  std::string rest(BIO_ctrl_pending(in), '\0');
  if (!rest.empty()) BIO_read(in, rest.data(), static_cast<int>(rest.size()));
  return rest;
}

TlsAgreement TlsHandshake::agreement() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get());
  TlsAgreement out;
  out.aead = aead_of(cipher);
  out.is_13 = SSL_version(ssl_.get()) == TLS1_3_VERSION;
  out.is_server = role_ == Role::server;
  // 1 to 4 stand for 512 to 4,096 bytes (RFC 6066, 4).
  const unsigned int fragment = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl_.get()));
  if (fragment != TLSEXT_max_fragment_length_DISABLED) out.most_plain = static_cast<std::uint16_t>(256U << fragment);
  if (!out.is_13) {
    derive_12(out);
    return out;
  }
  out.is_sha384 = EVP_MD_get_size(SSL_CIPHER_get_handshake_digest(cipher)) == 48;
  out.read.secret = out.is_server ? client_secret_ : server_secret_;
  out.write.secret = out.is_server ? server_secret_ : client_secret_;
  // A server has sent its tickets already under these keys, in the step that the client's last message ended.
  if (out.is_server) out.write.sequence = data_records_;
  return out;
}

/// The key block of TLS 1.2 for an AEAD (RFC 5246, 6.3): keys, then the fixed parts of the nonces, the client's before the
/// server's.
void TlsHandshake::derive_12(TlsAgreement& agreement) const {
  const SSL_SESSION* session = SSL_get_session(ssl_.get());
  std::vector<std::uint8_t> master(SSL_MAX_MASTER_KEY_LENGTH);
  master.resize(SSL_SESSION_get_master_key(session, master.data(), master.size()));
  constexpr std::string_view kLabel = "key expansion";
  std::vector<std::uint8_t> seed(kLabel.begin(), kLabel.end());
  seed.resize(kLabel.size() + 2 * SSL3_RANDOM_SIZE);
  SSL_get_server_random(ssl_.get(), seed.data() + kLabel.size(), SSL3_RANDOM_SIZE);
  SSL_get_client_random(ssl_.get(), seed.data() + kLabel.size() + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE);

  const std::size_t key = key_size(agreement.aead);
  const std::size_t iv = agreement.aead == TlsAead::chacha20_poly1305 ? 12 : 4;
  std::array<std::uint8_t, std::size_t{2} * (32 + 12)> block{};
  expand_12(SSL_get_current_cipher(ssl_.get()), master, seed, block.data(), 2 * (key + iv));
  TlsAgreement::Direction& client = agreement.is_server ? agreement.read : agreement.write;
  TlsAgreement::Direction& server = agreement.is_server ? agreement.write : agreement.read;
  const std::uint8_t* at = block.data();
  const auto take = [&at](std::uint8_t* out, std::size_t size) {
    std::memcpy(out, at, size);
    at += size;
  };
  take(client.key.data(), key);
  take(server.key.data(), key);
  take(client.iv.data(), iv);
  take(server.iv.data(), iv);
  // The message Finished was the first record of each direction under these keys.
  client.sequence = server.sequence = 1;
  OPENSSL_cleanse(block.data(), block.size());
  OPENSSL_cleanse(master.data(), master.size());
}

void TlsHandshake::install_callbacks(SSL_CTX* context, const TlsGeneration& generation) {
  SSL_CTX_set_keylog_callback(context, note_secret);
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                        reinterpret_cast<void (*)()>(choose_certificate));  // NOLINT: the C API
  if (!generation.protocol().empty()) SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  if (generation.tickets() != nullptr) SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticket_key);
}

int TlsHandshake::choose_certificate(SSL* ssl, int* /*alert*/, void* /*unused*/) {
  const char* host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  SSL_CTX* chosen = host == nullptr ? nullptr : of(ssl).generation_->find(host);
  if (chosen != nullptr) SSL_set_SSL_CTX(ssl, chosen);
  // A name that is not known gets the first certificate: it is the client's to judge.
  return SSL_TLSEXT_ERR_OK;
}

int TlsHandshake::choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                                  unsigned int in_size, void* /*unused*/) {
  const std::string& ours = of(ssl).generation_->protocol();
  for (unsigned int at = 0; at < in_size; at += 1U + in[at]) {
    if (in[at] != ours.size() || in_size - at - 1 < in[at] || std::memcmp(in + at + 1, ours.data(), ours.size()) != 0) continue;
    *out = in + at + 1;
    *out_size = in[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;  // no_application_protocol (RFC 7301, 3.2)
}

/// OpenSSL gives the secrets of TLS 1.3 in no other way: "SERVER_TRAFFIC_SECRET_0 RANDOM SECRET", in hexadecimal digits.
void TlsHandshake::note_secret(const SSL* ssl, const char* line) {
  const std::string_view text(line);
  const std::size_t secret = text.rfind(' ') + 1;
  TlsHandshake& self = of(ssl);
  if (text.starts_with("CLIENT_TRAFFIC_SECRET_0 ")) {
    parse_hex(text.substr(secret), self.client_secret_.data(), self.client_secret_.size());
  } else if (text.starts_with("SERVER_TRAFFIC_SECRET_0 ")) {
    parse_hex(text.substr(secret), self.server_secret_.data(), self.server_secret_.size());
  }
}

/// Returns what SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants: 1 for done, 2 for a ticket to be replaced, 0 for none that is
/// known.
int TlsHandshake::ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                             int encrypt) {
  TlsTickets& tickets = *of(ssl).generation_->tickets();
  const TlsTickets::Keys& current = tickets.current(TlsTickets::now_s());
  const TlsTickets::Keys* keys = encrypt == 1 ? &current : tickets.find(name, TlsTickets::now_s());
  if (keys == nullptr) return 0;
  if (encrypt == 1) {
    std::copy(keys->name.begin(), keys->name.end(), name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
  }
  std::array<std::uint8_t, 32> mac_key = keys->mac;
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 3> params = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key.data(), mac_key.size()),
                                            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), digest.size()),
                                            OSSL_PARAM_construct_end()};
  const bool well = EVP_MAC_CTX_set_params(mac, params.data()) == 1 &&
                    EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, keys->cipher.data(), iv, encrypt) == 1;
  OPENSSL_cleanse(mac_key.data(), mac_key.size());
  if (!well) return -1;
  return keys == &current ? 1 : 2;
}

}  // namespace gatehouse::net
