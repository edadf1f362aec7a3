#include "application/settings.h"

#include "master/daemon.h"

namespace gatehouse {

Log make_log(const Settings& settings, const std::string& process) {
  const bool to_file = !settings.log_file.empty() && !settings.daemon;
  Log log = to_file ? Log::to_file(settings.log_file, process) : Log(process);
  if (settings.log_level == "debug") log.set_level(LogLevel::debug);
  if (settings.log_level == "warning") log.set_level(LogLevel::warning);
  if (settings.log_level == "error") log.set_level(LogLevel::error);
  if (settings.log_format == "json") log.set_format(LogFormat::json);
  return log;
}

void reopen_log(const Settings& settings, const Log& log) {
  Result<void> reopened = log.reopen();
  if (settings.daemon) reopened = master::redirect_output(settings.log_path());
  if (!reopened) log.error("{}; logging goes on in the old one", reopened.error().message);
}

}  // namespace gatehouse
