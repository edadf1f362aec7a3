#include "master/run_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace gatehouse::master {

std::string default_run_directory() {
  if (geteuid() == 0) return "/run/gatehouse";
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");  // NOLINT(concurrency-mt-unsafe): called before any thread exists
  if (runtime != nullptr && *runtime == '/') return std::string(runtime) + "/gatehouse";
  return "/tmp/gatehouse-" + std::to_string(geteuid());
}

Result<void> prepare_run_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return os_failure("cannot make the run directory " + path, errno);
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0) return os_failure("cannot use the run directory " + path, errno);
  const std::string prefix = "cannot use the run directory " + path + ": ";
  if (!S_ISDIR(info.st_mode)) return failure(prefix + "it is not a directory");
  if (info.st_uid != geteuid()) {
    return failure(prefix + "it belongs to another user (uid " + std::to_string(info.st_uid) + "); choose one with --run-dir");
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return failure(prefix + "others may write to it; \"chmod go-w\" it, or choose another with --run-dir");
  }
  return {};
}

}  // namespace gatehouse::master
