#include "gateway/client_tls.h"

#include <utility>

#include "wire/stream_protocols.h"

namespace gatehouse::gateway {

net::TlsResult<std::unique_ptr<net::TlsContext>> make_client_tls(const GatewayOptions& options,
                                                                 std::shared_ptr<net::TlsTickets> tickets, bool may_be_over) {
  const wire::Scheme scheme = wire::split_scheme(options.listen.substr(0, options.listen.find("://")));
  if (!scheme.is_encrypted) return nullptr;
  net::TlsContext::Settings settings;
  for (std::size_t i = 0; i < options.tls_cert.size(); ++i)
    settings.certificates.push_back({options.tls_cert[i], options.tls_key[i]});
  // A WebSocket begins as HTTP/1.1 (RFC 6455, 4.1). The other protocols have no names of this kind.
  if (wire::is_websocket(scheme.protocol)) settings.protocol = "http/1.1";
  settings.tickets = std::move(tickets);
  settings.handshake_timeout = options.handshake_timeout;
  settings.handshakes_per_s = static_cast<std::uint32_t>(options.max_tls_handshakes_per_second);
  settings.may_be_over = may_be_over;
  return net::TlsContext::make(std::move(settings));
}

}  // namespace gatehouse::gateway
