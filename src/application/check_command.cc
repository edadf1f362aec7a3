#include "application/check_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "application/instance_commands.h"
#include "application/option_check.h"
#include "application/program_description.h"
#include "application/report_problem.h"
#include "master/identity.h"

namespace gatehouse {
namespace {

constexpr std::chrono::seconds kTimeout{10};

/// As one line.
std::optional<std::string> find_problem(const Program& program, const Settings& settings) {
  if (const auto problem = check_options(program)) return to_line(*problem, program);
  return master::find_unknown_user(settings.user, settings.group);
}

int show_difference(const Description& description, const Settings& settings) {
  if (!is_running(settings)) return report_problem(settings.instance + " is not running");
  const auto answer = ask_instance(settings, "compare", kTimeout, {{"description", description}});
  if (!answer) return report_problem(answer.error().message);
  const auto changes = answer->find("changes");
  if (changes == answer->end()) {
    return report_problem(
        fmt::format("{} answered: {}", settings.instance, answer->value("error", "nothing that is understood")));
  }
  std::string text = changes->empty() ? fmt::format("{} runs with just these settings\n", settings.instance) : "";
  for (const auto& [effect, words] :
       {std::pair{"live", "reload takes over"}, {"reload", "reload replaces workers for"}, {"restart", "takes a restart"}}) {
    for (const auto& change : *changes) {
      if (change.value("effect", "") == effect) text += fmt::format("{}: {}\n", words, change.value("what", ""));
    }
  }
  if (!settings.quiet) std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace

int check_program(const Program& program, const Settings& settings, const std::vector<master::ConfigurationText>& configuration) {
  if (const auto problem = find_problem(program, settings)) return report_problem(fmt::format("{}: {}", program.name, *problem));
  const std::string& what = configuration.empty() ? program.name : configuration.front().path;
  if (!settings.quiet) std::fputs(fmt::format("{} is fine: {}\n", what, summarize(program)).c_str(), stdout);
  return settings.against_running ? show_difference(describe(program, settings, configuration), settings) : 0;
}

int describe_to(int fd, const Program& program, const Settings& settings,
                const std::vector<master::ConfigurationText>& configuration) {
  if (const auto problem = find_problem(program, settings)) return report_problem(fmt::format("{}: {}", program.name, *problem));
  const Description description = describe(program, settings, configuration);
  std::vector<master::ConfigurationText> all = {{"", description.dump(-1, ' ', false, Description::error_handler_t::replace)}};
  all.insert(all.end(), configuration.begin(), configuration.end());
  const std::string bytes = master::encode_configuration(all);
  for (std::string_view left = bytes; !left.empty();) {
    const ssize_t written = write(fd, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return 1;
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace gatehouse
