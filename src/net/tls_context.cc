#include "net/tls_context.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <limits>
#include <stdexcept>
#include <utility>

#include "net/tls_handshake.h"

namespace gatehouse::net {
namespace {

// AEADs with forward secrecy; TlsRecords knows no others.
constexpr const char* kSuites12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kSuites13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
// Others cost a server several times as much.
constexpr const char* kGroups = "X25519:P-256:P-384";
// Of a peer's certificates in one message, for which OpenSSL takes memory before they have come: three times as much as long
// chains have.
constexpr long kMostCertificates = 32 * 1024;  // NOLINT(google-runtime-int): OpenSSL's

SslContext make_context() {
  SslContext context(SSL_CTX_new(TLS_method()));
  SSL_CTX* raw = context.get();
  bool well = raw != nullptr && SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1;
  well = well && SSL_CTX_set_cipher_list(raw, kSuites12) == 1 && SSL_CTX_set_ciphersuites(raw, kSuites13) == 1;
  well = well && SSL_CTX_set1_groups_list(raw, kGroups) == 1;
  if (!well) throw std::runtime_error("OpenSSL cannot be set up: " + openssl_problem());
  // Clients without AES in hardware put ChaCha20 first, and get it.
  SSL_CTX_set_options(
      raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(raw, kMostCertificates);
  // Of one that waits for its peer, 16 KB less.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  return context;
}

/// A session goes on only where the same certificates would have been shown. Processes of several gateways have the same keys of
/// tickets; without this, whoever can divert a client's packets could lead it from one gateway's port to another's, whose
/// certificate it would have refused.
void bind_sessions(SSL_CTX* context, const std::vector<TlsFiles>& certificates) {
  std::string all;
  for (const TlsFiles& each : certificates) all += each.certificate + '\0';
  std::array<unsigned char, SSL_MAX_SID_CTX_LENGTH> hash{};  // 32 bytes, as those of SHA-256
  static_assert(SSL_MAX_SID_CTX_LENGTH == 32);
  const bool well = EVP_Digest(all.data(), all.size(), hash.data(), nullptr, EVP_sha256(), nullptr) == 1;
  if (!well || SSL_CTX_set_session_id_context(context, hash.data(), hash.size()) != 1) {
    throw std::runtime_error("OpenSSL cannot be set up: " + openssl_problem());
  }
}

void set_up(SSL_CTX* context, const TlsContext::Settings& settings, const TlsGeneration& generation) {
  TlsHandshake::install_callbacks(context, generation);
  bind_sessions(context, settings.certificates);
  if (settings.tickets == nullptr) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
  } else {
    SSL_CTX_set_num_tickets(context, 1);
  }
  if (!settings.authority.empty()) SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

std::string in_small_letters(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace

TlsResult<std::shared_ptr<const TlsGeneration>> TlsGeneration::read(const TlsContext::Settings& settings) {
  auto out = std::make_shared<TlsGeneration>();
  out->tickets_ = settings.tickets;
  out->protocol_ = settings.protocol;
  out->checks_peer_ = !settings.authority.empty();
  std::vector<TlsCertificate> own;
  for (const TlsFiles& files : settings.certificates) {
    auto certificate = TlsCertificate::read(files, settings.may_be_over);
    if (!certificate) return tl::unexpected(certificate.error());
    if (!settings.peer_name.empty() && !certificate->is_for(settings.peer_name)) {
      return tl::unexpected(TlsFault{TlsFault::In::certificate,
                                     fmt::format("{} is not for the name \"{}\", which all the others will look for in it",
                                                 files.certificate, settings.peer_name)});
    }
    out->contexts_.push_back(make_context());
    if (auto used = certificate->use(out->contexts_.back().get(), files); !used) return tl::unexpected(used.error());
    out->certificates_.push_back(
        {files.certificate, certificate->names, certificate->ends, certificate->ends_s, certificate->is_over()});
    own.push_back(std::move(*certificate));
  }
  if (out->contexts_.empty()) out->contexts_.push_back(make_context());
  for (std::size_t i = 0; i < out->contexts_.size(); ++i) {
    const SslContext& context = out->contexts_[i];
    set_up(context.get(), settings, *out);
    if (settings.authority.empty()) continue;
    if (auto trusted = trust(context.get(), settings.authority); !trusted) return tl::unexpected(trusted.error());
    if (i < own.size()) {
      // All peers would refuse it, one by one and each in its own log.
      auto verified =
          verify_own(context.get(), own[i], settings.certificates[i], settings.authority, settings.uses, settings.may_be_over);
      if (!verified) return tl::unexpected(verified.error());
    }
    if (!settings.peer_name.empty()) expect_name(context.get(), settings.peer_name);
  }
  return out;
}

SSL_CTX* TlsGeneration::find(std::string_view host) const {
  std::string name = in_small_letters(host);
  if (name.ends_with('.')) name.pop_back();
  const std::size_t dot = name.find('.');
  // "*" stands for one label (RFC 6125, 6.4.3).
  const std::string wildcard = dot == std::string::npos ? std::string() : "*" + name.substr(dot);
  for (const std::string& wanted : {name, wildcard}) {
    for (std::size_t i = 0; i < certificates_.size(); ++i) {
      const auto& names = certificates_[i].names;
      if (std::find(names.begin(), names.end(), wanted) != names.end()) return contexts_[i].get();
    }
  }
  return nullptr;
}

TlsContext::TlsContext(Settings settings, std::shared_ptr<const TlsGeneration> generation)
    : settings_(std::move(settings)),
      generation_(std::move(generation)),
      slots_(std::make_shared<TlsSlots>(settings_.most_handshakes)),
      read_(fingerprint()),
      seen_(read_) {}

TlsContext::~TlsContext() = default;

TlsResult<std::unique_ptr<TlsContext>> TlsContext::make(Settings settings) {
  auto generation = TlsGeneration::read(settings);
  if (!generation) return tl::unexpected(generation.error());
  return std::unique_ptr<TlsContext>(
      new TlsContext(std::move(settings), std::move(*generation)));  // NOLINT: a private constructor
}

/// Which files they are and when they were written, so that a link that points elsewhere now counts as well.
std::string TlsContext::fingerprint() const {
  std::string out;
  const auto add = [&out](const std::string& path) {
    struct stat file{};
    if (path.empty()) return;
    if (::stat(path.c_str(), &file) != 0) file = {};
    out += fmt::format("{}:{}:{}.{}:{};", file.st_dev, file.st_ino, file.st_mtim.tv_sec, file.st_mtim.tv_nsec, file.st_size);
  };
  for (const TlsFiles& files : settings_.certificates) {
    add(files.certificate);
    add(files.key);
  }
  add(settings_.authority);
  return out;
}

TlsResult<void> TlsContext::change(Settings settings) {
  auto generation = TlsGeneration::read(settings);
  if (!generation) return tl::unexpected(generation.error());
  settings_ = std::move(settings);
  generation_ = std::move(*generation);
  slots_->set_most(settings_.most_handshakes);
  read_ = seen_ = fingerprint();
  return {};
}

void TlsContext::reload(const Log& log) {
  read_ = seen_ = fingerprint();
  // A certificate that is over is no better than the one that is there.
  Settings settings = settings_;
  settings.may_be_over = false;
  auto generation = TlsGeneration::read(settings);
  if (!generation) return log.error("TLS: the certificates stay as they are: {}", generation.error().message);
  generation_ = std::move(*generation);
  expiry_ = {};
  for (const auto& each : generation_->certificates())
    log.info("TLS: the certificate {} has been read; it ends {}", each.file, each.ends);
}

void TlsContext::reload_when_changed(const Log& log) {
  const std::string now = fingerprint();
  const bool stands_still = std::exchange(seen_, now) == now;
  if (stands_still && now != read_) reload(log);
  warn(log);
}

void TlsContext::warn(const Log& log) { warn(log, static_cast<std::int64_t>(std::time(nullptr))); }

void TlsExpiry::look(const TlsGeneration& generation, std::int64_t now_s, const Log& log) {
  constexpr std::int64_t kDay = 24 * 3600;
  constexpr std::array<std::int64_t, 4> kBefore = {30 * kDay, 7 * kDay, kDay, 0};
  const auto& certificates = generation.certificates();
  stages_.resize(certificates.size());
  if (now_s < next_s_) return;
  next_s_ = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    const TlsGeneration::Certificate& each = certificates[i];
    std::size_t reached = 0;
    while (reached < kBefore.size() && now_s >= each.ends_s - kBefore[reached]) ++reached;
    if (reached < kBefore.size()) next_s_ = std::min(next_s_, each.ends_s - kBefore[reached]);
    if (reached <= stages_[i]) continue;
    stages_[i] = reached;
    if (reached == kBefore.size()) {
      log.error(
          "TLS: the certificate {} has been out of date since {}; peers refuse it. Renew it: the files are read again when they "
          "change",
          each.file, each.ends);
    } else {
      const std::int64_t days = (each.ends_s - now_s) / kDay;
      log.warning("TLS: the certificate {} ends {}, in {}; renew it: the files are read again when they change", each.file,
                  each.ends,
                  days == 0   ? "less than a day"
                  : days == 1 ? "a day"
                              : fmt::format("{} days", days));
    }
  }
}

}  // namespace gatehouse::net
