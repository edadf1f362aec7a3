// The program gatehouse: a register and gateways from a configuration file, for business workers that are started elsewhere; and
// calls to a running cluster.
#include <gatehouse/application.h>

#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "base/result.h"
#include "call_command.h"
#include "config_file.h"
#include "php_check.h"

namespace {

using gatehouse::config::ConfigFile;

int complain(const std::string& line) {
  std::fputs((line + "\n").c_str(), stderr);
  return 1;
}

/// The text of the file: of this moment in a master, of the moment of its start in a master's child.
gatehouse::Result<std::string> read(gatehouse::Application& app, const std::string& path) {
  try {
    return app.read_configuration(path);
  } catch (const std::system_error& error) {
    return gatehouse::os_failure("cannot read the configuration file " + path + " (-c chooses another)", error.code().value());
  } catch (const std::runtime_error& error) {
    return gatehouse::failure(error.what());
  }
}

gatehouse::Result<ConfigFile> load(gatehouse::Application& app, const std::string& path) {
  return read(app, path).and_then([&path](const std::string& text) { return ConfigFile::parse(text, path); });
}

}  // namespace

int main(int argc, char** argv) {
  gatehouse::Application app("gatehouse");  // first: it sees to standard input, output and error
  const std::vector<std::string> call = gatehouse::call::words_of_call(argc, argv);
  if (!call.empty()) return gatehouse::call::run_call(call);
  std::string path = "gatehouse.toml";
  app.option("-c,--config", path, "The configuration file");
  std::string php;
  app.option("--php", php,
             "For check: look at a start file of GatewayWorker instead, for what would get lost, and translate its settings");
  app.command("call", "Command or ask a running cluster; \"gatehouse call --help\" lists the calls",
              [] { return complain("gatehouse: call stands before its options, as in \"gatehouse call client_count --json\""); });
  std::string chosen;
  app.before_command([&](const std::string& command) {
    chosen = command;
    const auto text = read(app, path);
    if (!text && text.error().os_error == ENOENT) return;
    const auto instance = text.and_then([&path](const std::string& whole) { return ConfigFile::parse_instance(whole, path); });
    if (instance) return app.add(*instance);
    // What runs must be stoppable whatever the file has become. These say themselves what is wrong with it.
    if (command == "start" || command == "restart" || command == "check") return;
    complain(instance.error().message + "; going on without its [instance]");
  });
  if (const auto status = app.parse(argc, argv)) return *status;
  if (chosen == "check" && !php.empty()) return gatehouse::php::check_start_file(php);

  const auto file = load(app, path);
  if (!file) return complain(file.error().message);
  if (chosen == "check") {
    if (const auto unknown = file->find_unknown_user()) return complain(*unknown);
  }
  for (const auto& options : file->program().registers) app.add(options);
  for (const auto& options : file->program().gateways) app.add(options);
  return app.run(argc, argv);
}
