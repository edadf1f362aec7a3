#include "application/operator_commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>

#include "application/instance_commands.h"
#include "application/report_problem.h"
#include "base/duration.h"
#include "base/log_level.h"
#include "master/text_table.h"
#include "net/address_range.h"

namespace gatehouse {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Json = nlohmann::ordered_json;

constexpr auto kLongestTime = std::chrono::hours(24 * 366 * 10);

/// The answer of the instance; a failure is the finished line.
Result<Json> ask(const Settings& settings, const std::string& question, const Json& details,
                 milliseconds timeout = kAnswerTimeout) {
  if (!is_running(settings)) return failure(settings.instance + " is not running");
  auto answer = ask_instance(settings, question, timeout, details);
  if (!answer) return tl::unexpected(answer.error());
  if (const std::string error = answer->value("error", ""); !error.empty()) {
    return failure(fmt::format("{}: {}", settings.instance, error));
  }
  return *answer;
}

void say(const Settings& settings, const std::string& line) {
  if (!settings.quiet) std::fputs((line + "\n").c_str(), stdout);
}

/// "10m", "1.5h", or a number of seconds. A failure is a sentence.
Result<milliseconds> time_of(const std::string& text, const std::string& what) {
  const bool is_number = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
  const auto time = parse_duration(is_number ? text + "s" : text);
  if (!time) return failure(fmt::format("{}: \"{}\" is no time; such as 90s, 10m, 1.5h or 7d", what, text));
  if (*time <= milliseconds(0) || *time > kLongestTime)
    return failure(fmt::format("{}: {} cannot be; more than nothing, and 10 years at most", what, text));
  return *time;
}

std::string in_words(const Json& seconds_left) {
  return seconds_left.is_number() ? "for " + master::short_duration(seconds_left.get<std::uint64_t>()) : "until it is allowed";
}

std::string in_words(milliseconds time) {
  if (time < seconds(1)) return fmt::format("{} ms", time.count());
  return master::short_duration(static_cast<std::uint64_t>(std::chrono::round<seconds>(time).count()));
}

/// What the processes do that have not answered; empty when all have.
std::string about_silent(const Json& answer) {
  std::string names;
  const Json silent = answer.value("silent", Json::array());
  for (const Json& each : silent) names += (names.empty() ? "" : ", ") + each.get<std::string>();
  return names.empty() ? names : fmt::format("{} has not answered yet, and does it as soon as it comes to it", names);
}

int list_denied(const Settings& settings) {
  const auto answer = ask(settings, "denied", Json::object());
  if (!answer) return report_problem(answer.error().message);
  const Json denied = answer->value("denied", Json::array());
  if (settings.json) {
    say(settings, denied.dump(2));
    return 0;
  }
  if (denied.empty()) {
    say(settings, "no address is denied");
    return 0;
  }
  master::TextTable table({{"DENIED", master::TextTable::Align::left, 50}, {"LEFT", master::TextTable::Align::right, 12}});
  for (const Json& each : denied) {
    const Json& left = each["seconds_left"];
    table.add(
        {each["range"].get<std::string>(), left.is_number() ? master::short_duration(left.get<std::uint64_t>()) : "for good"});
  }
  if (!settings.quiet) std::fputs(table.to_string().c_str(), stdout);
  return 0;
}

}  // namespace

