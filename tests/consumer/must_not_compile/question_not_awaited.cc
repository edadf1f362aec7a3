// expected: unused-result
#include <gatehouse/gatehouse.h>
namespace gh = gatehouse;

gh::Task<> count(gh::Client& client) {
#ifdef WRONG
  client.cluster().client_count();
  co_return;
#else
  client.send(std::to_string(co_await client.cluster().client_count()));
#endif
}
