#pragma once

#include <gatehouse/options.h>

#include <memory>
#include <string>
#include <vector>

#include "net/tls_context.h"

namespace gatehouse {

/// What one process encrypts its connections with. A null pointer: it does not.
struct RoleTls {
  std::unique_ptr<net::TlsContext> clients = {};
  std::unique_ptr<net::TlsContext> inner = {};
  std::string failure = {};  // why the process cannot start: "tls_cert: ..."

  /// Those that there are.
  [[nodiscard]] std::vector<net::TlsContext*> all() const;

  static RoleTls make(const InnerTls& inner, net::TlsUses uses);
  static RoleTls make(const GatewayOptions& options, std::shared_ptr<net::TlsTickets> tickets);
};

/// The option that `fault` is about, of those of a gateway's clients and of the inner connections.
const char* client_option(const net::TlsFault& fault);
const char* inner_option(const net::TlsFault& fault);

}  // namespace gatehouse
