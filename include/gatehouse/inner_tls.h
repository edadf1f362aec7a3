#pragma once

#include <string>

namespace gatehouse {

/// Encrypts the connections between the processes of a cluster, and lets nobody in who cannot show a certificate of its own
/// authority: TLS 1.2 or 1.3 with certificates on both sides. All three files or none, in PEM form, in every role of the cluster
/// and every GatewayClient, which then speak nothing else; PHP's cannot take part.
///
/// Unless `name` is set, host names are not looked at: whoever has a certificate that `ca` has signed is a member. So let it be
/// an authority that signs nothing else. That is the default because the processes find each other by addresses, which change.
struct InnerTls {
  std::string ca = {};    ///< whose certificates are accepted
  std::string cert = {};  ///< the own certificate, with the intermediate ones behind it
  std::string key = {};   ///< its private key, without a passphrase
  /// For an authority that signs other things as well, such as a company's: a name, such as "gatehouse.internal", that all
  /// members' certificates have among their DNS names, and nobody else's has. Every process looks for exactly it in the other's
  /// certificate, on both sides; no wildcard stands for it. It need not be known to any name server. Empty: every certificate of
  /// `ca` will do.
  std::string name = {};

  [[nodiscard]] bool is_set() const { return !ca.empty() || !cert.empty() || !key.empty() || !name.empty(); }
};

}  // namespace gatehouse
