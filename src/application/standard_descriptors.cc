#include "application/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace gatehouse {

void open_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest number that is free, which is this one: those below it are open by now.
    if (open("/dev/null", O_RDWR) < 0) {  // children inherit it, so not close-on-exec
      throw std::system_error(errno, std::generic_category(), "a standard descriptor is closed, and /dev/null cannot be opened");
    }
  }
}

}  // namespace gatehouse
