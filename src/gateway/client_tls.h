#pragma once

#include <gatehouse/options.h>

#include <memory>

#include "net/tls_context.h"

namespace gatehouse::gateway {

/// What a gateway's clients are encrypted with; null when they are not. REQUIRES: as many keys as certificates.
net::TlsResult<std::unique_ptr<net::TlsContext>> make_client_tls(const GatewayOptions& options,
                                                                 std::shared_ptr<net::TlsTickets> tickets, bool may_be_over);

}  // namespace gatehouse::gateway
