#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <system_error>

#include "net/connection.h"

namespace gatehouse::link {

/// Why a connection to `whom` was lost or not made, for the log.
inline std::string describe_loss(const net::Connection& connection, int error, std::string_view whom) {
  // OpenSSL's words for a record that is none.
  if (connection.tls_problem() == "wrong version number") {
    return fmt::format("{} speaks no TLS: inner_tls is set here, and not there", whom);
  }
  if (!connection.tls_problem().empty()) {
    return fmt::format("TLS: {} (does {} have inner_tls, of the same authority?)", connection.tls_problem(), whom);
  }
  return error != 0 ? std::generic_category().message(error) : fmt::format("closed by {}", whom);
}

}  // namespace gatehouse::link
