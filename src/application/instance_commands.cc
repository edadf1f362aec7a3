#include "application/instance_commands.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <thread>

#include "master/control_socket.h"
#include "master/pid_file.h"

namespace gatehouse {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kPoll{20};

int complain(const std::string& line) {
  std::fputs((line + "\n").c_str(), stderr);
  return 1;
}

/// The pid of the running instance; waits a moment for one that is just starting to write it.
std::optional<pid_t> running_pid(const Settings& settings) {
  std::optional<pid_t> pid;
  for (int i = 0; i < 50; ++i) {
    pid = master::PidFile::locked_by(settings.pid_path());
    if (!pid || *pid > 0) break;
    std::this_thread::sleep_for(kPoll);
  }
  return pid;
}

/// What the master gives its clients to go; the settings here are those of the command only.
milliseconds graceful_timeout_of(const Settings& settings) {
  const auto answer = master::ask_master(settings.socket_path(), "graceful timeout", 5000);
  if (!answer) return settings.graceful_timeout();
  return milliseconds(answer->value("milliseconds", settings.graceful_timeout().count()));
}

int not_running(const Settings& settings) { return complain(settings.instance + " is not running"); }

}  // namespace

int reload_instance(const Settings& settings) {
  if (!is_running(settings)) return not_running(settings);
  // The master always answers: new workers have a minute to be ready, old ones --reload-timeout to leave.
  const auto timeout = std::chrono::duration_cast<milliseconds>(std::chrono::minutes(10)) + settings.reload_timeout();
  const auto answer = master::ask_master(settings.socket_path(), settings.graceful ? "reload -g" : "reload",
                                         static_cast<int>(std::min<milliseconds::rep>(timeout.count(), 86'400'000)));
  if (!answer) return complain(fmt::format("{} is running, but cannot be asked: {}", settings.instance, answer.error().message));
  if (const std::string error = answer->value("error", ""); !error.empty()) {
    return complain(fmt::format("{} has not been reloaded, and everything is as it was: {}", settings.instance, error));
  }
  const auto count = [&answer](const char* key) { return answer->value(key, std::uint64_t{0}); };
  std::string text = fmt::format("{} has been reloaded: {} workers replaced", settings.instance, count("replaced"));
  if (count("added") > 0) text += fmt::format(", {} processes added", count("added"));
  if (count("leaving") > 0) text += fmt::format(", {} old ones are still finishing", count("leaving"));
  if (count("cut_short") > 0) text += fmt::format(", {} old ones were not done in time", count("cut_short"));
  text += "\n";
  std::string wrong;
  for (const auto& change : answer->value("changes", nlohmann::ordered_json::array())) {
    const bool later = change.value("effect", "") == "restart";
    (later ? wrong : text) +=
        fmt::format("{}: {}\n", later ? "not taken over, since it takes a restart" : "taken over", change.value("what", ""));
  }
  for (const auto& who : answer->value("silent", std::vector<std::string>())) {
    wrong += fmt::format("{} has not answered yet; it takes the settings over when it does\n", who);
  }
  if (!settings.quiet) std::fputs(text.c_str(), stdout);
  std::fputs(wrong.c_str(), stderr);
  return 0;
}

bool is_running(const Settings& settings) { return master::PidFile::locked_by(settings.pid_path()).has_value(); }

int stop_instance(const Settings& settings) {
  const std::optional<pid_t> pid = running_pid(settings);
  if (!pid) return not_running(settings);
  if (*pid <= 0) return complain(fmt::format("{} is just starting; try again", settings.instance));
  if (kill(*pid, settings.graceful ? SIGQUIT : SIGTERM) != 0) {
    return complain(fmt::format("cannot stop {} (pid {}): {}", settings.instance, *pid, std::generic_category().message(errno)));
  }
  // The master keeps to its own --stop-timeout, which may be longer than ours; this limit is only for one that hangs.
  const auto began = std::chrono::steady_clock::now();
  auto deadline = began + std::max<milliseconds>(settings.stop_timeout(), seconds(60)) + seconds(5);
  if (settings.graceful) deadline += graceful_timeout_of(settings);
  bool patient = settings.graceful && settings.graceful_timeout_given;
  while (is_running(settings)) {
    const auto now = std::chrono::steady_clock::now();
    // Of the two times that clients have to go, the instance's and that of whoever stops it, the shorter one counts.
    if (patient && now - began >= settings.graceful_timeout()) {
      patient = false;
      kill(*pid, SIGTERM);
    }
    if (now > deadline) {
      return complain(fmt::format("{} (pid {}) has not stopped yet; its log says why", settings.instance, *pid));
    }
    std::this_thread::sleep_for(kPoll);
  }
  if (!settings.quiet) std::fputs((settings.instance + " has been stopped\n").c_str(), stdout);
  std::fflush(stdout);
  return 0;
}

}  // namespace gatehouse
