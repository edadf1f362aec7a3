#pragma once

#include <memory>

#include "net/tls_tickets.h"

namespace gatehouse {

/// The seed of session tickets, from the master to the processes that it starts, in the environment: GATEHOUSE_TICKET_SEED. So a
/// client's session is resumed whichever process of a gateway it comes to, also in one that was started again.

/// In the master: draws one, for all processes that are started from now on.
void draw_ticket_seed();

/// In a process that was started so: takes it, and wipes it from the environment, where others of the same user could read it.
/// When there is none, one of its own is drawn.
std::shared_ptr<net::TlsTickets> take_tickets();

}  // namespace gatehouse
