// expected: a callback must not return a gatehouse::Task
#include <gatehouse/worker.h>
namespace gh = gatehouse;

gh::Task<int> read_from(int fd) { co_return fd; }
gh::Task<> take_from(int fd) { (void)co_await read_from(fd); }

void begin(gh::Worker& worker, int fd) {
#ifdef WRONG
  worker.watch(fd, {.readable = true}, [fd](gh::Worker::Ready) { return read_from(fd); });
#else
  worker.watch(fd, {.readable = true}, [&worker, fd](gh::Worker::Ready) { worker.spawn(take_from(fd)); });
#endif
}
