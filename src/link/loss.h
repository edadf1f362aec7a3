#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <system_error>

#include "net/connection.h"

namespace gatehouse::link {

/// Why a connection to `whom` was lost or not made, for the log.
inline std::string describe_loss(const net::Connection& connection, int error, std::string_view whom) {
  // A peer that speaks no TLS looks like one that speaks a wrong one.
  if (!connection.tls_problem().empty()) {
    return fmt::format("TLS: {} (does {} have inner_tls, of the same authority?)", connection.tls_problem(), whom);
  }
  return error != 0 ? std::generic_category().message(error) : fmt::format("closed by {}", whom);
}

}  // namespace gatehouse::link
