#include <gatehouse/application.h>

#include <fmt/format.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <stdexcept>

#include "application/check_command.h"
#include "application/child_runner.h"
#include "application/command_line.h"
#include "application/configuration_texts.h"
#include "application/connections_command.h"
#include "application/instance_commands.h"
#include "application/instance_settings.h"
#include "application/operator_commands.h"
#include "application/option_check.h"
#include "application/option_table.h"
#include "application/program.h"
#include "application/settings.h"
#include "application/standard_descriptors.h"
#include "application/start_command.h"
#include "application/status_command.h"
#include "master/child_environment.h"
#include "master/identity.h"
#include "master/program_image.h"
#include "master/run_directory.h"
#include "master/signals.h"

namespace gatehouse {
namespace {

int complain(const std::string& program, const std::string& line) {
  std::fputs(fmt::format("{}: {}\n", program, line).c_str(), stderr);
  return 1;
}

}  // namespace

class ApplicationState {
 public:
  explicit ApplicationState(std::string name)
      : program{.name = std::move(name)},
        settings{.instance = program.name, .run_dir = master::default_run_directory()},
        command_line(program.name, settings) {}

  std::optional<int> parse(int argc, char** argv);
  const std::string& read_configuration(const std::string& path);
  int run(const std::vector<std::string>& arguments);

  Program program;
  Settings settings;
  CommandLine command_line;
  ConfigurationTexts configuration;
  std::function<void(const std::string&)> before_command;
  bool parsed = false;

 private:
  int restart(const std::vector<std::string>& arguments);
  int start(const std::vector<std::string>& arguments);
  /// Whether this process is a master's child, which its environment says. Throws when that makes no sense.
  const std::optional<master::ChildEnvironment>& child();

