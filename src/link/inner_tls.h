#pragma once

#include <gatehouse/inner_tls.h>

#include <memory>

#include "net/tls_context.h"

namespace gatehouse::link {

/// What the connections between roles are encrypted with; null when they are not. `may_be_over` and `uses`: see
/// net::TlsContext::Settings.
net::TlsResult<std::unique_ptr<net::TlsContext>> make_inner_tls(const InnerTls& files, bool may_be_over, net::TlsUses uses);

/// A register is dialled, a worker dials, and a gateway does both.
inline constexpr net::TlsUses kUsesOfRegister{.accepts = true, .dials = false};
inline constexpr net::TlsUses kUsesOfGateway{.accepts = true, .dials = true};
inline constexpr net::TlsUses kUsesOfWorker{.accepts = false, .dials = true};
/// Whether its certificate will do is the others' to judge: it may be of a program that outlives a change of the authority.
inline constexpr net::TlsUses kUsesOfGatewayClient{.accepts = false, .dials = false};

}  // namespace gatehouse::link
