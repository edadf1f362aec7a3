#include <gatehouse/events.h>

namespace gatehouse {

Task<> Events::on_worker_start(Worker& /*worker*/) { return {}; }
Task<> Events::on_connect(Client& /*client*/) { return {}; }
Task<> Events::on_websocket_connect(Client& /*client*/, const Handshake& /*handshake*/) { return {}; }
Task<> Events::on_close(Client& /*client*/, CloseReason /*reason*/) { return {}; }
Task<> Events::on_worker_stop(Worker& /*worker*/) { return {}; }

}  // namespace gatehouse
