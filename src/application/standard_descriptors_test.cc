#include "application/standard_descriptors.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace gatehouse {
namespace {

bool is_null_device(int fd) {
  struct stat file{};
  struct stat null{};
  return fstat(fd, &file) == 0 && stat("/dev/null", &null) == 0 && file.st_rdev == null.st_rdev;
}

/// In a process of its own, for it closes what the test writes to. 0 when all is well.
int exit_status_with_closed(int which) {
  const pid_t pid = fork();
  if (pid == 0) {
    int wrong = 0;
    for (int fd = 0; fd < 3; ++fd) {
      if ((which & (1 << fd)) != 0) close(fd);
    }
    open_standard_descriptors();
    for (int fd = 0; fd < 3; ++fd) {
      const bool closed = (which & (1 << fd)) != 0;
      if (closed && !is_null_device(fd)) wrong |= 1 << fd;
    }
    const int next = dup(0);
    if (next < 3) wrong |= 8;
    _exit(wrong);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(StandardDescriptors, AreOpenWhicheverTheCallerHasClosed) {
  for (int which = 0; which < 8; ++which) EXPECT_EQ(exit_status_with_closed(which), 0) << "closed: " << which;
}

}  // namespace
}  // namespace gatehouse