int set_log_level(const Settings& settings) {
  const OperatorRequest& request = settings.request;
  if (request.log_level.empty() && !request.time.empty()) return report_problem("log-level: --for stands behind a level");
  Json details = Json::object();
  if (!request.log_level.empty()) {
    if (!parse_log_level(request.log_level)) {
      return report_problem(fmt::format("log-level: \"{}\" is none of debug, info, warning, error", request.log_level));
    }
    details["level"] = request.log_level;
  }
  if (!request.time.empty()) {
    const auto time = time_of(request.time, "--for");
    if (!time) return report_problem(time.error().message);
    details["milliseconds"] = time->count();
  }
  const auto answer = ask(settings, "log level", details);
  if (!answer) return report_problem(answer.error().message);
  std::string line = fmt::format("the log level of {} is {}", settings.instance, answer->value("log_level", "?"));
  const Json left = answer->value("log_level_seconds_left", Json(nullptr));
  const std::string configured = answer->value("log_level_configured", "?");
  if (left.is_number()) {
    line += fmt::format(" {}, and {} then", in_words(left), configured);
  } else if (configured != answer->value("log_level", "?")) {
    line += fmt::format("; {} is configured", configured);
  }
  say(settings, line);
  return 0;
}

int deny_addresses(const Settings& settings) {
  const OperatorRequest& request = settings.request;
  if (request.list) {
    return request.range.empty() ? list_denied(settings) : report_problem("deny: --list stands alone");
  }
  if (request.range.empty()) return report_problem("deny: which address? Such as \"deny 192.0.2.0/24 1h\", or \"deny --list\"");
  const auto range = net::AddressRange::parse(request.range);
  if (!range) return report_problem("deny: " + range.error().message);
  Json details = {{"range", request.range}};
  std::string how_long = "until it is allowed";
  if (!request.time.empty()) {
    const auto time = time_of(request.time, "deny");
    if (!time) return report_problem(time.error().message);
    details["milliseconds"] = time->count();
    how_long = "for " + in_words(*time);
  }
  const auto answer = ask(settings, "deny", details);
  if (!answer) return report_problem(answer.error().message);
  const std::uint64_t cut = answer->value("cut", std::uint64_t{0});
  say(settings, fmt::format("{} is denied {}; {} client{} of it {} disconnected", answer->value("range", request.range), how_long,
                            cut, cut == 1 ? "" : "s", cut == 1 ? "is" : "are"));
  const std::string silent = about_silent(*answer);
  return silent.empty() ? 0 : report_problem(silent);
}

int allow_addresses(const Settings& settings) {
  const OperatorRequest& request = settings.request;
  if (request.range.empty()) return report_problem("allow: which address? \"deny --list\" shows those that are denied");
  const auto range = net::AddressRange::parse(request.range);
  if (!range) return report_problem("allow: " + range.error().message);
  const auto answer = ask(settings, "allow", {{"range", request.range}});
  if (!answer) return report_problem(answer.error().message);
  const Json wider = answer->value("still_within", Json(nullptr));
  say(settings,
      fmt::format(
          "{} is allowed again{}", answer->value("range", request.range),
          wider.is_string() ? fmt::format(", but for {}, which is denied and has it in it", wider.get<std::string>()) : ""));
  const std::string silent = about_silent(*answer);
  return silent.empty() ? 0 : report_problem(silent);
}

int stop_process(const Settings& settings) {
  Json details = {{"process", settings.request.process}, {"gracefully", settings.graceful}};
  if (settings.graceful_timeout_given) details["milliseconds"] = settings.graceful_timeout().count();
  milliseconds timeout = std::max<milliseconds>(settings.stop_timeout(), seconds(60)) + seconds(5);
  if (settings.graceful) timeout += std::max(settings.graceful_timeout(), graceful_timeout_of(settings));
  const auto answer = ask(settings, "stop process", details, timeout);
  if (!answer) return report_problem(answer.error().message);
  say(settings,
      fmt::format("{} has been stopped{}; \"start {}\" starts it again", answer->value("process", settings.request.process),
                  answer->value("in_time", true) ? "" : ", and not all of its clients had gone", settings.request.process));
  return 0;
}

int start_process(const Settings& settings) {
  const auto answer = ask(settings, "start process", {{"process", settings.request.process}}, seconds(30));
  if (!answer) return report_problem(answer.error().message);
  say(settings,
      fmt::format("{} has been started, pid {}", answer->value("process", settings.request.process), answer->value("pid", 0)));
  return 0;
}

}  // namespace gatehouse
