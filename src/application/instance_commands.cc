#include "application/instance_commands.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
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

/// The pid of the running instance, 0 when that is not known; waits a moment for one that is just starting to write it.
std::optional<pid_t> running_pid(const Settings& settings) {
  std::optional<pid_t> pid;
  for (int i = 0; i < 50; ++i) {
    pid = master::PidFile::locked_by(settings.pid_path());
    if (!pid) return master::ControlSocket::owner(settings.socket_path());
    if (*pid > 0) break;
    std::this_thread::sleep_for(kPoll);
  }
  return pid;
}

/// By SIGSTOP, a debugger or a frozen terminal: it does nothing, and signals wait. proc(5), /proc/PID/stat.
bool is_suspended(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text.size()) return false;
  return text[name_end + 2] == 'T' || text[name_end + 2] == 't';
}

std::string describe_suspended(pid_t pid) {
  return fmt::format("its master (pid {0}) is suspended; \"kill -CONT {0}\" lets it go on", pid);
}

/// The master's own limits; the settings here are those of the command only. Nothing from one of an older version.
std::optional<milliseconds> limit_of(const Result<nlohmann::ordered_json>& answer) {
  const auto limit = answer->find("milliseconds");
  if (limit == answer->end() || !limit->is_number_integer()) return std::nullopt;
  return milliseconds(limit->get<milliseconds::rep>());
}

int not_running(const Settings& settings) { return complain(settings.instance + " is not running"); }

}  // namespace

Result<nlohmann::ordered_json> ask_instance(const Settings& settings, const std::string& question, milliseconds timeout,
                                            const nlohmann::ordered_json& details) {
  const auto most = static_cast<int>(std::min<milliseconds::rep>(timeout.count(), 86'400'000 * milliseconds::rep{20}));
  const auto refuse = [&](const std::string& why) {
    return failure(fmt::format("{} is running, but cannot be asked: {}", settings.instance, why));
  };
  // Looked at first: there are answers that are waited for as long as clients have to leave.
  if (const pid_t pid = running_pid(settings).value_or(0); is_suspended(pid)) return refuse(describe_suspended(pid));
  auto answer = master::ask_master(settings.socket_path(), question, most, details);
  if (answer) return answer;
  return refuse(answer.error().message);
}

int finish_output(int status) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  return complain("cannot write the output: " + std::generic_category().message(errno));
}

int reload_instance(const Settings& settings) {
  if (!is_running(settings)) return not_running(settings);
  // First whether it answers at all: nothing has begun then.
  const auto limit = ask_instance(settings, "reload timeout", kAnswerTimeout);
  if (!limit) return complain(limit.error().message + "; it has not been reloaded");
  const milliseconds timeout = limit_of(limit).value_or(std::chrono::minutes(10) + settings.reload_timeout());
  const auto answer = ask_instance(settings, settings.graceful ? "reload -g" : "reload", timeout);
  if (!answer) return complain(answer.error().message + "; its log says how far the reload has come");
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

milliseconds graceful_timeout_of(const Settings& settings) {
  const auto answer = ask_instance(settings, "graceful timeout", kAnswerTimeout);
  return answer ? limit_of(answer).value_or(settings.graceful_timeout()) : settings.graceful_timeout();
}

bool is_running(const Settings& settings) {
  return master::PidFile::locked_by(settings.pid_path()).has_value() ||
         master::ControlSocket::owner(settings.socket_path()).has_value();
}

int stop_instance(const Settings& settings) {
  const std::optional<pid_t> pid = running_pid(settings);
  if (!pid) return not_running(settings);
  if (*pid <= 0) return complain(fmt::format("{} is just starting; try again", settings.instance));
  // The signal would be obeyed whenever it goes on, long after whoever sent it has given up.
  if (is_suspended(*pid)) {
    return complain(fmt::format("{} has not been told to stop: {}", settings.instance, describe_suspended(*pid)));
  }
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
      return complain(
          fmt::format("{} (pid {}) has not stopped within {} s, and goes on stopping; its log says why it takes so long",
                      settings.instance, *pid, std::chrono::duration_cast<seconds>(now - began).count()));
    }
    std::this_thread::sleep_for(kPoll);
  }
  if (!settings.quiet) std::fputs((settings.instance + " has been stopped\n").c_str(), stdout);
  std::fflush(stdout);
  return 0;
}

}  // namespace gatehouse
