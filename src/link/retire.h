#pragma once

#include <memory>
#include <utility>

#include "net/loop.h"

namespace gatehouse::link {

/// Keeps a connection handler, whose connections have just been destroyed by it, until the loop has told it of their ends: a loop
/// reports them at the end of its iteration, when the handler's owner may be gone. A loop that never runs again frees it itself.
/// REQUIRES: the handler has let go of its owner, and its destructor does not touch the loop.
template <class Handler>
void retire(net::Loop& loop, std::unique_ptr<Handler> handler) {
  std::shared_ptr<Handler> kept = std::move(handler);
  // Posted work runs before the ends of its iteration are reported, so it takes a second round.
  loop.post([&loop, kept] { loop.post([kept] {}); });
}

}  // namespace gatehouse::link
