#include "application/status_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "application/instance_commands.h"
#include "application/report_problem.h"
#include "master/status_report.h"

namespace gatehouse {
namespace {

Result<std::string> status_text(const Settings& settings) {
  const auto status = ask_instance(settings, "status", kAnswerTimeout);
  if (!status) return tl::unexpected(status.error());
  const bool whole = status->contains("processes");
  if (!whole)
    return failure(fmt::format("{} answered: {}", settings.instance, status->value("error", "nothing that is understood")));
  if (!settings.json) return master::format_status(*status);
  // One line each when there are many, for programs that read them as they come.
  const int indent = settings.live_seconds > 0 ? -1 : 2;
  return status->dump(indent, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

int show_status(const Settings& settings) {
  if (!is_running(settings)) return report_problem(settings.instance + " is not running");
  const bool clear = settings.live_seconds > 0 && !settings.json && isatty(STDOUT_FILENO) == 1;
  while (true) {
    const Result<std::string> text = status_text(settings);
    if (!text) return report_problem(text.error().message);
    if (clear) std::fputs("\x1b[H\x1b[2J", stdout);  // cursor home, erase all (ECMA-48)
    if (!settings.quiet) std::fputs(text->c_str(), stdout);
    if (settings.live_seconds <= 0) return finish_output(0);
    if (finish_output(0) != 0) return 1;
    std::this_thread::sleep_for(std::chrono::duration<double>(settings.live_seconds));
    if (!is_running(settings)) return report_problem(settings.instance + " has ended");
  }
}

}  // namespace gatehouse
