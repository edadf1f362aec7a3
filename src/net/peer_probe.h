#pragma once

namespace gatehouse::net {

/// Whether the peer of a connected socket has ended it, which its loop may not have come to yet.
bool peer_has_ended(int fd);

/// From now on the kernel asks the peer's machine every second whether the connection still stands there, and ends it after three
/// seconds without an answer, or at once when it does not (TCP keep-alive, RFC 9293, 3.8.4): for a connection that another one
/// claims to have taken the place of.
void probe_peer(int fd);

}  // namespace gatehouse::net
