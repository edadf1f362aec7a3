#include <gatehouse/events.h>

namespace gatehouse {

// Coroutines rather than empty tasks, so that an override may await the one it overrides.
Task<> Events::on_worker_start(Worker& /*worker*/) { co_return; }
Task<> Events::on_connect(Client& /*client*/) { co_return; }
Task<> Events::on_websocket_connect(Client& /*client*/, const Handshake& /*handshake*/) { co_return; }
Task<> Events::on_close(Client& /*client*/, CloseReason /*reason*/) { co_return; }
Task<> Events::on_worker_stop(Worker& /*worker*/) { co_return; }

}  // namespace gatehouse
