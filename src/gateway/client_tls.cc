#include "gateway/client_tls.h"

#include <utility>

#include "wire/stream_protocols.h"

namespace gatehouse::gateway {

namespace {

net::TlsContext::Settings settings_for(const GatewayOptions& options, const wire::Scheme& scheme,
                                       std::shared_ptr<net::TlsTickets> tickets, bool may_be_over) {
  net::TlsContext::Settings settings;
  for (std::size_t i = 0; i < options.tls_cert.size(); ++i)
    settings.certificates.push_back({options.tls_cert[i], options.tls_key[i]});
  // A WebSocket begins as HTTP/1.1 (RFC 6455, 4.1). The other protocols have no names of this kind.
  if (wire::is_websocket(scheme.protocol)) settings.protocol = "http/1.1";
  settings.tickets = std::move(tickets);
  settings.handshake_timeout = options.handshake_timeout;
  settings.handshakes_per_s = static_cast<std::uint32_t>(options.max_tls_handshakes_per_second);
  settings.most_handshakes = static_cast<std::size_t>(options.max_tls_handshakes);
  settings.may_be_over = may_be_over;
  return settings;
}

wire::Scheme scheme_of(const GatewayOptions& options) {
  return wire::split_scheme(options.listen.substr(0, options.listen.find("://")));
}

}  // namespace

net::TlsResult<std::unique_ptr<net::TlsContext>> make_client_tls(const GatewayOptions& options,
                                                                 std::shared_ptr<net::TlsTickets> tickets, bool may_be_over) {
  const wire::Scheme scheme = scheme_of(options);
  if (!scheme.is_encrypted) return nullptr;
  return net::TlsContext::make(settings_for(options, scheme, std::move(tickets), may_be_over));
}

net::TlsResult<void> change_client_tls(net::TlsContext& context, const GatewayOptions& options) {
  // Those that have run out were refused before it came to this; a process that starts again takes them.
  return context.change(settings_for(options, scheme_of(options), context.settings().tickets, true));
}

}  // namespace gatehouse::gateway
