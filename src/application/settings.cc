#include "application/settings.h"

namespace gatehouse {

Log make_log(const Settings& settings, const std::string& process) {
  Log log = settings.log_file.empty() ? Log(process) : Log::to_file(settings.log_file, process);
  if (settings.log_level == "debug") log.set_level(LogLevel::debug);
  if (settings.log_level == "warning") log.set_level(LogLevel::warning);
  if (settings.log_level == "error") log.set_level(LogLevel::error);
  return log;
}

}  // namespace gatehouse
