// The inner port of a gateway as a state machine: workers and GatewayClients command, ask, acknowledge, leave and go, in any
// order, about clients that are there and others.
#include "fuzz/gateway_world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gatehouse::fuzz::Script script(data, size);
  gatehouse::fuzz::GatewayWorld(script, gatehouse::fuzz::GatewayWorld::Part::inner_port).play();
  return 0;
}