  std::optional<std::optional<master::ChildEnvironment>> child_;  // once it has been looked at
};

const std::optional<master::ChildEnvironment>& ApplicationState::child() {
  if (!child_) {
    auto taken = master::ChildEnvironment::take();
    if (!taken) throw std::runtime_error(taken.error().message);
    child_ = std::move(*taken);
    if (*child_) configuration.inherit((*child_)->configuration_fd);
  }
  return *child_;
}

const std::string& ApplicationState::read_configuration(const std::string& path) {
  (void)child();
  return configuration.read(path);
}

std::optional<int> ApplicationState::parse(int argc, char** argv) {
  parsed = true;
  // Of a file that is executed by its descriptor the kernel may make that number the name that ps and top show.
  if (child() && argc > 0) prctl(PR_SET_NAME, std::filesystem::path(argv[0]).filename().c_str());
  if (const auto status = command_line.parse(argc, argv)) return status;
  settings.graceful_timeout_given = command_line.was_given("--graceful-timeout");
  for (const auto& row : instance_options()) {
    std::string option = "--" + std::string(row.name);
    std::replace(option.begin(), option.end(), '_', '-');
    if (command_line.was_given(option)) settings.given.emplace_back(row.name);
  }
  if (before_command) before_command(command_line.chosen());
  if (const auto problem = describe_problem(settings)) return complain(program.name, *problem);
  const bool plain = settings.instance.find('/') == std::string::npos && !settings.instance.empty();
  if (!plain)
    return complain(program.name,
                    fmt::format("--instance: \"{}\" cannot name files; use letters, digits, '-' and '_'", settings.instance));
  const bool becomes_master = command_line.chosen() == "start" || command_line.chosen() == "restart";  // or a child
  if (!becomes_master) master::set_command_signals();
  // Neither needs to know what the program consists of, which may come from a file that is broken at the moment.
  const bool one = !settings.request.process.empty();
  if (command_line.chosen() == "stop") return one ? stop_process(settings) : stop_instance(settings);
  if (command_line.chosen() == "start" && one) return start_process(settings);
  if (command_line.chosen() == "log-level") return set_log_level(settings);
  if (command_line.chosen() == "deny") return deny_addresses(settings);
  if (command_line.chosen() == "allow") return allow_addresses(settings);
  if (command_line.chosen() == "reload") return reload_instance(settings);
  if (command_line.chosen() == "status") return show_status(settings);
  if (command_line.chosen() == "connections") return show_connections(settings);
  return command_line.run_own_command();
}

int ApplicationState::run(const std::vector<std::string>& arguments) {
  if (child() && child()->kind == master::ChildEnvironment::kDescribe) {
    return describe_to(child()->control_fd, program, settings, configuration.texts());
  }
  if (child()) return run_child(program, settings, *child(), configuration.settings());
  if (command_line.chosen() == "check") return check_program(program, settings, configuration.texts());
  return command_line.chosen() == "restart" ? restart(arguments) : start(arguments);
}

int ApplicationState::restart(const std::vector<std::string>& arguments) {
  master::set_command_signals();
  // A mistake in the options must not cost the instance that runs.
  if (const auto problem = check_options(program)) return complain(program.name, to_line(*problem, program));
  if (const auto identity = master::find_identity(settings.user, settings.group); !identity) {
    return complain(program.name, identity.error().message);
  }
  if (is_running(settings)) {
    if (const int status = stop_instance(settings); status != 0) return status;
  }
  return start(arguments);
}

int ApplicationState::start(const std::vector<std::string>& arguments) {
  auto image = master::ProgramImage::of_this_process(configuration.texts());
  if (!image) return complain(program.name, image.error().message);
  return start_instance(program, settings, arguments, std::move(*image));
}

Application::Application(std::string name) {
  open_standard_descriptors();
  state_ = std::make_unique<ApplicationState>(std::move(name));
}
Application::~Application() = default;

void Application::option(const std::string& name, std::string& variable, const std::string& help) {
  state_->command_line.option(name, variable, help);
}
void Application::option(const std::string& name, int& variable, const std::string& help) {
  state_->command_line.option(name, variable, help);
}
void Application::option(const std::string& name, bool& variable, const std::string& help) {
  state_->command_line.option(name, variable, help);
}
void Application::option(const std::string& name, std::vector<std::string>& variable, const std::string& help) {
  state_->command_line.option(name, variable, help);
}
void Application::command(const std::string& name, const std::string& help, std::function<int()> run) {
  state_->command_line.command(name, help, std::move(run));
}

std::optional<int> Application::parse(int argc, char** argv) {
  try {
    return state_->parse(argc, argv);
  } catch (const std::exception& error) {
    return complain(state_->program.name, error.what());
  }
}

const std::string& Application::read_configuration(const std::string& path) { return state_->read_configuration(path); }

void Application::before_command(Callback<const std::string&> prepare) { state_->before_command = std::move(prepare).take(); }

void Application::add(const InstanceOptions& options) {
  apply_instance_options(options, state_->settings,
                         [this](const std::string& name) { return state_->command_line.was_given(name); });
}
void Application::add(RegisterOptions options) { state_->program.registers.push_back(std::move(options)); }
void Application::add(GatewayOptions options) { state_->program.gateways.push_back(std::move(options)); }
void Application::add(WorkerOptions options) { state_->program.workers.push_back(std::move(options)); }
void Application::add(ProcessOptions options) { state_->program.processes.push_back(std::move(options)); }
void Application::add_protocol(const std::string& scheme, ProtocolFactory factory) {
  // As listen addresses are read.
  std::string small = scheme;
  std::transform(small.begin(), small.end(), small.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  state_->program.protocols.emplace_back(std::move(small), std::move(factory));
}

int Application::run(int argc, char** argv) {
  try {
    if (!state_->parsed) {
      if (const auto status = parse(argc, argv)) return *status;
    }
    return state_->run(std::vector<std::string>(argv, argv + argc));
  } catch (const std::exception& error) {
    return complain(state_->program.name, error.what());
  }
}

}  // namespace gatehouse
