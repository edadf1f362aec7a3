// expected: a callback must not return a gatehouse::Task
#include <gatehouse/worker.h>

#include <chrono>
namespace gh = gatehouse;

gh::Task<> remind() { return {}; }

void begin(gh::Worker& worker) {
#ifdef WRONG
  worker.after(std::chrono::milliseconds(100), remind);
#else
  worker.after(std::chrono::milliseconds(100), [&worker] { worker.spawn(remind()); });
#endif
}
