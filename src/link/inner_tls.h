#pragma once

#include <gatehouse/inner_tls.h>

#include <memory>

#include "net/tls_context.h"

namespace gatehouse::link {

/// What the connections between roles are encrypted with; null when they are not. `may_be_over`: see net::TlsContext::Settings.
net::TlsResult<std::unique_ptr<net::TlsContext>> make_inner_tls(const InnerTls& files, bool may_be_over);

}  // namespace gatehouse::link
