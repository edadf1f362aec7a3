#pragma once

#include <string>

#include "base/result.h"
#include "net/socket.h"

namespace gatehouse::master {

/// What the process that was called (`start -d`) waits for: the daemon's first words and its verdict. The words are printed at
/// the end, to standard error when the exit status says failure.
class StartReport {
 public:
  StartReport() = default;
  explicit StartReport(net::Socket pipe) : pipe_(std::move(pipe)) {}

  void print(const std::string& text);
  /// Lets the waiting process end with `exit_status`; nobody listens after that.
  void finish(int exit_status);

 private:
  net::Socket pipe_;
};

/// Makes `log_file` standard output and standard error, appending (mode 0640 when new).
Result<void> redirect_output(const std::string& log_file);

/// Goes on as a daemon: in a session of its own, standard input from /dev/null, standard output and error to `log_file`
/// (redirect_output). Returns in the daemon only; the process that was called waits for the report and exits.
/// REQUIRES: one thread, no loop yet.
Result<StartReport> daemonize(const std::string& log_file);

}  // namespace gatehouse::master
