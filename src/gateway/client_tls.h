#pragma once

#include <gatehouse/options.h>

#include <memory>

#include "net/tls_context.h"

namespace gatehouse::gateway {

/// What a gateway's clients are encrypted with; null when they are not. REQUIRES: as many keys as certificates.
net::TlsResult<std::unique_ptr<net::TlsContext>> make_client_tls(const GatewayOptions& options,
                                                                 std::shared_ptr<net::TlsTickets> tickets, bool may_be_over);

/// Has `context`, which make_client_tls() made for an earlier form of `options`, go on with these: for handshakes from now on.
/// When something is wrong with them nothing changes.
net::TlsResult<void> change_client_tls(net::TlsContext& context, const GatewayOptions& options);

}  // namespace gatehouse::gateway
