#include "link/inner_tls.h"

#include <utility>

namespace gatehouse::link {

net::TlsResult<std::unique_ptr<net::TlsContext>> make_inner_tls(const InnerTls& files, bool may_be_over, net::TlsUses uses) {
  using In = net::TlsFault::In;
  if (!files.is_set()) return nullptr;
  const auto missing = [](In in) {
    return tl::unexpected(net::TlsFault{in, "it is missing; ca, cert and key of inner_tls belong together"});
  };
  if (files.ca.empty()) return missing(In::authority);
  if (files.cert.empty()) return missing(In::certificate);
  if (files.key.empty()) return missing(In::key);
  net::TlsContext::Settings settings;
  settings.certificates = {{files.cert, files.key}};
  settings.authority = files.ca;
  settings.peer_name = files.name;
  settings.may_be_over = may_be_over;
  settings.uses = uses;
  return net::TlsContext::make(std::move(settings));
}

}  // namespace gatehouse::link
