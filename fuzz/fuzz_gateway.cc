// A whole gateway, fed through replaced system calls: clients and workers come, say what is right and what is not, read slowly,
// go in every way there is, while time passes and system calls fail. Whatever they do, nothing is left of them when they have
// gone, and the next client is served.
#include "fuzz/gateway_world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gatehouse::fuzz::Script script(data, size);
  gatehouse::fuzz::GatewayWorld(script, gatehouse::fuzz::GatewayWorld::Part::everything).play();
  return 0;
}
