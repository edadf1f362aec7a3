// expected: a callback must not return a gatehouse::Task
#include <gatehouse/gateway_client.h>
#include <gatehouse/task.h>

#include <string_view>
namespace gh = gatehouse;

gh::GatewayClientOptions options() {
  return {
#ifdef WRONG
      .log = [](std::string_view, std::string_view) -> gh::Task<> { co_return; },
#else
      .log = [](std::string_view, std::string_view) {},
#endif
  };
}
