#include "application/settings.h"

#include "master/daemon.h"

namespace gatehouse {

Log make_log(const Settings& settings, const std::string& process) {
  const bool to_file = !settings.log_file.empty() && !settings.daemon;
  Log log = to_file ? Log::to_file(settings.log_file, process) : Log(process);
  set_log(settings, log);
  return log;
}

void set_log(const Settings& settings, Log log) {
  LogLevel level = LogLevel::info;
  if (settings.log_level == "debug") level = LogLevel::debug;
  if (settings.log_level == "warning") level = LogLevel::warning;
  if (settings.log_level == "error") level = LogLevel::error;
  log.set_level(level);
  log.set_format(settings.log_format == "json" ? LogFormat::json : LogFormat::text);
}

void reopen_log(const Settings& settings, const Log& log) {
  Result<void> reopened = log.reopen();
  if (settings.daemon) reopened = master::redirect_output(settings.log_path());
  if (!reopened) log.error("{}; logging goes on in the old one", reopened.error().message);
}

}  // namespace gatehouse
