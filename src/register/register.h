#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/role_status.h"
#include "net/loop.h"
#include "net/tls_context.h"

namespace gatehouse {

/// The phone book of a cluster: remembers the inner addresses that gateways announce, tells every worker and GatewayClient the
/// list at once and again at every change. (docs/wire-protocol.md, "Register".)
class Register {
 public:
  /// `tls`, which must outlive it, encrypts its connections; null: not.
  explicit Register(net::Loop& loop, std::string secret_key, net::TlsContext* tls = nullptr);
  Register(const Register&) = delete;
  Register& operator=(const Register&) = delete;
  ~Register();

  /// Serves on a listening socket. REQUIRES: called once.
  void serve(net::Socket listener);
  void stop();
  /// For peers that come from now on; those that are there stay. The one of before, `old`, is accepted for `old_ms` longer.
  void change_secret(std::string secret_key, std::string old, std::uint64_t old_ms);
  [[nodiscard]] RoleStatus status() const;
  [[nodiscard]] MessageCounts message_counts() const;

  static constexpr int kFirstLineTimeoutMs = 10'000;
  static constexpr std::size_t kMaxLineSize = 64 * 1024;
  /// Of a peer that has shown no key yet: gateways say some 100 bytes. More where the key itself is long.
  static constexpr std::size_t kMaxFirstLineSize = 4 * 1024;
  /// Such peers at a time: the one that came first makes way.
  static constexpr std::size_t kMostStrangers = 1024;
  /// A worker that does not read its lists is cut off at this much.
  static constexpr std::size_t kMaxQueuedBytes = 4 * 1024 * 1024;

 private:
  class Peers;
  net::Loop& loop_;
  std::unique_ptr<Peers> peers_;
};

}  // namespace gatehouse
