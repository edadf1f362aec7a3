#include "application/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "application/nearest_name.h"
#include "base/version.h"

namespace gatehouse {
namespace {

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

void add_names(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
}

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& help) {
  // Options that the command does not know are the program's; what nobody knows is named by describe_extra().
  return *app.add_subcommand(name, help)->fallthrough()->allow_extras();
}

}  // namespace

CommandLine::CommandLine(const std::string& program, Settings& settings)
    : program_(program), app_(std::make_unique<CLI::App>("", program)) {
  app_->require_subcommand(0, 1);
  app_->allow_extras();
  app_->set_help_flag("-h,--help", "Show this help and end");
  app_->set_version_flag("--version", "gatehouse " + std::string(kVersion), "Show the version of gatehouse and end");
  app_->add_option("--instance", settings.instance, "Name of this instance, so that several can run side by side")
      ->capture_default_str();
  app_->add_option("--run-dir", settings.run_dir, "Directory of the pid file and the control socket")->capture_default_str();
  app_->add_option("--pid-file", settings.pid_file, "The pid file (INSTANCE.pid in the run directory)");
  app_->add_option("--control-socket", settings.control_socket,
                   "The socket through which status and connections ask (INSTANCE.sock in the run directory)");
  app_->add_option("--log-file", settings.log_file,
                   "Append the log to this file (standard error; with -d: INSTANCE.log in the run directory)");
  app_->add_option("--log-level", settings.log_level, "What is logged")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  app_->add_option("--log-format", settings.log_format, "How it is written: for people, or a JSON object on each line")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app_->add_option("--user", settings.user, "Started as root: the user that all processes but the master become");
  app_->add_option("--group", settings.group, "The same for the group (the user's own)");
  app_->add_option("--stop-timeout", settings.stop_timeout_seconds,
                   "Seconds that all processes together have to stop before they are killed")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();

  app_->add_flag("-q,--quiet", settings.quiet, "Print nothing but what is wrong; the exit status says the rest");

  CLI::App& start = add_command(*app_, "start", "Start all processes and watch over them; Ctrl-C stops them");
  start.add_flag("-d,--daemon", settings.daemon, "In the background; returns when all processes are ready");
  start.add_option(
      "PROCESS", settings.request.process,
      "Start nothing but this process of the running instance, which \"stop\" has stopped; a name of \"status\", as web:1");
  app_->add_option("--graceful-timeout", settings.graceful_timeout_seconds,
                   "Seconds that \"stop -g\" leaves clients to go before they are disconnected")
      ->check(CLI::Range(0.0, 31'536'000.0))
      ->capture_default_str();
  app_->add_option("--reload-timeout", settings.reload_timeout_seconds,
                   "Seconds that \"reload\" leaves old workers to finish their handlers before they are stopped")
      ->check(CLI::Range(0.0, 31'536'000.0))
      ->capture_default_str();
  CLI::App& stop = add_command(*app_, "stop", "Stop the running instance, in order");
  stop.add_flag("-g,--graceful", settings.graceful, "Refuse new clients, and wait until those that are there have gone");
  stop.add_option("PROCESS", settings.request.process,
                  "Stop nothing but this process, until \"start\" with its name; a name of \"status\", as web:1, or a pid");
  CLI::App& reload =
      add_command(*app_, "reload", "Take over the configuration and the program file as they are now; no client notices");
  reload.add_flag("-g,--graceful", settings.graceful, "Wait for the old workers for as long as their handlers take");
  CLI::App& check = add_command(*app_, "check", "Say whether the configuration is fine, and what is wrong with it");
  check.add_flag("--against-running", settings.against_running,
                 "Also what reload would take over of it, and what takes a restart");
  CLI::App& restart = add_command(*app_, "restart", "Stop the running instance, if any, and start");
  restart.add_flag("-d,--daemon", settings.daemon, "In the background; returns when all processes are ready");
  restart.add_flag("-g,--graceful", settings.graceful, "Before it is stopped, wait until its clients have gone");
  CLI::App& status = add_command(*app_, "status", "Show what the running instance's processes are doing");
  status.add_flag("--json", settings.json, "As JSON, for programs");
  status.add_option("--live", settings.live_seconds, "Again and again, until Ctrl-C; a number of seconds may follow")
      ->expected(0, 1)
      ->default_str("1")
      ->check(CLI::Range(0.1, 86'400.0));
  CLI::App& connections = add_command(*app_, "connections", "Show every client and inner connection of the running instance");
  connections.add_flag("--json", settings.json, "As JSON, for programs");
  connections.add_option("--client", settings.filter.client_id, "Only the client of this id");
  connections.add_option("--uid", settings.filter.uid, "Only the clients that this uid is bound to");
  connections.add_option("--group", settings.filter.group, "Only the clients in this group");
  connections.add_option("--address", settings.filter.address, "Only what comes from this IP, or IP:PORT");
  add_operator_commands(settings);
}

void CommandLine::add_operator_commands(Settings& settings) {
  CLI::App& level = add_command(*app_, "log-level", "Show or set what all processes of the running instance log");
  level.add_option("LEVEL", settings.request.log_level, "debug, info, warning or error; without it, show which one it is");
  level.add_option("--for", settings.request.time, "Go back to the configured one after this time, such as 90s, 10m or 1h");
  CLI::App& deny = add_command(*app_, "deny", "Refuse clients of an address, and disconnect those that are there");
  deny.add_option("ADDRESS", settings.request.range,
                  "An IP address or a range, such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32");
  deny.add_option("TIME", settings.request.time,
                  "For how long, such as 90s, 10m, 1h or 7d; without it, until \"allow\" or the end");
  deny.add_flag("--list", settings.request.list, "Show what is denied, and for how long yet");
  deny.add_flag("--json", settings.json, "The list as JSON, for programs");
  CLI::App& allow = add_command(*app_, "allow", "Let clients of an address in again that was denied");
  allow.add_option("ADDRESS", settings.request.range, "As it was denied");
}

CommandLine::~CommandLine() = default;

template <class T>
void CommandLine::option(const std::string& name, T& variable, const std::string& help) {
  // CLI11 would take it for the name of an argument without one.
  if (!name.starts_with('-') || name.find(' ') != std::string::npos) {
    throw std::invalid_argument(fmt::format("Application::option(\"{}\"): a name is --word, or -w,--word", name));
  }
  try {
    if constexpr (std::is_same_v<T, bool>) {
      app_->add_flag(name, variable, help);
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      app_->add_option(name, variable, help)->allow_extra_args(false);  // one value each time, so that a command may follow
    } else {
      app_->add_option(name, variable, help)->capture_default_str();
    }
  } catch (const CLI::Error& error) {
    throw std::invalid_argument(fmt::format("Application::option(\"{}\"): {}", name, error.what()));
  }
}
template void CommandLine::option(const std::string&, std::string&, const std::string&);
template void CommandLine::option(const std::string&, int&, const std::string&);
template void CommandLine::option(const std::string&, bool&, const std::string&);
template void CommandLine::option(const std::string&, std::vector<std::string>&, const std::string&);

void CommandLine::command(const std::string& name, const std::string& help, std::function<int()> run) {
  try {
    // The only one of ours that a program may have in another way.
    if (name == "check") app_->remove_subcommand(app_->get_subcommand(name));
    add_command(*app_, name, help);
  } catch (const CLI::Error& error) {
    throw std::invalid_argument(fmt::format("Application::command(\"{}\"): {}", name, error.what()));
  }
  own_commands_.push_back({name, std::move(run)});
}

std::optional<int> CommandLine::parse(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::Success& ended) {
    return app_->exit(ended);  // --help, --version
  } catch (const CLI::ParseError& error) {
    return complain(one_line(error.what()));
  }
  const std::vector<std::string> extras = app_->remaining(true);
  if (!extras.empty()) return complain(describe_extra(extras.front()));
  if (app_->get_subcommands().empty()) {
    std::fputs(app_->help().c_str(), stdout);
    return 1;
  }
  chosen_ = app_->get_subcommands().front()->get_name();
  // What was written by mistake is no name of a process, nor is it asked for in vain.
  if (const auto name = wrong_process_name()) {
    return complain(fmt::format("unexpected argument \"{}\"; a process is called as in status, such as web:1", *name));
  }
  return std::nullopt;
}

std::optional<std::string> CommandLine::wrong_process_name() const {
  const CLI::Option* option = app_->get_subcommands().front()->get_option_no_throw("PROCESS");
  if (option == nullptr || option->count() == 0) return std::nullopt;
  const auto name = option->as<std::string>();
  const bool is_pid = name.find_first_not_of("0123456789") == std::string::npos;
  return is_pid || name.find(':') != std::string::npos ? std::nullopt : std::optional(name);
}

std::optional<int> CommandLine::run_own_command() const {
  for (const OwnCommand& command : own_commands_) {
    if (command.name == chosen_) return command.run();
  }
  return std::nullopt;
}

bool CommandLine::was_given(const std::string& option) const { return app_->get_option(option)->count() > 0; }

int CommandLine::complain(const std::string& line) const {
  std::fputs(fmt::format("{}: {} (\"{} --help\" shows what there is)\n", program_, line, program_).c_str(), stderr);
  return 1;
}

std::string CommandLine::describe_extra(const std::string& extra) const {
  if (!extra.starts_with('-')) {
    if (!app_->get_subcommands().empty()) return fmt::format("unexpected argument \"{}\"", extra);
    return fmt::format("unknown command \"{}\"{}", extra, did_you_mean(extra, command_names()));
  }
  const std::string name = extra.substr(0, extra.find('='));
  for (const CLI::App* command : app_->get_subcommands([](const CLI::App*) { return true; })) {
    std::vector<std::string> names;
    add_names(*command, names);
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return fmt::format("{} belongs behind its command, as in \"{} {} {}\"", name, program_, command->get_name(), name);
    }
  }
  return fmt::format("unknown option \"{}\"{}", name, did_you_mean(name, option_names()));
}

std::vector<std::string> CommandLine::option_names() const {
  std::vector<std::string> names;
  add_names(*app_, names);
  for (const CLI::App* command : app_->get_subcommands()) add_names(*command, names);
  return names;
}

std::vector<std::string> CommandLine::command_names() const {
  std::vector<std::string> names;
  for (const CLI::App* command : app_->get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

}  // namespace gatehouse
