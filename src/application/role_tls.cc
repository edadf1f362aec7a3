#include "application/role_tls.h"

#include <utility>

#include "gateway/client_tls.h"
#include "link/inner_tls.h"

namespace gatehouse {
namespace {

using In = net::TlsFault::In;

// The master has refused certificates that are over before it started anything. Later that is no reason to keep a process away
// that has died.
constexpr bool kMayBeOver = true;

}  // namespace

std::vector<net::TlsContext*> RoleTls::all() const {
  std::vector<net::TlsContext*> out;
  for (net::TlsContext* each : {clients.get(), inner.get()}) {
    if (each != nullptr) out.push_back(each);
  }
  return out;
}

RoleTls RoleTls::make(const InnerTls& inner, net::TlsUses uses) {
  RoleTls out;
  auto made = link::make_inner_tls(inner, kMayBeOver, uses);
  if (!made) {
    out.failure = std::string(inner_option(made.error())) + ": " + made.error().message;
  } else {
    out.inner = std::move(*made);
  }
  return out;
}

RoleTls RoleTls::make(const GatewayOptions& options, std::shared_ptr<net::TlsTickets> tickets) {
  RoleTls out = make(options.inner_tls, link::kUsesOfGateway);
  if (!out.failure.empty()) return out;
  auto made = gateway::make_client_tls(options, std::move(tickets), kMayBeOver);
  if (!made) {
    out.failure = std::string(client_option(made.error())) + ": " + made.error().message;
  } else {
    out.clients = std::move(*made);
  }
  return out;
}

const char* client_option(const net::TlsFault& fault) { return fault.in == In::key ? "tls_key" : "tls_cert"; }

const char* inner_option(const net::TlsFault& fault) {
  switch (fault.in) {
    case In::authority: return "inner_tls_ca";
    case In::key: return "inner_tls_key";
    case In::certificate: break;
  }
  return "inner_tls_cert";
}

}  // namespace gatehouse
