#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gatehouse/callback.h>
#include <gatehouse/options.h>
#include <gatehouse/protocol.h>

namespace gatehouse {

class ApplicationState;

/// A program made of roles: `app.add(...)` what it consists of, then `return app.run(argc, argv);` gives it the commands
/// start, stop, restart, reload, check, status, connections, log-level, deny and allow.
///
/// `start` runs a master, which executes this same program once per process of each role. So main() runs in every process:
/// keep it to describing the program, and do the work in Events, which are made only in the worker processes.
///
/// Thread rule: main thread only. Configuration errors are printed as one line; run() then returns 1.
class Application {
 public:
  /// `name` is shown in the status and names the pid and log files: letters, digits, '-' and '_'.
  /// Opens /dev/null where standard input, output or error is closed; so it is to be the first thing in main().
  explicit Application(std::string name);
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;
  ~Application();

  /// Options of your own for the command line, as in `option("--room", room, "the room to begin in")`; read by parse(). What the
  /// variable holds before is the default.
  void option(const std::string& name, std::string& variable, const std::string& help);
  void option(const std::string& name, int& variable, const std::string& help);
  void option(const std::string& name, bool& variable, const std::string& help);
  /// May be given several times.
  void option(const std::string& name, std::vector<std::string>& variable, const std::string& help);

  /// A command of your own beside those; `run` gives the exit status. Carried out by parse().
  void command(const std::string& name, const std::string& help, std::function<int()> run);

  /// Reads the command line. Only needed when options of your own decide what is added; run() does it otherwise. Gives the exit
  /// status when the program is to end at once: after --help or a bad option, and after the commands that need not know what the
  /// program consists of (stop, reload, status, connections and so on, your own), which are carried out here.
  [[nodiscard]] std::optional<int> parse(int argc, char** argv);

  /// The text of a configuration file, for programs that have one. Read once: the master remembers it, and gives the same text to
  /// every process that it starts, also in place of one that has died, whatever has become of the file; only `reload` and
  /// `restart` read it again. So a program that reads its configuration in this way and no other is always the same in all its
  /// processes. Throws std::system_error when the file cannot be read, std::runtime_error when it is over
  /// kMaxConfigurationSize.
  const std::string& read_configuration(const std::string& path);
  static constexpr std::size_t kMaxConfigurationSize = 1024 * 1024;  ///< bytes

  /// Called by parse(), with the name of the command, when the command line has been read and before any command is carried out:
  /// the place to add() InstanceOptions that come from a file which the command line names. What it throws is printed as one
  /// line.
  void before_command(Callback<const std::string&> prepare);

  /// At most once; before parse(), or in before_command().
  void add(const InstanceOptions& options);
  void add(RegisterOptions options);
  void add(GatewayOptions options);
  void add(WorkerOptions options);
  void add(ProcessOptions options);
  /// Makes `scheme://` listenable for gateways: a letter, then letters and digits.
  void add_protocol(const std::string& scheme, ProtocolFactory factory);

  /// Carries out the command; returns the program's exit status.
  int run(int argc, char** argv);

 private:
  std::unique_ptr<ApplicationState> state_;
};

}  // namespace gatehouse
