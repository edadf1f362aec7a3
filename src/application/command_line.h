#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "application/settings.h"

namespace CLI {
class App;
}

namespace gatehouse {

/// The command line of a program: start, stop, restart, status, the settings, and the options and commands that the program adds.
/// An option may stand before or after the command.
class CommandLine {
 public:
  /// `settings` holds the defaults and gets what the command line says; it must outlive this object.
  CommandLine(const std::string& program, Settings& settings);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// Throws std::invalid_argument when `name` is no option name, or there is one of this name already.
  template <class T>
  void option(const std::string& name, T& variable, const std::string& help);
  /// A command of the program's own. `run` gives the exit status.
  void command(const std::string& name, const std::string& help, std::function<int()> run);

  /// Reads the command line. Gives the exit status when the program is to end at once: after --help, or with one line about what
  /// is wrong.
  std::optional<int> parse(int argc, const char* const* argv);

  /// Whether the command line has it, as in "--run-dir".
  [[nodiscard]] bool was_given(const std::string& option) const;
  /// The command that was given.
  [[nodiscard]] const std::string& chosen() const { return chosen_; }
  /// Runs the chosen command if it is one of the program's own.
  std::optional<int> run_own_command() const;

 private:
  struct OwnCommand {
    std::string name;
    std::function<int()> run;
  };
  void add_operator_commands(Settings& settings);
  /// What stands where a process is named, and cannot be its name.
  [[nodiscard]] std::optional<std::string> wrong_process_name() const;
  [[nodiscard]] int complain(const std::string& line) const;
  [[nodiscard]] std::string describe_extra(const std::string& extra) const;
  [[nodiscard]] std::vector<std::string> option_names() const;
  [[nodiscard]] std::vector<std::string> command_names() const;

  std::string program_;
  std::unique_ptr<CLI::App> app_;
  std::vector<OwnCommand> own_commands_;
  std::string chosen_;
};

}  // namespace gatehouse
