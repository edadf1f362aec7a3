#pragma once

#include <cstddef>
#include <memory>

#include "net/loop.h"
#include "net/tls_ciphers.h"
#include "net/tls_session.h"

namespace gatehouse::net {

/// What all encrypted connections of a loop share.
struct Loop::TlsTools {
  static constexpr std::size_t kBufferSize = 64 * 1024;  // one recv of records asks for this much
  static constexpr std::size_t kSealAhead = 64 * 1024;   // records that are made before the kernel has taken those before them

  TlsCiphers ciphers;
  std::unique_ptr<char[]> buffer{new char[kBufferSize]};
};

}  // namespace gatehouse::net
