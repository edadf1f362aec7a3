#pragma once

#include <string>

namespace gatehouse {

/// Encrypts the connections between the processes of a cluster, and lets nobody in who cannot show a certificate of its own
/// authority: TLS 1.2 or 1.3 with certificates on both sides. All three files or none, in PEM form, in every role of the cluster
/// and every GatewayClient, which then speak nothing else; PHP's cannot take part.
///
/// Host names are not looked at: whoever has a certificate that `ca` has signed is a member. So let it be an authority that signs
/// nothing else.
struct InnerTls {
  std::string ca = {};    ///< whose certificates are accepted
  std::string cert = {};  ///< the own certificate, with the intermediate ones behind it
  std::string key = {};   ///< its private key, without a passphrase

  [[nodiscard]] bool is_set() const { return !ca.empty() || !cert.empty() || !key.empty(); }
};

}  // namespace gatehouse
