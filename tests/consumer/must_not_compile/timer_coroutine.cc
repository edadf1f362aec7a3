// expected: a callback must not return a gatehouse::Task
#include <gatehouse/worker.h>

#include <chrono>
namespace gh = gatehouse;
using std::chrono::seconds;

gh::Task<> tick() { co_await gh::sleep(seconds(1)); }

void begin(gh::Worker& worker) {
#ifdef WRONG
  worker.every(seconds(1), []() -> gh::Task<> { co_await tick(); });
#else
  worker.every(seconds(1), [&worker] { worker.spawn(tick()); });
#endif
}
