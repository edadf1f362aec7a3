#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "net/tls_certificate.h"
#include "net/tls_slots.h"
#include "net/tls_tickets.h"

namespace gatehouse::net {

class TlsGeneration;

/// Says in time that the certificates of one generation run out.
class TlsExpiry {
 public:
  void look(const TlsGeneration& generation, std::int64_t now_s, const Log& log);

 private:
  std::vector<std::size_t> stages_;  // for each certificate: how many of the warnings have been given
  std::int64_t next_s_ = 0;          // nothing is to be said before
};

/// How the connections of one kind are encrypted: TLS 1.2 and 1.3, with AEADs and forward secrecy only. The certificates can be
/// read anew at any time: handshakes that begin later use them, and connections that are there do not notice.
///
/// Thread rule: the thread of the loop.
class TlsContext {
 public:
  /// What a peer is told that is refused before its handshake, which would cost more than the peer does: the fatal alert
  /// internal_error, which is for what is "unrelated to the peer" (RFC 8446, 6.2), in the plain record that it may still be.
  static constexpr std::string_view kRefusal{"\x15\x03\x03\x00\x02\x02\x50", 7};

  struct Settings {
    /// The first is shown to peers that name no host, or one that none is for. May be empty for one that only dials.
    std::vector<TlsFiles> certificates = {};
    /// A file of certificates: the peer must show one that one of these has signed. Empty: peers show none, and those that are
    /// dialled are not checked.
    std::string authority = {};
    /// With an authority: the host name that the peer's certificate must be for, as must the own one. Empty: whatever its name.
    std::string peer_name = {};
    /// The only protocol that clients may ask for by ALPN, such as "http/1.1". Empty: what they ask for is ignored.
    std::string protocol = {};
    /// With an authority: what the own certificates must be good for.
    TlsUses uses = {};
    /// For sessions that are resumed. Null: there are none.
    std::shared_ptr<TlsTickets> tickets = {};
    std::chrono::milliseconds handshake_timeout{10'000};
    /// New handshakes of the process in a second; those over it wait for their turn. 0 is no limit.
    std::uint32_t handshakes_per_s = 0;
    /// Those of clients that have begun and are not done, at a time: see TlsSlots.
    std::size_t most_handshakes = 1024;
    /// A certificate that has run out does not keep a process from starting again.
    bool may_be_over = false;
  };

  static TlsResult<std::unique_ptr<TlsContext>> make(Settings settings);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext();

  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] const std::shared_ptr<const TlsGeneration>& generation() const { return generation_; }
  /// Those of the connections that are encrypted with this.
  [[nodiscard]] const std::shared_ptr<TlsSlots>& slots() const { return slots_; }

  /// Has other settings from now on, for handshakes that begin later. When something is wrong with them nothing changes.
  TlsResult<void> change(Settings settings);
  /// Reads the files again. When something is wrong with them, what was stays, and the log says why.
  void reload(const Log& log);
  /// The same when they have changed since they were read last, and have stood still since the last call, for they are written
  /// one after the other. To be called about once a second.
  void reload_when_changed(const Log& log);
  /// Says which certificates have run out, or end in 30, 7 or 1 days: once for each of these, at the start and as time goes on.
  /// reload_when_changed() does so too. `now_s`: since 1970.
  void warn(const Log& log);
  void warn(const Log& log, std::int64_t now_s) { expiry_.look(*generation_, now_s, log); }

 private:
  TlsContext(Settings settings, std::shared_ptr<const TlsGeneration> generation);
  [[nodiscard]] std::string fingerprint() const;

  Settings settings_;
  std::shared_ptr<const TlsGeneration> generation_;
  std::shared_ptr<TlsSlots> slots_;
  std::string read_;  // fingerprints of the files as they were read,
  std::string seen_;  // and as they were seen last
  TlsExpiry expiry_;
};

/// The certificates as they were read at one time.
class TlsGeneration {
 public:
  static TlsResult<std::shared_ptr<const TlsGeneration>> read(const TlsContext::Settings& settings);

  [[nodiscard]] SSL_CTX* context() const { return contexts_.front().get(); }
  /// For a host that a client names; null when none is for it.
  [[nodiscard]] SSL_CTX* find(std::string_view host) const;
  [[nodiscard]] TlsTickets* tickets() const { return tickets_.get(); }
  [[nodiscard]] const std::string& protocol() const { return protocol_; }
  [[nodiscard]] bool checks_peer() const { return checks_peer_; }
  struct Certificate {
    std::string file;
    std::vector<std::string> names;
    std::string ends;
    std::int64_t ends_s;  // since 1970
    bool is_over;         // when it was read
  };
  [[nodiscard]] const std::vector<Certificate>& certificates() const { return certificates_; }

 private:
  std::vector<SslContext> contexts_;  // one for each certificate
  std::vector<Certificate> certificates_;
  std::shared_ptr<TlsTickets> tickets_;
  std::string protocol_;
  bool checks_peer_ = false;
};

}  // namespace gatehouse::net
